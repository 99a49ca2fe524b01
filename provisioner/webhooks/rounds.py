"""Rounds: what changed is queued for every webhook that wants it, and what is due is sent. Restartable: all of its state is rows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from provisioner.changes import Changes
from provisioner.db import DatabaseError
from provisioner.errors import SecretError
from provisioner.records import Delivery
from provisioner.store import Store
from provisioner.webhooks.sending import Result, send

log = logging.getLogger("provisioner.webhooks")

EVERY_S = 1.0
AFTER_FAULT_S = 30.0
BACKOFF_S = (5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600)
"""Pauses after the first, second, ... try; after the last one it is given up."""
AT_ONCE = 4
"""Webhooks that are sent to at a time, one delivery of each: one that hangs holds up the others for ``TIMEOUT_S`` at the most."""


class Webhooks:
    """Sends what is due. One for each installation: it runs beside the one worker."""

    def __init__(self, store: Store, changes: Changes, allowed: Sequence[str], sender: Callable[..., Result] = send) -> None:
        self._store = store
        self._changes = changes
        self._allowed = tuple(allowed)
        self._send = sender

    def run(self, stop: threading.Event) -> None:
        """Does a round every second, until told to stop; an outage of the database is waited out, and a fault survived."""
        while not stop.is_set():
            try:
                busy = self.round()
            except DatabaseError as error:
                log.error("event=webhooks_wait error=%s", type(error).__name__)
                busy = 0
            except Exception:  # a process loop: it tries again, and what is due stays due
                log.exception("event=webhooks_failed")
                stop.wait(AFTER_FAULT_S)
                busy = 0
            if not busy:
                stop.wait(EVERY_S)

    def round(self) -> int:
        """Queues what changed and sends one due delivery of each webhook; returns how many were sent."""
        newest = self._store.newest_change()
        for hook in self._store.webhooks():
            if hook.enabled and hook.position < newest:
                self._changes.queue_deliveries(hook.name)
        due = self._store.due_deliveries(self._changes.clock())
        if due:
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
                list(pool.map(self._deliver, due))
        return len(due)

    def _deliver(self, delivery: Delivery) -> None:
        result = self._result(delivery)
        if result is None:
            return
        pause = None if result.is_taken or delivery.tries >= len(BACKOFF_S) else BACKOFF_S[delivery.tries]
        self._changes.note_delivery(delivery.id, taken=result.is_taken, status=result.status, error=result.error, pause_s=pause)
        if not result.is_taken:
            log.warning(
                "event=webhook_failed webhook=%s delivery=%d try=%d error=%r",
                delivery.webhook,
                delivery.id,
                delivery.tries + 1,
                result.error,
            )

    def _result(self, delivery: Delivery) -> Result | None:
        """Returns what comes of sending a delivery now; None where its webhook was removed meanwhile."""
        try:
            secret = self._store.webhook_secret(delivery.webhook)
        except SecretError as error:
            return Result(None, str(error))
        if secret is None:
            return None
        return self._send(delivery.url, secret, f"msg_{delivery.id}", delivery.body.encode(), self._changes.clock(), self._allowed)
