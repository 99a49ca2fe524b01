"""The worker's process."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial

from provisioner.bundled import recordings_folder
from provisioner.heartbeat import FOLDER, HAS_PBX
from provisioner.mailing import Mailing, mail_server
from provisioner.nodes import Presence, own_node
from provisioner.parts.certificate import ends_at
from provisioner.parts.running import Beating, die_with_parent, stop_on_signals
from provisioner.recordings import Recordings
from provisioner.settings import Settings
from provisioner.webhooks import Webhooks
from provisioner.wiring import Installation, open_installation
from provisioner.worker import Worker, call_log, pbx_backend
from provisioner.worker.backing_up import BackingUp
from provisioner.worker.calls import CallKeeping
from provisioner.worker.lease import Lease
from provisioner.worker.redirecting import Redirecting
from provisioner.worker.timekeeping import boot_time
from provisioner.worker.troubles import Troubles

log = logging.getLogger("provisioner.parts")

NICER = 5
"""How far the worker stands back: rendering ten thousand phones must not slow those that ask meanwhile (nice(2))."""


def run_worker(settings: Settings) -> None:
    """Drains changes until told to stop; waits while another process holds the lease."""
    die_with_parent()
    os.nice(NICER)
    stop = threading.Event()
    stop_on_signals(stop)
    installation = open_installation(settings)
    lease = Lease(installation.database, settings.data_dir / FOLDER)
    worker = Worker(installation.store, installation.renderer, pbx_backend(settings), rotation_s=settings.rotation_hours * 3600.0)
    beating = Beating(settings, "worker", lambda: {HAS_PBX: float(settings.has_pbx), **worker.counters})
    Presence(installation.database, own_node(settings, installation.catalogue)).start(stop)
    while not lease.acquire():
        beating(True, "another worker holds the lease")
        if stop.wait(1.0):
            return
    for name, run in _beside(installation, settings, worker):
        threading.Thread(target=run, args=(stop,), name=name, daemon=True).start()
    try:
        worker.run(stop, beating, lease.is_held)
    finally:
        lease.release()
        beating.forget()


def _beside(installation: Installation, settings: Settings, worker: Worker) -> Iterator[tuple[str, Callable[[threading.Event], None]]]:
    """Yields what runs beside the worker, each on a thread of its own."""
    store, changes, clock = installation.store, installation.changes, installation.changes.clock
    yield "webhooks", Webhooks(store, changes, settings.webhook_networks).run
    if (server := mail_server(settings)) is not None:
        yield "mail", Mailing(store, changes, server, url=settings.admin_url, every_s=settings.mail_minutes * 60.0).run
    yield "redirecting", Redirecting(store, changes, clock).run
    yield "calls", _call_keeping(installation, settings, worker).run
    yield "backing-up", BackingUp(store, changes, settings).run
    is_pbx_up = None if worker.pushing is None else partial(getattr, worker.pushing, "is_up")
    yield "troubles", Troubles(store, changes, settings, is_pbx_up, partial(ends_at, settings), clock, boot_time).run


def _call_keeping(installation: Installation, settings: Settings, worker: Worker) -> CallKeeping:
    return CallKeeping(
        installation.store,
        call_log(settings),
        Recordings(recordings_folder(settings)),
        installation.changes.clock,
        calls_days=settings.calls_days,
        recordings_days=settings.recordings_days,
        recordings_mb=settings.recordings_mb,
        ended=worker.lockstep.emergencies.ended if worker.lockstep else lambda _: None,
    )
