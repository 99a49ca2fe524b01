"""Counts the unlisted MACs that are asked for, and tells a scan from an office that is being set up.

Pure: the clock comes in as an argument. Whatever a stranger sends, the memory is bounded: a window remembers so many MACs of so many
addresses and prefixes and no more, and is dropped whole when its time is over.
"""

from __future__ import annotations

from typing import NamedTuple

from provisioner.core.mac import Mac
from provisioner.core.peers import group_of

WINDOW_S = 600.0
"""How long an unlisted MAC counts, at the most; and how long a scanned bootstrap is frozen."""
STEP_S = 10.0
"""A freeze is prolonged, and told anew, once in so long: it stays for the rest of ``WINDOW_S`` after the last excess."""
MOST_OF_ADDRESS = 64
"""Unlisted MACs from one address: more than a desk switch full of new phones behind one NAT."""
MOST_OF_OUI = 512
"""Unlisted MACs of one maker's prefix from all trusted networks: neighbours of a listed MAC are what a scan tries first."""
MOST_OF_ALL = 1024
MOST_ADDRESSES = 1_024
MOST_OUIS = 64
EVERYWHERE = "everywhere"


class Alarm(NamedTuple):
    """A scan that was noticed, or goes on. ``scope`` is the address (IPv6: its /64), or ``everywhere`` where it came from many."""

    at: float
    """When the freeze began: with the scope it names the scan, however often its end is put off."""
    kind: str
    """``address``, ``oui`` or ``all``: which of the bounds was passed."""
    scope: str
    macs: int
    """Different unlisted MACs that had been asked for."""
    until: float
    """When the bootstrap opens again, unless the scan goes on."""

    @property
    def is_new(self) -> bool:
        """Returns whether the scan begins; False where it is only prolonged."""
        return self.until <= self.at + WINDOW_S


class Freeze(NamedTuple):
    since: float
    until: float


class FloodGuard:
    """One serving process's count. Used by its one serving thread."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._addresses: dict[str, set[Mac]] = {}
        self._strangers: dict[str, set[Mac]] = {}
        self._ouis: dict[str, set[Mac]] = {}
        self._all: set[Mac] = set()
        self._frozen: dict[str, Freeze] = {}

    def note(self, peer: str, mac: Mac, *, trusted: bool, now: float) -> list[Alarm]:
        """Counts a request for an unlisted MAC; returns an alarm for each freeze that it begins or prolongs.

        What comes from no trusted network counts for its own address alone: nothing is served there without a proof, and the
        internet at large must not be able to shut the bootstrap of an office; nor does it take the room of the office's addresses.
        """
        self._turn(now)
        table = self._addresses if trusted else self._strangers
        found = [self._counted(table, MOST_ADDRESSES, group_of(peer), mac, MOST_OF_ADDRESS, "address", now)]
        if trusted:
            found.append(self._counted(self._ouis, MOST_OUIS, mac.oui, mac, MOST_OF_OUI, "oui", now))
            found.append(self._counted_in_all(mac, now))
        return [alarm for alarm in found if alarm is not None]

    def is_frozen(self, peer: str, *, everywhere: bool, now: float) -> bool:
        """Returns whether the bootstrap is shut for ``peer``; with ``everywhere`` also because of a scan from many addresses."""
        if not self._frozen:
            return False
        return self._holds(group_of(peer), now) or (everywhere and self._holds(EVERYWHERE, now))

    def _holds(self, scope: str, now: float) -> bool:
        freeze = self._frozen.get(scope)
        return freeze is not None and now < freeze.until

    def _turn(self, now: float) -> None:
        """Begins a new window when the old one is over, or when the clock was set back before its beginning."""
        if not self._ends - WINDOW_S <= now < self._ends:
            self._ends = now + WINDOW_S
            self._addresses, self._strangers, self._ouis, self._all = {}, {}, {}, set()
            self._frozen = {scope: freeze for scope, freeze in self._frozen.items() if now < freeze.until <= now + WINDOW_S}

    def _counted(self, table: dict[str, set[Mac]], room: int, key: str, mac: Mac, most: int, kind: str, now: float) -> Alarm | None:
        seen = table.get(key)
        if seen is None:
            if len(table) >= room:
                return None  # so many are a flood themselves: the count of all takes care of it
            seen = table[key] = set()
        if len(seen) < most:
            seen.add(mac)
            return None
        return None if mac in seen else self._freeze(kind, key if kind == "address" else EVERYWHERE, most + 1, now)

    def _counted_in_all(self, mac: Mac, now: float) -> Alarm | None:
        if len(self._all) < MOST_OF_ALL:
            self._all.add(mac)
            return None
        return None if mac in self._all else self._freeze("all", EVERYWHERE, MOST_OF_ALL + 1, now)

    def _freeze(self, kind: str, scope: str, macs: int, now: float) -> Alarm | None:
        """Freezes, or goes on freezing. What is told is what holds here: the worker shuts the windows by it."""
        known = self._frozen.get(scope)
        if known is None or not known.since <= now < known.until:
            known = Freeze(now, now)
        elif now + WINDOW_S - known.until < STEP_S:
            return None
        self._frozen[scope] = Freeze(known.since, now + WINDOW_S)
        return Alarm(known.since, kind, scope, macs, now + WINDOW_S)
