"""What the serving parts share: index, recorder and server, built once for each process."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from provisioner.db import Database
from provisioner.digest import PhoneCredentials
from provisioner.nodes import Presence, own_node
from provisioner.parts.running import Beating
from provisioner.recorder import Recorder
from provisioner.serve import Server
from provisioner.serving_index import ServingIndex
from provisioner.settings import Settings
from provisioner.uploads import UploadWriter
from provisioner.waiting_room import WaitingFiles
from provisioner.wiring import Installation, open_installation

SWITCH_S = 0.001
"""The longest that the thread which serves waits for the one which records: after each call of the kernel it may have to."""


@dataclass(frozen=True)
class Serving:
    """A serving process, loaded; ``start`` begins to follow changes and to record."""

    installation: Installation
    index: ServingIndex
    recorder: Recorder
    server: Server
    credentials: PhoneCredentials
    uploads: UploadWriter
    stop: threading.Event
    beating: Beating

    def start(self) -> None:
        """Begins to follow changes and to record."""
        gc.collect()
        gc.freeze()  # what was loaded stays; a storm's queue would otherwise make the collector look at all of it again and again
        gc.set_threshold(100_000, 20, 100)
        sys.setswitchinterval(SWITCH_S)
        self.recorder.start()
        Presence(self.installation.database, own_node(self.installation.settings, self.installation.catalogue)).start(self.stop)
        threading.Thread(target=self.index.follow, args=(self.stop, self.beating), name="index", daemon=True).start()

    def close(self) -> None:
        """Writes what was recorded and lets go of the database."""
        self.stop.set()
        self.recorder.stop()
        self.beating.forget()


def open_serving(settings: Settings, part: str) -> Serving:
    """Returns a serving process's objects, its index loaded."""
    installation = open_installation(settings)
    observations = Database(settings.database, durable=False)
    cache_bytes = settings.cache_mb << 20
    index = ServingIndex(installation.store, cache_bytes // 4 if part == "tftp" else cache_bytes)
    index.load()
    recorder = Recorder(
        observations,
        installation.catalogue,
        fetch_rows=settings.fetch_log_rows,
        sighting_rows=settings.sightings,
        part=part,
        trusts=lambda peer: index.places.site_of(peer) is not None,
    )
    credentials = PhoneCredentials(installation.box)
    server = Server(
        catalogue=installation.catalogue,
        store=installation.store,
        box=installation.box,
        index=index,
        renderer=installation.renderer,
        recording=recorder,
        static_root=settings.tftp_root,
        first_fetch_s=settings.first_fetch_hours * 3600,
        check_credentials=credentials,
        waiting=WaitingFiles(installation.store, index, installation.renderer, is_open=settings.has_waiting_room),
    )

    def counters() -> Mapping[str, float]:
        return {name: float(count) for name, count in recorder.counters.items()} | {"phones": float(len(index.phones))}

    beating = Beating(settings, part, counters)
    return Serving(installation, index, recorder, server, credentials, UploadWriter(installation.store), threading.Event(), beating)
