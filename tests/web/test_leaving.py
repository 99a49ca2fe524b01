"""A long answer ends although its reader stalls or has left."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from provisioner.api.backups import GONE
from web.leaving import PatientSending


async def _nothing() -> MutableMapping[str, Any]:
    return {"type": "http.disconnect"}


def _sent_until_gone(send: Any, stall_s: float) -> int:
    """Returns how many blocks an endless answer came to until it was told to stop."""
    count = 0

    async def endless(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        nonlocal count
        while not scope[GONE].is_set():
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            count += 1
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    sending = PatientSending(endless, stall_s)
    with ThreadPoolExecutor(1) as own:  # a browser that another test drove keeps a loop running in this thread
        own.submit(lambda: asyncio.run(asyncio.wait_for(sending({"type": "http", "path": "/"}, _nothing, send), 60))).result()
    return count


def test_reader_who_takes_nothing_more_is_let_go() -> None:
    taken: list[object] = []

    async def stalls(message: object) -> None:
        taken.append(message)
        if len(taken) == 3:
            await asyncio.Event().wait()

    assert _sent_until_gone(stalls, 0.05) == 3
    assert len(taken) == 3


def test_reader_who_left_is_let_go() -> None:
    async def left(_message: object) -> None:
        raise BrokenPipeError

    assert _sent_until_gone(left, 60) == 1
