"""Counts the unlisted MACs that are asked for, and tells a scan from an office that is being set up.

Pure: the clock comes in as an argument. Whatever a stranger sends, the memory is bounded: a window remembers so many MACs of so many
addresses and prefixes and no more, and is dropped whole when its time is over.
"""

from __future__ import annotations

from typing import NamedTuple

from provisioner.core.mac import Mac

WINDOW_S = 600.0
"""How long an unlisted MAC counts, at the most; and how long a scanned bootstrap stays frozen after the last excess."""
MOST_OF_ADDRESS = 64
"""Unlisted MACs from one address: more than a desk switch full of new phones behind one NAT."""
MOST_OF_OUI = 512
"""Unlisted MACs of one maker's prefix from all trusted networks: neighbours of a listed MAC are what a scan tries first."""
MOST_OF_ALL = 1024
MOST_ADDRESSES = 1_024
MOST_OUIS = 64
EVERYWHERE = "everywhere"


class Alarm(NamedTuple):
    """A scan that was noticed. ``scope`` is the address, or ``everywhere`` where it came from many."""

    at: float
    kind: str
    """``address``, ``oui`` or ``all``: which of the bounds was passed."""
    scope: str
    macs: int
    """Different unlisted MACs that had been asked for."""
    until: float
    """When the bootstrap opens again, unless the scan goes on."""


class FloodGuard:
    """One serving process's count. Used by its one serving thread."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._addresses: dict[str, set[Mac]] = {}
        self._ouis: dict[str, set[Mac]] = {}
        self._all: set[Mac] = set()
        self._frozen: dict[str, float] = {}

    def note(self, peer: str, mac: Mac, *, trusted: bool, now: float) -> Alarm | None:
        """Counts a request for an unlisted MAC; returns an alarm where it begins a freeze, None otherwise.

        What comes from no trusted network counts for its own address alone: nothing is served there without a proof, and the
        internet at large must not be able to shut the bootstrap of an office.
        """
        self._turn(now)
        alarm = self._counted(self._addresses, MOST_ADDRESSES, peer, mac, MOST_OF_ADDRESS, "address", now)
        if not trusted:
            return alarm
        by_oui = self._counted(self._ouis, MOST_OUIS, mac.oui, mac, MOST_OF_OUI, "oui", now)
        return alarm or by_oui or self._counted_in_all(mac, now)

    def is_frozen(self, peer: str, *, everywhere: bool, now: float) -> bool:
        """Returns whether the bootstrap is shut for ``peer``; with ``everywhere`` also because of a scan from many addresses."""
        if not self._frozen:
            return False
        return now < self._frozen.get(peer, 0.0) or (everywhere and now < self._frozen.get(EVERYWHERE, 0.0))

    def _turn(self, now: float) -> None:
        """Begins a new window when the old one is over, or when the clock was set back before its beginning."""
        if not self._ends - WINDOW_S <= now < self._ends:
            self._ends = now + WINDOW_S
            self._addresses, self._ouis, self._all = {}, {}, set()
            self._frozen = {scope: until for scope, until in self._frozen.items() if now < until <= now + WINDOW_S}

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
        """Freezes, or goes on freezing, which is no news."""
        was_frozen = now < self._frozen.get(scope, 0.0)
        until = self._frozen[scope] = now + WINDOW_S
        return None if was_frozen else Alarm(now, kind, scope, macs, until)
