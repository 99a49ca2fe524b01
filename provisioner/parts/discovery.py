"""The discovery process: opens its sockets, gives its rights away, hears, and scans what it is asked to."""

from __future__ import annotations

import ctypes
import logging
import threading
from typing import TYPE_CHECKING

from provisioner.db import Database
from provisioner.heartbeat import own_folder
from provisioner.parts.running import Beating, die_with_parent, stop_on_signals
from provisioner.scans import ScanWriter
from provisioner.settings import Settings
from provisioner.wiring import Installation, open_installation

if TYPE_CHECKING:
    from provisioner.discovery.keeping import Keeper
    from provisioner.discovery.listening import Listening
    from provisioner.discovery.scanning import Scanning

log = logging.getLogger("provisioner.parts")


def run_discovery(settings: Settings) -> None:
    """Finds phones until told to stop. What needs a right that is missing is off, and the heartbeat says so."""
    die_with_parent()
    stop = threading.Event()
    stop_on_signals(stop)
    installation = open_installation(settings)
    keeper, listening, scanning = _opened(settings, installation)
    ctypes.CDLL(None).malloc_trim(0)  # gives back what scapy's tables took while they were read: 8 MB
    _drop_rights(settings, installation.database)
    keeper.start()
    scanning.start()
    beating = Beating(settings, "discovery", lambda: {**keeper.counters, **listening.counters})
    log.info("event=listening part=discovery detail='%s'", listening.detail)
    try:
        while not stop.is_set():
            listening.step()
            beating(True, listening.detail)
    finally:
        scanning.stop()
        listening.close()
        keeper.stop()
        beating.forget()


def _drop_rights(settings: Settings, database: Database) -> None:
    from provisioner.discovery.rights import drop_rights

    folder = own_folder(settings.data_dir)
    why = drop_rights(settings.data_dir, [folder, *database.files])
    if why:
        log.warning("event=stays_root detail='%s' mend='give the folder and all in it to that user (chown -R)'", why)
    die_with_parent()  # said once more: the kernel forgets it where a process becomes another user


def _opened(settings: Settings, installation: Installation) -> tuple[Keeper, Listening, Scanning]:
    """Returns the process's objects, with every socket open that will be needed."""
    from provisioner.discovery.keeping import Keeper
    from provisioner.discovery.listening import Listening
    from provisioner.discovery.scanner import Scanner
    from provisioner.discovery.scanning import Scanning
    from provisioner.discovery.source import Surroundings
    from provisioner.discovery.sources import sources
    from provisioner.discovery.wire import may_capture

    around = Surroundings(installation.catalogue, may_capture(), settings.discovery_interfaces)
    observations = Database(settings.database, durable=False)
    keeper = Keeper(observations, installation.catalogue, most=settings.sightings)
    listening = Listening(sources(settings, installation.store, around), keeper.take)
    scanning = Scanning(installation.store, ScanWriter(observations), Scanner(around), keeper.take, before_end=keeper.settle)
    return keeper, listening, scanning
