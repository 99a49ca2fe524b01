"""Lets go of readers who left or stall in the middle of a long answer: what is written for them keeps a thread, and there are few.

Whoever makes such an answer finds an event in the scope that says so, and stops.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import MutableMapping
from typing import Any

from provisioner.api.backups import GONE
from web.live import App, Receive, Scope, Send

log = logging.getLogger("provisioner.admin")

STALL_S = 60.0
"""How long a reader may take none of an answer."""


class PatientSending:
    """The ASGI application of which every answer ends, whatever its reader does."""

    def __init__(self, rest: App, stall_s: float = STALL_S) -> None:
        self._rest = rest
        self._stall_s = stall_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = scope[GONE] = threading.Event()

        async def patiently(message: MutableMapping[str, Any]) -> None:
            if gone.is_set():
                return
            try:
                async with asyncio.timeout(self._stall_s):
                    await send(message)
            except (TimeoutError, OSError, RuntimeError) as error:
                gone.set()
                log.info("event=reader_left path=%s error=%s", scope.get("path"), type(error).__name__)

        await self._rest(scope, receive, patiently)
