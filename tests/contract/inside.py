"""The serving side inside the test's own process, without listeners and with a clock that the test moves."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.core.values import Fetch, FileAnswer, FileRequest, Method, Reason, Transport
from provisioner.db import Database
from provisioner.digest import PhoneCredentials
from provisioner.nonces import Nonces
from provisioner.recorder import Recorder
from provisioner.serve import Server
from provisioner.serving_index import ServingIndex
from provisioner.settings import ROOT
from provisioner.uploads import UploadWriter
from provisioner.waiting_room import WaitingFiles
from provisioner.wiring import Installation
from provisioner.worker import Worker
from tests.contract.world import OUIS, OWN_NAME, Phone
from tests.engines import Clock
from tests.installations import timed_installation

LOCAL, ELSEWHERE = "192.168.1.20", "198.51.100.7"
NETWORKS = ("192.168.0.0/16",)
_numbers = count(0x100)


@dataclass
class Inside:
    """An installation and one serving process's objects."""

    installation: Installation
    clock: Clock
    index: ServingIndex
    recorder: Recorder
    server: Server
    credentials: PhoneCredentials
    uploads: UploadWriter
    worker: Worker
    access_log: io.StringIO = field(default_factory=io.StringIO)

    def site(self, access: str = "first-fetch", networks: tuple[str, ...] = NETWORKS) -> str:
        name = f"site-{next(_numbers)}"
        self.installation.changes.create_site("test", name, {"access": access, "trusted_networks": list(networks)})
        return name

    def phone(self, model: str = "yealink/t46u", site: str = "", *, enabled: bool = True) -> Phone:
        """Lists a phone; it is rendered, live and in the index when this returns."""
        number = next(_numbers)
        mac, extension, secret = Mac(f"{OUIS[model.partition('/')[0]]}{number:06x}"), f"{3000 + number}", f"S1pS3cret{number:06d}"
        self.installation.changes.create_extension("test", extension, secret=secret)
        given = PhoneInput(model, site or self.site(), enabled=enabled, lines=[LineInput(1, extension)])
        self.installation.changes.create_phone("test", mac, given)
        self.follow()
        return Phone(mac, model, extension, secret)

    def follow(self) -> None:
        """Does what worker and index do by themselves in an installation that runs."""
        self.worker.drain()
        self.index.refresh()

    def token(self, phone: Phone, epoch: int | None = None) -> str:
        record = self.installation.store.phone(phone.mac)
        return self.installation.box.token(phone.mac, epoch or (record.token_epoch if record else 1))

    def ask(
        self, path: str, agent: str = "", peer: str = LOCAL, transport: Transport = "http", authorization: str = "", method: Method = "GET"
    ) -> FileAnswer:
        return self.server.answer(self.request(path, agent, peer, transport, authorization, method))

    def request(
        self, path: str, agent: str = "", peer: str = LOCAL, transport: Transport = "http", authorization: str = "", method: Method = "GET"
    ) -> FileRequest:
        return FileRequest(path, transport, peer, agent, method, authorization)

    def fetch(self, path: str, agent: str = "", **more: str) -> FileAnswer:
        """As ``ask``, and the request is over: the last byte went out."""
        answer = self.ask(path, agent, **more)
        self.done(answer, path, agent, method=more.get("method", "GET"), peer=more.get("peer", LOCAL))
        return answer

    def done(
        self, answer: FileAnswer, path: str = "x", agent: str = "", reason: Reason | None = None, method: str = "GET", peer: str = LOCAL
    ) -> None:
        self.server.finished(
            Fetch(
                self.clock(), path, "http", peer, agent, method, reason or answer.reason, answer.mac, answer.name, answer.noted_hash,
                len(answer.body), 1.0, answer.epoch,
            )
        )  # fmt: skip

    def restart(self) -> Inside:
        """Returns a second serving process on the same database."""
        return inside_of(self.installation, self.clock)


def own_name(phone: Phone) -> str:
    return OWN_NAME[phone.vendor].format(mac=phone.mac)


def inside_of(installation: Installation, clock: Clock, cache_bytes: int = 64 << 20) -> Inside:
    index = ServingIndex(installation.store, cache_bytes)
    index.load()
    log = io.StringIO()
    database = Database(installation.settings.database, durable=False)
    recorder = Recorder(
        database,
        installation.catalogue,
        fetch_rows=1000,
        sighting_rows=100,
        access_log=log,
        clock=clock,
        trusts=lambda peer: index.places.site_of(peer) is not None,
    )
    credentials = PhoneCredentials(installation.box, Nonces(clock))
    server = Server(
        catalogue=installation.catalogue, store=installation.store, box=installation.box, index=index, renderer=installation.renderer,
        recording=recorder, static_root=installation.settings.tftp_root, first_fetch_s=24 * 3600, check_credentials=credentials, clock=clock,
        waiting=WaitingFiles(installation.store, index, installation.renderer, is_open=installation.settings.has_waiting_room),
    )  # fmt: skip
    worker = Worker(installation.store, installation.renderer, None, clock)
    return Inside(installation, clock, index, recorder, server, credentials, UploadWriter(installation.store, clock), worker, log)


@contextmanager
def inside(tmp_path: Path, **settings: object) -> Iterator[Inside]:
    (tmp_path / "tftp_root").mkdir(exist_ok=True)
    clock = Clock(1_700_000_000.0)
    given = {"catalogue_dir": ROOT / "phone_templates", "pbx": "none", "tftp_root": tmp_path / "tftp_root", **settings}
    with timed_installation(tmp_path, clock, **given) as installation:
        made = inside_of(installation, clock)
        try:
            yield made
        finally:
            made.recorder._database.dispose()


__all__ = ["ELSEWHERE", "LOCAL", "Inside", "inside", "inside_of", "own_name"]
