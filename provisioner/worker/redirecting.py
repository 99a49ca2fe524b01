"""Does what was asked of redirect services, on a thread of its own: a service on the internet may take its time, the PBX may not wait.

The state of a phone there is kept apart from what it fetched and whether it is registered with the PBX: that a service has it says nothing
about either.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from provisioner.changes.redirects import RedirectWrites
from provisioner.records_install import RedirectAccount, RedirectRecord
from provisioner.redirect import Away, RedirectService, Refused, open_service
from provisioner.store import Store

log = logging.getLogger("provisioner.redirect")

LOOK_S = 2.0
AT_ONCE = 20
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 6 * 3600.0
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
"""What a client may stumble over in JSON of another shape than any document has."""
Opening = Callable[[str, str, Mapping[str, str]], RedirectService]


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
        """Asks for what is due; returns how much that was."""
        due = self._store.redirects_due(self._clock(), AT_ONCE)
        for record in due:
            self._try(record)
        return len(due)

    def _try(self, record: RedirectRecord) -> None:
        try:
            service = self._service(record)
            if record.wanted:
                service.register(record.mac, record.url, record.serial)
            else:
                service.unregister(record.mac)
        except Refused as error:
            log.warning("event=redirect_refused mac=%s detail=%s", record.mac, error)
            self._writes.note_redirect(record, "refused", str(error), None)
        except Away as error:
            self._later(record, str(error))
        except UNREADABLE as error:
            log.warning("event=redirect_unreadable mac=%s detail=%s", record.mac, type(error).__name__)
            self._later(record, "the service's answer has another form than is known")
        else:
            self._writes.note_redirect(record, "registered" if record.wanted else "none", "", None)

    def _later(self, record: RedirectRecord, reason: str) -> None:
        wait_s = min(FIRST_WAIT_S * 2 ** min(record.tries, 16), LONGEST_WAIT_S)
        self._writes.note_redirect(record, "asked", reason, self._clock() + wait_s)

    def _service(self, record: RedirectRecord) -> RedirectService:
        phone = self._store.phone(record.mac)
        vendor = self._store.catalogue.vendors.get(phone.model.partition("/")[0]) if phone else None
        facts = vendor.redirect if vendor else None
        account = self._store.redirect_account(vendor.id) if vendor else None
        if vendor is None or facts is None or account is None:
            raise Refused("there is no account for this maker's redirect service: set one, then ask again")
        known = self._open.get(vendor.id)
        if known is None or known[0] != account:
            known = self._open[vendor.id] = (account, self._opening(facts.service, account.address, account.fields))
        return known[1]
