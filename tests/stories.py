"""Coroutines in tests, on a thread of their own: a worker that ran a browser before keeps a running loop on its main thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def told(story: Coroutine[Any, Any, T]) -> T:
    """Returns what the coroutine returns, or raises what it raises."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, story).result()
