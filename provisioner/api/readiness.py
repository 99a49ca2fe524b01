"""Whether every enabled part serves: the database, the catalogue, the phones listener, and those that only a heartbeat speaks for."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from provisioner.db import DatabaseError
from provisioner.heartbeat import Heartbeat, read_heartbeats
from provisioner.migrate import is_current
from provisioner.setting_values import Bind
from provisioner.settings import Settings
from provisioner.wiring import Installation

CONNECT_S = 1.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - an address to be turned into loopback, not one to bind


class Readiness:
    """Looks at each part. Safe to share between threads."""

    def __init__(self, installation: Installation, clock: Callable[[], float] = time.time) -> None:
        self._installation = installation
        self._clock = clock
        self._is_migrated = False

    def complaints(self) -> dict[str, str]:
        """Returns each enabled part and why it does not serve; an empty text where it does."""
        settings = self._installation.settings
        beats, now = read_heartbeats(settings.data_dir), self._clock()
        parts = {"database": self._database(), "catalogue": self._catalogue(), "phones": _listener(settings.phones_bind)}
        return parts | {part: _beating(beats.get(part), now) for part in beating_parts(settings)}

    def details(self) -> dict[str, str]:
        """Returns what there is to say of parts without which phones are served all the same: what of them is off, and why."""
        settings = self._installation.settings
        if not settings.has_discovery:
            return {}
        beat = read_heartbeats(settings.data_dir).get("discovery")
        return {"discovery": _beating(beat, self._clock()) or (beat.detail if beat else "")}

    def _database(self) -> str:
        try:
            # A database does not lose migrations: once they are all there, reading it is proof enough, and cheaper.
            if not self._is_migrated:
                self._is_migrated = is_current(self._installation.database)
                return "" if self._is_migrated else "its tables are of another version: run 'provisioner init'"
            self._installation.store.index_position()
        except DatabaseError as error:
            return f"it cannot be read ({type(error).__name__})"
        return ""

    def _catalogue(self) -> str:
        return "" if self._installation.catalogue.vendors else "it has no vendor: see the setting CATALOGUE_DIR"


def beating_parts(settings: Settings) -> list[str]:
    """Returns the parts that have to beat with these settings."""
    return [*(["tftp"] if settings.tftp_bind else []), "worker", *(["pbx"] if settings.pbx == "bundled" else [])]


def _beating(beat: Heartbeat | None, now: float) -> str:
    return "it has not started: there is no heartbeat" if beat is None else beat.complaint(now)


def _listener(bind: Bind) -> str:
    try:
        with socket.create_connection((_ANY.get(bind.host, bind.host), bind.port), timeout=CONNECT_S):
            return ""
    except OSError as error:
        return f"nothing answers at {bind} ({error.strerror or 'no answer'})"
