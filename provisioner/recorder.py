"""Keeps what phones did: every fetch, every sighting, what was last served, which first fetches are done.

One bounded queue, emptied in batches by a thread of its own: a request costs an append. What does not fit is dropped and counted; what
lockstep rests on (served hashes, successes) is kept apart, one entry a phone and file, and is never dropped.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TextIO, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.bootstrap_notes import BootstrapNotes
from provisioner.core.catalogue import Catalogue, parse_user_agent
from provisioner.core.flood import Alarm
from provisioner.core.identify import PathReader, identify
from provisioner.core.mac import Mac
from provisioner.core.sightings import GUESSED, PROVEN, SHOWN, Fact, Observation, fact, stored
from provisioner.core.values import Fetch, Reason
from provisioner.db import Database
from provisioner.models import fetch as fetch_table
from provisioner.models import index_log, phone
from provisioner.models_install import install_link
from provisioner.records_install import InstallLink
from provisioner.seen import SightingWriter

log = logging.getLogger("provisioner.recorder")

QUEUE = 100_000
"""Fetches waiting to be written: ten thousand phones with their ten requests each."""
BEHIND_S = 30
"""Seconds that two processes which record may be apart in what they have written."""
FLUSH_S = 0.1
STORM = 100
"""Requests in ``FLUSH_S``: while more come, writing waits, for phones wait for the same processor."""
PUT_OFF_S = 5.0
"""And the longest that it waits: so much of the log, not of a change, is lost with a process that is killed."""
BATCH = 2_000
"""Rows a flush: short enough that a change waits for milliseconds."""
PAUSE_S = 0.005
TRIM_EVERY_S = 60.0
_SAFE = re.compile(r"[^\x21-\x7e]")
_SINCE = (
    "CASE WHEN served_file.sha256 = excluded.sha256 AND served_file.since <= excluded.since THEN served_file.since ELSE excluded.since END"
)
"""Bytes that a phone has already are not new to it when it asks for them again, unless it got others in between."""
_Last = tuple[str, float, float, bool]
"""The hash of a file's bytes, since when the phone has them, when they last went out, and whether others went out in between."""
_Served = dict[tuple[Mac, str], _Last]
"""(MAC, file) -> what went out."""
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError)
"""The database cannot be reached, is busy or full: the same rows may succeed later."""
_SEEN = frozenset(
    {Reason.UNKNOWN_PHONE, Reason.DISABLED, Reason.CONFLICT, Reason.NOT_A_PHONE, Reason.UNPROVEN, Reason.BOOTSTRAP_CLOSED, Reason.WAITING}
)


@dataclass(slots=True)
class _Unsaved:
    """What lockstep rests on and is not yet written: of the recorder's thread alone, and kept where the database is away."""

    served: _Served = field(default_factory=dict)
    successes: dict[Mac, tuple[int, float]] = field(default_factory=dict)
    installs: dict[Mac, InstallLink] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.served or self.successes or self.installs)

    def serve(self, file: tuple[Mac, str], last: _Last) -> None:
        """Takes what went out after what is kept of the same file."""
        sha256, since, at, is_anew = last
        kept = self.served.get(file)
        if kept is None:
            self.served[file] = last
        elif kept[0] == sha256 and not is_anew:
            self.served[file] = (sha256, kept[1], at, kept[3])
        else:
            self.served[file] = (sha256, since, at, True)


class Recorder:
    """The recorder of one serving process. ``fetch`` and ``success`` are called by the serving thread and never block."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        *,
        fetch_rows: int,
        sighting_rows: int,
        access_log: TextIO | None = None,
        clock: Callable[[], float] = time.time,
        part: str = "",
        trusts: Callable[[str], bool] = lambda peer: True,
    ) -> None:
        """``trusts`` says whether an address is in a trusted network of any site; who is not changes nothing that others in one said."""
        self._database = database
        self._catalogue = catalogue
        self._paths = PathReader(catalogue)
        self._sightings = SightingWriter(catalogue, is_sqlite=database.is_sqlite, trusts=trusts)
        self._fetch_rows = fetch_rows
        self._sighting_rows = sighting_rows
        self._log = access_log if access_log is not None else sys.stdout
        self._clock = clock
        self._trusts = trusts
        self._bootstrap = BootstrapNotes(database, part, trusts)
        self._queue: deque[Fetch] = deque()
        self._unwritten: deque[Fetch] = deque()
        self._served: _Served = {}
        self._successes: dict[Mac, tuple[int, float]] = {}
        self._installs: dict[Mac, InstallLink] = {}
        self._unsaved = _Unsaved()
        # By the driver itself: a storm writes thousands of rows a second, and binding them by name costs more than storing them.
        self._insert_fetch = _insert_sql("fetch", _FETCH_COLUMNS, database.is_sqlite)
        self._upsert_served_sql = _upsert_sql(_SINCE, database.is_sqlite)
        self._upsert_anew_sql = _upsert_sql("excluded.since", database.is_sqlite)
        self._trim_at = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.counters: Counter[str] = Counter()

    def fetch(self, fetch: Fetch) -> None:
        """Takes a finished request; drops and counts it where the queue is full."""
        if len(self._queue) >= QUEUE:
            self.counters["dropped"] += 1
        else:
            self._queue.append(fetch)
        # A look at the headers is not the file: only GET counts as served.
        if fetch.mac is not None and fetch.sha256 and fetch.method == "GET" and fetch.reason in (Reason.SERVED, Reason.NOT_MODIFIED):
            before = self._served.get((fetch.mac, fetch.name))
            if before is None:
                last = (fetch.sha256, fetch.at, fetch.at, False)
            elif before[0] == fetch.sha256:
                last = (fetch.sha256, before[1], fetch.at, before[3])
            else:
                last = (fetch.sha256, fetch.at, fetch.at, True)
            self._served[fetch.mac, fetch.name] = last

    def success(self, mac: Mac, epoch: int, at: float) -> None:
        """Takes the first success of a phone at its own address."""
        self._successes[mac] = (epoch, at)

    def taken(self, mac: Mac, opened_at: float, peer: str, at: float) -> None:
        """Takes that a first fetch went to ``peer``, and so to nobody else until it is opened again."""
        self._bootstrap.taken(mac, opened_at, peer, at)

    def alarm(self, alarm: Alarm) -> None:
        """Takes a scan for MACs that was noticed, which is counted and logged, or that goes on, which is not."""
        if alarm.is_new:
            self.counters["alarms"] += 1
            log.warning(
                "event=mac_scan kind=%s scope=%s macs=%d frozen_s=%.0f", alarm.kind, alarm.scope, alarm.macs, alarm.until - alarm.at
            )
        self._bootstrap.alarm(alarm)

    def install(self, mac: Mac, link: InstallLink) -> None:
        """Takes what became of a phone's install link."""
        self._installs[mac] = link

    def start(self) -> None:
        """Starts the writing thread."""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left and ends the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        while self._is_waiting:
            if not self.flush():
                break

    @property
    def _is_waiting(self) -> bool:
        fresh = self._queue or self._served or self._successes or self._installs
        return bool(fresh or self._unwritten or self._unsaved or self._bootstrap.waiting)

    def _run(self) -> None:
        waiting, flush_by = 0, 0.0
        while not self._stop.wait(FLUSH_S):
            before, waiting, now = waiting, len(self._queue), time.monotonic()
            if waiting - before > STORM and waiting < QUEUE // 2 and now < flush_by:
                continue
            flush_by = now + PUT_OFF_S
            try:
                while self.flush() and self._has_more and not self._stop.wait(PAUSE_S):
                    pass
            except Exception:  # a process loop: what went wrong with one batch must not end the record of all others
                self.counters["failed_flushes"] += 1
                log.exception("event=record_failed")
            waiting = len(self._queue)

    @property
    def _has_more(self) -> bool:
        return len(self._unwritten) + len(self._queue) >= BATCH // 4

    def flush(self) -> bool:
        """Writes one batch; returns whether it could. What could not be written is tried again with the next."""
        self._take()
        batch = [self._unwritten.popleft() for _ in range(min(BATCH, len(self._unwritten)))]
        unsaved = self._unsaved
        if not (batch or unsaved or self._bootstrap.waiting):
            return True
        try:
            with self._database.write() as connection:
                self._write(connection, batch, unsaved)
                notes = self._bootstrap.write(connection, batch)
                self._write_installs(connection, unsaved.installs)
        except Exception as error:  # noqa: BLE001 - whatever it was: what lockstep rests on must not be lost with it
            # Rows that the database refuses for what they hold would be refused for ever, and hold up all others.
            kept = batch if isinstance(error, _AWAY) else []
            self.counters["dropped"] += len(batch) - len(kept)
            self._unwritten.extendleft(reversed(kept))
            self.counters["failed_flushes"] += 1
            log.error("event=record_failed detail=%s waiting=%d", type(error).__name__, len(self._unwritten))
            return False
        self._unsaved = _Unsaved()
        self._bootstrap.written(notes)
        self.counters["written"] += len(batch)
        return True

    def _take(self) -> None:
        """Moves what has arrived to the log and to what is not yet written; rows as far as these have room."""
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH))]
        for reason, count in Counter(fetch.reason for fetch in taken).items():
            self.counters[f"reason_{reason}"] += count
        if taken:
            self._write_log("".join(access_line(fetch) for fetch in taken))
        room = QUEUE - len(self._unwritten)
        if len(taken) > room:
            self.counters["dropped"] += len(taken) - room
        self._unwritten.extend(taken[:room])
        for file, last in _drained(self._served):
            self._unsaved.serve(file, last)
        self._unsaved.successes.update(_drained(self._successes))
        self._unsaved.installs.update(_drained(self._installs))

    def _write_log(self, lines: str) -> None:
        """Writes to the access log; one that is full or gone is counted and said once, and costs no row."""
        try:
            self._log.write(lines)
            self._log.flush()
        except (OSError, ValueError) as error:
            if not self.counters["failed_log_writes"]:
                log.error("event=access_log_failed detail=%s", type(error).__name__)
            self.counters["failed_log_writes"] += 1

    def _write(self, connection: Connection, batch: list[Fetch], unsaved: _Unsaved) -> None:
        if batch:
            connection.exec_driver_sql(self._insert_fetch, [_row(fetch) for fetch in batch])
            self._sight(connection, batch)
        if unsaved.served:
            self._upsert_served(connection, unsaved.served)
        for mac, (epoch, at) in unsaved.successes.items():
            # A first fetch that was opened again since, or a phone that was listed anew, is not closed by what came before.
            first = sa.case((phone.c.opened_at <= at, sa.func.coalesce(phone.c.first_success_at, at)), else_=phone.c.first_success_at)
            here = sa.and_(phone.c.mac == mac, phone.c.token_epoch >= epoch)
            connection.execute(phone.update().where(here).values(first_success_at=first, token_floor=_greatest(epoch)))
            connection.execute(index_log.insert().values(mac=mac, at=at))
        if time.monotonic() >= self._trim_at:
            self._trim_at = time.monotonic() + TRIM_EVERY_S
            self._trim(connection)

    def _write_installs(self, connection: Connection, installs: dict[Mac, InstallLink]) -> None:
        """Writes what became of links; whichever process came first is the one whose address counts."""
        for mac, link in installs.items():
            here = sa.and_(install_link.c.mac == mac, install_link.c.digest == link.digest)
            started = {"started_at": link.started_at, "peer": link.peer}
            connection.execute(install_link.update().where(here, install_link.c.started_at.is_(None)).values(**started))
            if link.closed_at is not None:
                connection.execute(install_link.update().where(here).values(closed_at=link.closed_at))
            connection.execute(index_log.insert().values(mac=mac, at=self._clock()))

    def _upsert_served(self, connection: Connection, served: _Served) -> None:
        known = set()
        macs = sorted({mac for mac, _ in served})
        for start in range(0, len(macs), 400):
            known |= set(connection.execute(sa.select(phone.c.mac).where(phone.c.mac.in_(macs[start : start + 400]))).scalars())
        for statement, anew in ((self._upsert_served_sql, False), (self._upsert_anew_sql, True)):
            rows = [(mac, name, *last[:3]) for (mac, name), last in served.items() if last[3] is anew and mac in known]
            if rows:
                connection.exec_driver_sql(statement, rows)

    def _sight(self, connection: Connection, batch: Iterable[Fetch]) -> None:
        """Notes phones that are not listed, and listed ones whose evidence does not fit: one row a MAC."""
        seen: dict[tuple[Mac, bool], list[Fetch]] = {}
        for fetch in batch:
            if fetch.mac is not None and fetch.reason in _SEEN:
                seen.setdefault((fetch.mac, self._trusts(fetch.peer)), []).append(fetch)
        self._sightings.write(connection, [self._observation(mac, fetches) for (mac, _), fetches in seen.items()])

    def _observation(self, mac: Mac, fetches: list[Fetch]) -> Observation:
        last = fetches[-1]
        agents = (parse_user_agent(self._catalogue, fetch.user_agent) for fetch in reversed(fetches))
        agent = next((found for found in agents if found), None)
        who = identify(self._catalogue, self._paths.parse(last.path), None, agent)
        refused = next((str(fetch.reason) for fetch in reversed(fetches) if fetch.reason in (Reason.CONFLICT, Reason.NOT_A_PHONE)), "")
        believed = SHOWN if agent else GUESSED
        facts = (
            *fact("vendor", who.vendor, believed),
            *fact("model", who.model, believed),
            *fact("firmware", agent.version if agent else None, believed),
            *fact("address", last.peer, PROVEN),
            *fact("path", last.path, SHOWN),
            *fact("user_agent", last.user_agent, SHOWN),
            Fact("refused", refused, SHOWN),  # said even where it is nothing: it takes the place of what was said before
        )
        return Observation(mac, "fetch", last.at, facts, fetches[0].at, len(fetches))

    def _trim(self, connection: Connection) -> None:
        """Forgets the oldest fetches, sightings and index entries over their bounds."""
        newest = connection.execute(sa.select(sa.func.max(fetch_table.c.id))).scalar() or 0
        connection.execute(fetch_table.delete().where(fetch_table.c.id <= newest - self._fetch_rows))
        self._sightings.trim(connection, self._sighting_rows, self._clock())
        newest = connection.execute(sa.select(sa.func.max(index_log.c.id))).scalar() or 0  # stays: by it others see what they missed
        connection.execute(index_log.delete().where(index_log.c.at < self._clock() - 3600, index_log.c.id < newest))


def access_line(fetch: Fetch) -> str:
    """Returns the one line of a request in the access log. Whatever a stranger sent is escaped; tokens are masked already."""
    at, path, transport, peer, agent, method, reason, mac, name, sha256, sent, took_ms, _ = fetch
    return (
        f"at={at:.3f} reason={_REASONS[reason]} mac={mac or '-'} file={_shown(name or path)} transport={transport} peer={_shown_again(peer)}"
        f" method={method} bytes={sent} ms={took_ms:.1f} sha={sha256[:12] or '-'} ua={_shown_again(agent)}\n"
    )


def _shown(text: str) -> str:
    text = text[:160]
    if text.isascii() and text.isprintable():
        return text.replace(" ", "_") or "-"
    return _SAFE.sub(lambda match: "_" if match[0] == " " else "?", text)


# Addresses and User-Agents come again with each request of a phone.
_shown_again = lru_cache(maxsize=4096)(_shown)
_stored_again = lru_cache(maxsize=4096)(stored)
_REASONS = {reason: reason.value for reason in Reason}


def _greatest(epoch: int) -> Any:
    return sa.case((phone.c.token_floor < epoch, epoch), else_=phone.c.token_floor)


_FETCH_COLUMNS = (
    "at", "mac", "name", "transport", "peer", "user_agent", "method", "reason", "sha256", "bytes", "duration_ms",
)  # fmt: skip


def _insert_sql(table: str, columns: Sequence[str], is_sqlite: bool) -> str:
    marks = ", ".join(["?" if is_sqlite else "%s"] * len(columns))
    # In quotes: "fetch" is a word of SQL to PostgreSQL.
    return f'INSERT INTO "{table}" ({", ".join(columns)}) VALUES ({marks})'  # noqa: S608 - names of ours


def _upsert_sql(since: str, is_sqlite: bool) -> str:
    # The other wire's process may have been quicker to write: only what is newer counts. What is newer by more than any process
    # is ever behind was written before the clock was set back, and counts no more.
    return (
        _insert_sql("served_file", ("mac", "name", "sha256", "since", "at"), is_sqlite)
        + f" ON CONFLICT (mac, name) DO UPDATE SET sha256 = excluded.sha256, since = {since}, at = excluded.at"
        + f" WHERE served_file.at <= excluded.at OR served_file.at > excluded.at + {BEHIND_S}"
    )


def _drained(fresh: dict[_Key, _Value]) -> Iterator[tuple[_Key, _Value]]:
    """Yields what is in ``fresh``, taken out entry by entry: the same dict stays, for another thread puts into it meanwhile."""
    for _ in range(len(fresh)):
        yield fresh.popitem()


def _row(fetch: Fetch) -> tuple[Any, ...]:
    """Returns the values of ``_FETCH_COLUMNS``."""
    at, path, transport, peer, agent, method, reason, mac, name, sha256, sent, took_ms, _ = fetch
    return (
        at, mac, stored(name or path, 255), transport, _stored_again(peer, 45), _stored_again(agent, 200), method[:8], _REASONS[reason],
        sha256, sent, took_ms,
    )  # fmt: skip
