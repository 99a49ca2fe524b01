"""The worker's process."""

from __future__ import annotations

import logging
import os
import threading

from provisioner.bundled import recordings_folder
from provisioner.heartbeat import FOLDER, HAS_PBX
from provisioner.nodes import Presence, own_node
from provisioner.parts.running import Beating, die_with_parent, stop_on_signals
from provisioner.recordings import Recordings
from provisioner.settings import Settings
from provisioner.webhooks import Webhooks
from provisioner.wiring import open_installation
from provisioner.worker import Worker, call_log, pbx_backend
from provisioner.worker.backing_up import BackingUp
from provisioner.worker.calls import CallKeeping
from provisioner.worker.lease import Lease
from provisioner.worker.redirecting import Redirecting

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
    webhooks = Webhooks(installation.store, installation.changes, settings.webhook_networks)
    telling = threading.Thread(target=webhooks.run, args=(stop,), name="webhooks", daemon=True)
    telling.start()
    redirecting = Redirecting(installation.store, installation.changes, installation.changes.clock)
    threading.Thread(target=redirecting.run, args=(stop,), name="redirecting", daemon=True).start()
    keeping = CallKeeping(
        installation.store,
        call_log(settings),
        Recordings(recordings_folder(settings)),
        installation.changes.clock,
        calls_days=settings.calls_days,
        recordings_days=settings.recordings_days,
        recordings_mb=settings.recordings_mb,
    )
    threading.Thread(target=keeping.run, args=(stop,), name="calls", daemon=True).start()
    backing_up = BackingUp(installation.store, installation.changes, settings)
    threading.Thread(target=backing_up.run, args=(stop,), name="backing-up", daemon=True).start()
    try:
        worker.run(stop, beating, lease.is_held)
    finally:
        lease.release()
        beating.forget()
