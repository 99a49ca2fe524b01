"""A bound on guessing: free at first, then with a delay that doubles. In memory, bounded, by whatever key the caller counts.

An attempt during a delay is refused unseen and counts for nothing: whoever keeps hammering does not make it longer for somebody else.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

KEYS = 20_000


@dataclass(slots=True)
class _Tally:
    failures: int
    last: float


class Attempts:
    """Counts failures of each key. After ``free`` of them the next has to wait 1 s, then 2, 4, ... up to ``longest_s``; an hour forgives."""

    FORGOTTEN_S = 3600.0

    def __init__(self, *, free: int, longest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free
        self._longest_s = longest_s
        self._clock = clock
        self._of: OrderedDict[str, _Tally] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, key: str) -> float:
        """Returns how long ``key`` has to wait; 0 where it may try."""
        now = self._clock()
        with self._lock:
            tally = self._of.get(key)
            if tally is None or now - tally.last >= self.FORGOTTEN_S or tally.failures < self._free:
                return 0.0
            delay = min(2.0 ** min(tally.failures - self._free, 30), self._longest_s)
            return max(0.0, tally.last + delay - now)

    def failed(self, key: str) -> None:
        """Counts a failure of ``key``."""
        now = self._clock()
        with self._lock:
            tally = self._of.pop(key, None)
            failures = tally.failures if tally and now - tally.last < self.FORGOTTEN_S else 0
            self._of[key] = _Tally(failures + 1, now)
            while len(self._of) > KEYS:
                self._of.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forgets the failures of ``key``."""
        with self._lock:
            self._of.pop(key, None)

    def __len__(self) -> int:
        return len(self._of)
