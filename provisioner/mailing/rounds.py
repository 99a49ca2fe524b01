"""Rounds: what happened is gathered for everybody who wants it, and sent when it is due. Restartable: what was told is a number in a row.

Gathered is in memory, and bounded: the first ``SHOWN`` events of each recipient, and of the rest how many they are.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage

from provisioner.changes import Changes
from provisioner.changes.mail import URGENT
from provisioner.changes.webhooks import wants
from provisioner.db import DatabaseError
from provisioner.mailing.composing import SHOWN, Notice, composed
from provisioner.mailing.sending import MailServer, NotTaken, send
from provisioner.records import ChangeRecord
from provisioner.records_mail import MailRecipient
from provisioner.store import Store

log = logging.getLogger("provisioner.mail")

EVERY_S = 1.0
AFTER_FAULT_S = 30.0
BATCH = 500
GATHER_S = 20.0
"""What happens together comes in one message, the first of a storm too."""
OLDEST_S = 7 * 86_400.0
"""Nobody is told of what is longer ago: the mail server was away, or there was none."""
BACKOFF_S = (30.0, 60.0, 300.0, 900.0, 3600.0)
"""Pauses after the first, second, ... try; the last one from then on."""
URGENT_PAUSE_S = 60.0
URGENT_GAP_S = 5.0
"""Between two messages to one recipient, whatever they tell: a phone can dial faster than a mail server likes."""
_OF_SITES = ("site.", "window.")
"""Actions whose subject is a site."""
PASSED = 1000
"""Changes that are nobody's business, after which the position is kept all the same."""


@dataclass(slots=True)
class _Gathered:
    """What waits for one recipient. ``position`` is the last change that was looked at."""

    position: int
    revision: int
    events: list[ChangeRecord] = field(default_factory=list)
    more: int = 0
    since: float = 0.0
    tried_at: float = 0.0
    """When the server last did not take it."""

    @property
    def is_urgent(self) -> bool:
        return any(event.action in URGENT for event in self.events)

    def add(self, event: ChangeRecord, now: float) -> None:
        if not self.events:
            self.since = now
        if len(self.events) < SHOWN or (event.action in URGENT and len(self.events) < 2 * SHOWN):
            self.events.append(event)
        else:
            self.more += 1


class Mailing:
    """Tells people. One for each installation: it runs beside the one worker."""

    def __init__(
        self,
        store: Store,
        changes: Changes,
        server: MailServer,
        *,
        url: str = "",
        every_s: float = 900.0,
        sender: Callable[[MailServer, EmailMessage], None] = send,
    ) -> None:
        """``url`` is that of the pages, ``every_s`` how often one recipient hears of what is not urgent."""
        self._store = store
        self._changes = changes
        self._server = server
        self._url = url
        self._every_s = every_s
        self._send = sender
        self._gathered: dict[int, _Gathered] = {}

    def run(self, stop: threading.Event) -> None:
        """Does a round every second, until told to stop; an outage of the database is waited out, and a fault survived."""
        while not stop.is_set():
            busy = False
            try:
                busy = self.round()
            except DatabaseError as error:
                log.error("event=mail_waits error=%s", type(error).__name__)
            except Exception:  # a process loop: it tries again, and what is due stays due
                log.exception("event=mail_failed")
                stop.wait(AFTER_FAULT_S)
            if not busy:
                stop.wait(EVERY_S)

    def round(self) -> bool:
        """Gathers what happened and sends what is due, the urgent first; returns whether there is more to gather at once."""
        newest, recipients = self._store.newest_change(), [row for row in self._store.mail_recipients() if row.enabled]
        self._gathered = {row.id: self._of(row) for row in recipients}
        busy = sum(self._gather(row, newest) for row in recipients) > 0  # of each, not until the first
        now = self._changes.clock()
        due = [row for row in recipients if self._is_due(row, now)]
        due.sort(key=lambda row: not self._gathered[row.id].is_urgent)
        for row in due:
            if not self._tell(row):
                break
        return busy

    def _of(self, row: MailRecipient) -> _Gathered:
        """Returns what is gathered for somebody; anew where their row was changed, for they may want other things now."""
        there = self._gathered.get(row.id)
        return there if there is not None and there.revision == row.revision else _Gathered(row.position, row.revision)

    def _gather(self, row: MailRecipient, newest: int) -> bool:
        there, now = self._gathered[row.id], self._changes.clock()
        if there.position >= newest:
            return False
        events = self._store.changes_to_tell(there.position, since=now - OLDEST_S, limit=BATCH)
        for event in events:
            if wants(row.events, event.action) and (row.site is None or row.site in _sites_of(event)):
                there.add(event, now)
        there.position = events[-1].id if events else newest
        if not there.events and there.position - row.position >= PASSED:
            self._changes.note_mail_passed(row.id, there.position)
        return len(events) == BATCH

    def _is_due(self, row: MailRecipient, now: float) -> bool:
        there = self._gathered[row.id]
        if not there.events:
            return False
        if there.is_urgent:  # whatever pause the server has for what is not
            return _is_over(there.tried_at, URGENT_PAUSE_S, now) and _is_over(row.sent_at, URGENT_GAP_S, now)
        if row.due_at is not None and not _is_over(row.due_at - BACKOFF_S[-1], BACKOFF_S[-1], now):
            return False
        return _is_over(there.since, GATHER_S, now) and _is_over(row.sent_at, self._every_s, now)

    def _tell(self, row: MailRecipient) -> bool:
        """Sends what is gathered; returns whether the server is there for the next one."""
        there = self._gathered[row.id]
        message = composed(
            Notice(row.address, row.language, there.events, there.more), self._server.sender, self._url, self._changes.clock()
        )
        try:
            self._send(self._server, message)
        except NotTaken as error:
            self._failed(row, error, is_urgent=there.is_urgent)
            return not error.is_servers
        self._changes.note_mail(row.id, there.position)
        self._gathered[row.id] = _Gathered(there.position, there.revision)
        log.info("event=mail_sent recipient=%d events=%d", row.id, len(there.events) + there.more)
        return True

    def _failed(self, row: MailRecipient, error: NotTaken, *, is_urgent: bool) -> None:
        pause = BACKOFF_S[min(row.tries, len(BACKOFF_S) - 1)]
        self._gathered[row.id].tried_at = self._changes.clock()
        self._changes.note_mail_failed(row.id, str(error), min(pause, URGENT_PAUSE_S) if is_urgent else pause)
        log.warning("event=mail_not_sent recipient=%d try=%d error=%r", row.id, row.tries + 1, str(error))


def _is_over(began: float | None, pause_s: float, now: float) -> bool:
    """Returns whether a pause is over; also one that begins in the future, for then the clock was set back since."""
    return not 0 <= now - (began or 0.0) < pause_s


def _sites_of(event: ChangeRecord) -> set[str]:
    """Returns the sites that an event names: of a phone that moved both, of one that was taken off its last one."""
    states = [state for state in (event.before, event.after) if isinstance(state, dict)]
    named = {state["site"] for state in states if isinstance(state.get("site"), str)}
    return named | ({event.subject} if event.action.startswith(_OF_SITES) else set())
