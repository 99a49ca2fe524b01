"""What the recorder keeps of the bootstrap: who took a first fetch, which listed phones were refused one, newcomers, scans for MACs.

Written with the recorder's batches, in its transactions. Bounded: one entry a listed phone, and so many newcomers and alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection

from provisioner.core.enrolment import WAITS_S
from provisioner.core.flood import Alarm
from provisioner.core.mac import Mac
from provisioner.core.sightings import stored
from provisioner.core.values import Fetch, Reason
from provisioner.db import Database
from provisioner.models import index_log, phone
from provisioner.models_enrolment import alarm as alarm_table
from provisioner.models_enrolment import bootstrap_refusal, first_fetch, newcomer

ALARMS = 1_000
"""Alarms kept, and at the most as many waiting."""
NEWCOMERS = 2_000
"""Newcomers kept; those that asked longest ago go first, and those that wait last: strangers name as many MACs as they like."""
REFUSED = frozenset({Reason.BOOTSTRAP_CLOSED, Reason.REPLAYED, Reason.CONFLICT, Reason.WAITING})
"""What a listed phone meets that was reset, that asks from elsewhere, or that is another model than was written down."""
NEW = frozenset({Reason.UNKNOWN_PHONE, Reason.WAITING})
_CHUNK = 400


class Taken(NamedTuple):
    opened_at: float
    peer: str
    at: float


class Notes(NamedTuple):
    """What one transaction wrote of what was waiting."""

    taken: dict[Mac, Taken]
    alarms: dict[tuple[str, float], Alarm]


class BootstrapNotes:
    """The notes of one serving process. ``taken`` and ``alarm`` are called by the serving threads and never block."""

    def __init__(self, database: Database, part: str, trusts: Callable[[str], bool]) -> None:
        self._insert = sqlite_insert if database.is_sqlite else postgres_insert
        self._part = part
        self._trusts = trusts
        self._taken: dict[Mac, Taken] = {}
        self._alarms: dict[tuple[str, float], Alarm] = {}

    @property
    def waiting(self) -> bool:
        return bool(self._taken or self._alarms)

    def taken(self, mac: Mac, opened_at: float, peer: str, at: float) -> None:
        self._taken[mac] = Taken(opened_at, stored(peer, 45), at)

    def alarm(self, alarm: Alarm) -> None:
        """Takes a scan, or its new end. Where more of them wait than are kept, the others are lost."""
        if len(self._alarms) < ALARMS or (alarm.scope, alarm.at) in self._alarms:
            self._alarms[alarm.scope, alarm.at] = alarm

    def write(self, connection: Connection, batch: Iterable[Fetch]) -> Notes:
        """Writes what waits and what the batch tells; returns what ``written`` is to forget once the transaction holds."""
        notes = Notes(dict(self._taken), dict(self._alarms))
        refused = _by_mac(batch, REFUSED)
        own, strangers = self._apart(connection, _by_mac(batch, NEW))
        self._write_newcomers(connection, own)
        if strangers:
            connection.execute(_STRANGERS, strangers)
        known = _known(connection, {*notes.taken, *refused})
        self._write_taken(connection, {mac: taken for mac, taken in notes.taken.items() if mac in known})
        self._write_refused(connection, [fetches for mac, fetches in refused.items() if mac in known])
        if notes.alarms:
            self._write_alarms(connection, notes.alarms.values())
        return notes

    def written(self, notes: Notes) -> None:
        for mac, taken in notes.taken.items():
            if self._taken.get(mac) == taken:
                del self._taken[mac]
        for key, alarm in notes.alarms.items():
            if self._alarms.get(key) == alarm:
                del self._alarms[key]

    def _write_taken(self, connection: Connection, taken: dict[Mac, Taken]) -> None:
        if not taken:
            return
        rows = [{"mac": mac, **row._asdict()} for mac, row in taken.items()]
        statement = self._insert(first_fetch)
        # The other wire's process may have been quicker: of one opening the first address stays.
        update = {name: statement.excluded[name] for name in ("opened_at", "peer", "at")}
        is_newer = first_fetch.c.opened_at != statement.excluded.opened_at
        connection.execute(statement.on_conflict_do_update(index_elements=["mac"], set_=update, where=is_newer), rows)
        connection.execute(index_log.insert(), [{"mac": mac, "at": row.at} for mac, row in taken.items()])

    def _write_refused(self, connection: Connection, refused: Sequence[list[Fetch]]) -> None:
        if not refused:
            return
        statement = self._insert(bootstrap_refusal)
        update: dict[str, Any] = {name: statement.excluded[name] for name in ("reason", "at", "peer", "user_agent")}
        update["count"] = bootstrap_refusal.c.count + statement.excluded.count
        connection.execute(statement.on_conflict_do_update(index_elements=["mac"], set_=update), [_row(fetches) for fetches in refused])

    def _apart(self, connection: Connection, asked: dict[Mac, list[Fetch]]) -> tuple[list[list[Fetch]], list[dict[str, Any]]]:
        """Returns the requests that count, and who else named a MAC that somebody in a trusted network has: that changes nothing of it."""
        known = _newcomers(connection, list(asked))
        own, strangers = [], []
        for mac, fetches in asked.items():
            here = [fetch for fetch in fetches if self._trusts(fetch.peer)]
            before = [known[mac]] if mac in known else []
            has_place = bool(here) or any(self._trusts(peer) for peer, _ in before)
            if here or not has_place:
                own.append(here or fetches)
            beyond = [(peer, at) for peer, at in (*before, *((fetch.peer, fetch.at) for fetch in fetches)) if not self._trusts(peer)]
            if has_place and beyond:
                strangers.append({"which": mac, "who": stored(beyond[-1][0], 45), "when": beyond[-1][1]})
        return own, strangers

    def _write_newcomers(self, connection: Connection, asked: Sequence[list[Fetch]]) -> None:
        if not asked:
            return
        statement = self._insert(newcomer)
        update: dict[str, Any] = {name: statement.excluded[name] for name in ("peer", "user_agent", "transport", "at")}
        update["waits"] = sa.or_(newcomer.c.waits, statement.excluded.waits)  # its other files may well not be there
        update["count"] = newcomer.c.count + statement.excluded.count
        rows = [
            {**_asked(fetches), "transport": fetches[-1].transport, "waits": any(fetch.reason is Reason.WAITING for fetch in fetches)}
            for fetches in asked
        ]
        connection.execute(statement.on_conflict_do_update(index_elements=["mac"], set_=update), rows)
        newest = max(fetches[-1].at for fetches in asked)
        waits = sa.case((sa.and_(newcomer.c.waits, newcomer.c.at > newest - WAITS_S), 1), else_=0)
        surplus = sa.select(newcomer.c.mac).order_by(waits.desc(), newcomer.c.at.desc(), newcomer.c.mac).offset(NEWCOMERS)
        connection.execute(newcomer.delete().where(newcomer.c.mac.in_(surplus)))

    def _write_alarms(self, connection: Connection, alarms: Iterable[Alarm]) -> None:
        new = [found for found in alarms if not self._prolonged(connection, found)]
        if not new:
            return
        connection.execute(alarm_table.insert(), [{"part": self._part, **found._asdict()} for found in new])
        newest = connection.execute(sa.select(sa.func.max(alarm_table.c.id))).scalar() or 0
        connection.execute(alarm_table.delete().where(alarm_table.c.id <= newest - ALARMS))

    def _prolonged(self, connection: Connection, alarm: Alarm) -> bool:
        """Puts off the end of a scan that goes on; returns whether it is one that was written down."""
        if alarm.is_new:
            return False
        is_it = sa.and_(alarm_table.c.part == self._part, alarm_table.c.scope == alarm.scope, alarm_table.c.at == alarm.at)
        return bool(connection.execute(alarm_table.update().where(is_it).values(until=alarm.until)).rowcount)


_STRANGERS = (
    newcomer.update().where(newcomer.c.mac == sa.bindparam("which")).values(stranger=sa.bindparam("who"), stranger_at=sa.bindparam("when"))
)


def _by_mac(batch: Iterable[Fetch], reasons: frozenset[Reason]) -> dict[Mac, list[Fetch]]:
    """Returns the requests with one of these answers, and without a token, by their phone."""
    found: dict[Mac, list[Fetch]] = {}
    for fetch in batch:
        if fetch.mac is not None and fetch.reason in reasons and not fetch.epoch:
            found.setdefault(fetch.mac, []).append(fetch)
    return found


def _newcomers(connection: Connection, macs: Sequence[Mac]) -> dict[Mac, tuple[str, float]]:
    """Returns MAC -> address and time of those that are newcomers already."""
    found: dict[Mac, tuple[str, float]] = {}
    for start in range(0, len(macs), _CHUNK):
        query = sa.select(newcomer.c.mac, newcomer.c.peer, newcomer.c.at).where(newcomer.c.mac.in_(macs[start : start + _CHUNK]))
        found |= {Mac(row.mac): (row.peer, row.at) for row in connection.execute(query)}
    return found


def _known(connection: Connection, macs: set[Mac]) -> set[str]:
    wanted, known = sorted(macs), set()
    for start in range(0, len(wanted), _CHUNK):
        known |= set(connection.execute(sa.select(phone.c.mac).where(phone.c.mac.in_(wanted[start : start + _CHUNK]))).scalars())
    return known


def _row(fetches: list[Fetch]) -> dict[str, Any]:
    return {**_asked(fetches), "reason": str(fetches[-1].reason)}


def _asked(fetches: list[Fetch]) -> dict[str, Any]:
    last = fetches[-1]
    return {
        "mac": last.mac, "first_at": fetches[0].at, "at": last.at, "count": len(fetches),
        "peer": stored(last.peer, 45), "user_agent": stored(last.user_agent, 200),
    }  # fmt: skip
