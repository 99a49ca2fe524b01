"""One thread in which all simulated phones live, and the door to it for tests, which are not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

Result = TypeVar("Result")
FETCHERS = 16
LIMIT_S = 60.0


class Network:
    """An event loop in a thread of its own. Thousands of phones fit into one; what they know may be read from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="phones", daemon=True)
        self.failures: list[str] = []
        self._loop.set_exception_handler(self._failed)

    def __enter__(self) -> Network:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result], limit_s: float = LIMIT_S) -> Result:
        """Returns what the coroutine returns, once it has ended in the phones' thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit_s)

    def all(self, work: list[Coroutine[Any, Any, Result]], limit_s: float = LIMIT_S) -> list[Result]:
        """Runs many at once and returns what each returned, in order."""

        async def together() -> list[Result]:
            return list(await asyncio.gather(*work))

        return self.run(together(), limit_s)

    async def _end(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keeps what went wrong in a phone where nobody waited for it: a test looks at the end."""
        self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")
