"""Bounds on how often something may happen, with bounded memory of who did it."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable

KEYS = 4096


class RateLimit:
    """A bucket for each key: ``burst`` at once, then ``per_s`` a second. The keys seen longest ago are forgotten."""

    def __init__(self, per_s: float, burst: float, keys: int = KEYS) -> None:
        self._per_s = per_s
        self._burst = burst
        self._keys = keys
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def allows(self, key: Hashable, now: float) -> bool:
        """Returns whether it may happen once more, and counts it; ``now`` in seconds that never go back."""
        left, since = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_s)
        may = left >= 1.0
        self._left[key] = (left - 1.0 if may else left, now)
        if len(self._left) > self._keys:
            self._left.popitem(last=False)
        return may

    def __len__(self) -> int:
        return len(self._left)


class Recent:
    """What was said last, for a bounded number of keys: tells whether a key says something new, or the same after ``for_s`` seconds.

    Only the last saying counts: what was said before another is news again, or a forged word in between would stand.
    """

    def __init__(self, for_s: float, keys: int = KEYS) -> None:
        self._for_s = for_s
        self._keys = keys
        self._seen: OrderedDict[Hashable, tuple[float, Hashable]] = OrderedDict()

    def is_new(self, key: Hashable, now: float, said: Hashable = None) -> bool:
        """Returns whether the last that ``key`` said is another or long ago, and notes it."""
        at, last = self._seen.get(key, (-math.inf, None))
        if last == said and now - at < self._for_s:
            return False
        self._seen[key] = now, said
        self._seen.move_to_end(key)
        if len(self._seen) > self._keys:
            self._seen.popitem(last=False)
        return True

    def __len__(self) -> int:
        return len(self._seen)
