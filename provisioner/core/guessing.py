"""A bound on guessing at what is long and random: so many wrong guesses of an address in a window, then it has to wait for the next one."""

from __future__ import annotations

from provisioner.core.peers import group_of

ADDRESSES = 65_536
"""Addresses remembered: strangers choose them, so the memory for them is bounded and then dropped whole."""


class GuessLimit:
    """Counts wrong guesses of each address in windows of ``window_s`` seconds. Threads may share it: a race loses a count at the most."""

    def __init__(self, most: int, window_s: float) -> None:
        self._most = most
        self._window_s = window_s
        self._counts: dict[str, tuple[float, int]] = {}

    def wait_s(self, peer: str, now: float) -> float:
        """Returns how long ``peer`` has to wait because it guessed wrong too often in its present window; 0 where it may try."""
        since, count = self._counts.get(group_of(peer), (now, 0))
        return since + self._window_s - now if count >= self._most and 0 <= now - since < self._window_s else 0.0

    def note(self, peer: str, now: float) -> None:
        """Counts one wrong guess."""
        group = group_of(peer)
        since, count = self._counts.get(group, (now, 0))
        if not 0 <= now - since < self._window_s:
            since, count = now, 0
        if len(self._counts) >= ADDRESSES and group not in self._counts:
            self._counts.clear()
        self._counts[group] = (since, count + 1)
