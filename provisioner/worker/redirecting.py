"""Does what was asked of redirect services, on a thread of its own: a service on the internet may take its time, the PBX may not wait.

The state of a phone there is kept apart from what it fetched and whether it is registered with the PBX: that a service has it says nothing
about either. Phones that were taken off the list are taken off their service as well, from a queue that outlives them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple

from provisioner.changes.redirects import RedirectWrites
from provisioner.core.mac import Mac
from provisioner.records_install import RedirectAccount, RedirectRecord, RedirectRemoval
from provisioner.redirect import Away, RedirectService, Refused, open_service
from provisioner.store import Store

log = logging.getLogger("provisioner.redirect")

LOOK_S = 2.0
AT_ONCE = 20
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 6 * 3600.0
GIVEN_UP_S = 30 * 24 * 3600.0
"""How long a service that does not answer is asked to forget a phone; nobody looks at that phone any more."""
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
"""What a client may stumble over in JSON of another shape than any document has."""
Opening = Callable[[str, str, Mapping[str, str]], RedirectService]


class Outcome(NamedTuple):
    """What a try came to. ``wait_s`` None: it is not tried again."""

    state: str
    reason: str = ""
    wait_s: float | None = None


class Redirecting:
    """One worker's dealings with all redirect services. Accounts are read when they are needed, and again when they changed."""

    def __init__(self, store: Store, writes: RedirectWrites, clock: Callable[[], float], opening: Opening = open_service) -> None:
        self._store = store
        self._writes = writes
        self._clock = clock
        self._opening = opening
        self._open: dict[str, tuple[RedirectAccount, RedirectService]] = {}

    def run(self, stop: threading.Event) -> None:
        """Steps every few seconds until ``stop``; survives a database that is away."""
        while not stop.wait(LOOK_S):
            try:
                self.step()
            except Exception:  # a process loop: it tries again, and what is open stays open
                log.exception("event=redirect_failed")
                stop.wait(30.0)

    def step(self) -> int:
        """Asks for what is due; returns how much that was. A phone that left the list while it was registered is thus taken off behind it."""
        due = self._store.redirects_due(self._clock(), AT_ONCE)
        for record in due:
            self._try(record)
        leaving = self._store.redirect_removals_due(self._clock(), AT_ONCE)
        for removal in leaving:
            self._remove(removal)
        return len(due) + len(leaving)

    def _try(self, record: RedirectRecord) -> None:
        def ask() -> None:
            service = self._service(self._vendor_of(record.mac))
            if record.wanted:
                service.register(record.mac, record.url, record.serial)
            else:
                service.unregister(record.mac)

        came = self._outcome(record.mac, record.tries, ask, "registered" if record.wanted else "none")
        self._writes.note_redirect(record, came.state, came.reason, self._due(came))

    def _remove(self, removal: RedirectRemoval) -> None:
        if self._store.redirect_removal(removal.mac) != removal:  # others were asked before it: the phone may be registered again since
            return
        came = self._outcome(removal.mac, removal.tries, lambda: self._forget(removal), "none")
        if came.wait_s is not None and self._clock() + came.wait_s > removal.asked_at + GIVEN_UP_S:
            days = round(GIVEN_UP_S / 86_400)
            came = Outcome("refused", f"given up after {days} days; at last: {came.reason}")
        self._writes.note_redirect_removal(removal, came.state, came.reason, self._due(came))

    def _forget(self, removal: RedirectRemoval) -> None:
        """Ensures that the service has the phone no more; what it refuses to forget it may never have had."""
        service = self._service(removal.vendor)
        try:
            service.unregister(removal.mac)
        except Refused:
            if service.is_registered(removal.mac):
                raise

    def _outcome(self, mac: Mac, tries: int, ask: Callable[[], None], done: str) -> Outcome:
        try:
            ask()
        except Refused as error:
            log.warning("event=redirect_refused mac=%s detail=%s", mac, error)
            return Outcome("refused", str(error))
        except Away as error:
            return Outcome("asked", str(error), _patience_s(tries))
        except UNREADABLE as error:
            log.warning("event=redirect_unreadable mac=%s detail=%s", mac, type(error).__name__)
            return Outcome("asked", "the service's answer has another form than is known", _patience_s(tries))
        return Outcome(done)

    def _due(self, came: Outcome) -> float | None:
        return None if came.wait_s is None else self._clock() + came.wait_s

    def _vendor_of(self, mac: Mac) -> str:
        phone = self._store.phone(mac)
        return phone.model.partition("/")[0] if phone else ""

    def _service(self, name: str) -> RedirectService:
        vendor = self._store.catalogue.vendors.get(name)
        facts = vendor.redirect if vendor else None
        account = self._store.redirect_account(vendor.id) if vendor else None
        if vendor is None or facts is None or account is None:
            raise Refused("there is no account for this maker's redirect service: set one, then ask again")
        known = self._open.get(vendor.id)
        if known is None or known[0] != account:
            known = self._open[vendor.id] = (account, self._opening(facts.service, account.address, account.fields))
        return known[1]


def _patience_s(tries: int) -> float:
    return float(min(FIRST_WAIT_S * 2 ** min(tries, 16), LONGEST_WAIT_S))
