"""Whose turn it is to be told: a single edit at once, many phones in an order that floods no site and no uplink.

Each lane (everybody, a site, an address) has a handful of turns that are taken at once and fill up slowly, and a queue whose turns stand
a jittered pause apart. A phone is told at once where all of its lanes have a turn left; else its turn is the latest of what they give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """How a lane is paced: ``at_once`` turns, one more every ``refill_s`` seconds, and ``pause_s`` between turns that have to wait."""

    at_once: int
    refill_s: float
    pause_s: float


EVERYBODY = Rate(20, 1.0, 0.05)
"""Twenty a second: each phone that is told fetches within seconds. Ten thousand take eight minutes."""
SITE = Rate(10, 2.0, 0.1)
ADDRESS = Rate(5, 12.0, 2.0)
"""Phones behind one address share its uplink: five at once, and later five a minute; of many, one every two seconds."""
LONGEST_S = 3600.0
MOST_LANES = 20_000


@dataclass(slots=True)
class _Lane:
    rate: Rate
    turns: float
    counted_at: float
    tail: float

    def refill(self, now: float) -> None:
        self.turns = min(float(self.rate.at_once), self.turns + (now - self.counted_at) / self.rate.refill_s)
        self.counted_at = now

    def take(self) -> None:
        self.turns -= 1.0

    def queue(self, now: float, jitter: float) -> float:
        """Returns when the lane lets a phone through that another lane holds up anyway."""
        if self.turns >= 1.0:
            self.take()
            return now
        self.tail = max(self.tail, now) + self.rate.pause_s * jitter
        return self.tail


class Turns:
    """Gives turns. ``timer`` never runs back; ``jitter`` gives factors around 1."""

    def __init__(self, timer: Callable[[], float], jitter: Callable[[], float]) -> None:
        self._timer = timer
        self._jitter = jitter
        self._lanes: dict[tuple[str, str], _Lane] = {}

    def wait_s(self, site: str, address: str) -> float:
        """Returns in how many seconds a phone is to be told; 0 for at once. ``address`` is empty where none is known."""
        now = self._timer()
        lanes = [self._lane(now, "", "", EVERYBODY), self._lane(now, "site", site, SITE)]
        lanes += [self._lane(now, "address", address, ADDRESS)] if address else []
        if all(lane.turns >= 1.0 for lane in lanes):
            for lane in lanes:
                lane.take()
            return 0.0
        return min(LONGEST_S, max(lane.queue(now, self._jitter()) for lane in lanes) - now)

    def _lane(self, now: float, kind: str, name: str, rate: Rate) -> _Lane:
        if len(self._lanes) >= MOST_LANES:
            self._lanes = {key: lane for key, lane in self._lanes.items() if lane.tail > now}
        lane = self._lanes.setdefault((kind, name), _Lane(rate, float(rate.at_once), now, now))
        lane.refill(now)
        return lane
