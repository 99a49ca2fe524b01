"""A whole installation for tests of the serving side: the real catalogue, and ``provisioner serve`` running beside the test.

Phones are made by the same ``changes`` that API and pages use, rendered by the worker part, and fetched over real sockets on loopback.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.settings import ROOT
from provisioner.wiring import Installation
from tests.installations import make_installation
from tests.ports import free_port
from tests.transports.tftp_client import Client as TFTPSocket
from tests.transports.tftp_client import TftpError, rrq

OUIS = {"yealink": "805ec0", "grandstream": "ec74d7", "polycom": "64167f"}
MODELS = ("yealink/t46u", "yealink/t31p", "yealink/t54w", "grandstream/gxp2170", "grandstream/grp2614", "polycom/vvx411", "polycom/spip550")
OWN_NAME = {"yealink": "{mac}.cfg", "grandstream": "cfg{mac}.xml", "polycom": "{mac}-user.cfg"}
"""The file that holds the SIP password."""
_numbers = count(1)


@dataclass(frozen=True)
class Phone:
    """A phone as a test needs it."""

    mac: Mac
    model: str
    extension: str
    secret: str

    @property
    def vendor(self) -> str:
        return self.model.partition("/")[0]

    @property
    def name(self) -> str:
        return OWN_NAME[self.vendor].format(mac=self.mac)

    @property
    def agent(self) -> str:
        return user_agent(self.model, self.mac)


def user_agent(model: str, mac: str) -> str:
    """Returns what a phone of the model says of itself over HTTP."""
    vendor, _, name = model.partition("/")
    colons = ":".join(mac[at : at + 2] for at in range(0, 12, 2))
    if vendor == "yealink":
        return f"Yealink SIP-{name.upper()} 108.86.0.90 {colons}"
    if vendor == "grandstream":
        return f"Grandstream Model HW {name.upper()} SW 1.0.11.57 DevId {mac}"
    family, title = ("SoundPointIP", "SPIP_550") if name == "spip550" else ("VVX", "VVX_411")
    return f"FileTransport Polycom{family}-{title}-UA/6.4.6.2494 (SN:{mac}) Type/Application"


def wait_until(condition: Callable[[], object], seconds: float = 60.0, what: str = "it") -> None:
    """Looks again after a twentieth of the time that it waited so far: looking all the time would keep from happening what is waited for."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        assert waited < seconds, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(min(max(waited / 20, 0.01), 0.2))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    header_list: tuple[tuple[str, str], ...] = ()


@dataclass
class Serve:
    """``provisioner serve`` as a child process, its standard output (the access log) and error kept in files."""

    environ: dict[str, str]
    folder: Path
    parts: tuple[str, ...]
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PROVISIONER_")}
        with (self.folder / "access.log").open("ab") as out, (self.folder / "error.log").open("ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "provisioner", "serve", *self.parts],
                env={**clean, **self.environ}, cwd=self.folder, stdout=out, stderr=err, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def stop(self, seconds: float = 20.0) -> int:
        """Returns the exit status after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return int(self.process.returncode)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def log(self) -> str:
        return (self.folder / "error.log").read_text("utf-8", "replace")

    def access_log(self) -> str:
        return (self.folder / "access.log").read_text("utf-8", "replace")


@dataclass
class World:
    """An installation and what serves it."""

    installation: Installation
    serve: Serve
    http_port: int
    tftp_port: int
    static: Path

    # ---- making phones -------------------------------------------------------------------------------------------------

    def phone(self, model: str = "yealink/t46u", site: str = "default", *, enabled: bool = True, mac: Mac | None = None) -> Phone:
        """Lists a phone with one line and one key, and waits until its files are live."""
        number = next(_numbers)
        mac = mac or Mac(f"{OUIS[model.partition('/')[0]]}{number:06x}")
        extension, secret = f"{2000 + number}", f"S1pS3cret{number:06d}"
        changes = self.installation.changes
        changes.create_extension("test", extension, secret=secret)
        keys = [KeyInput(2, "blf", extension, "Desk")]
        changes.create_phone("test", mac, PhoneInput(model, site, enabled=enabled, lines=[LineInput(1, extension)], keys=keys))
        made = Phone(mac, model, extension, secret)
        self.wait_live(made)
        return made

    def wait_live(self, phone: Phone) -> None:
        """Waits for the worker, then for every serving process to have heard of it. Closes no first fetch."""
        wait_until(lambda: self._is_live(phone.mac), what=f"promotion of {phone.mac}")
        record = self.installation.store.phone(phone.mac)
        if record is not None and record.enabled:
            self.wait_served(self.own(phone), str(self.live(phone)))
        else:
            self.wait_index()

    def wait_served(self, path: str, sha256: str) -> None:
        """Waits until HTTP and TFTP both serve these bytes at a capability path."""
        wait_until(lambda: self.http("HEAD", path).headers.get("etag") == f'"{sha256}"', what="HTTP's index")
        wait_until(lambda: self.tftp_knows(path), what="TFTP's index")

    def live(self, phone: Phone) -> str:
        """Returns the hash of the phone's own file as it is live in the database."""
        file = self.installation.store.live_file(phone.mac, phone.name)
        return str(file.sha256) if file else ""

    def body(self, phone: Phone) -> bytes:
        file = self.installation.store.live_file(phone.mac, phone.name)
        return file.body if file else b""

    def own(self, phone: Phone, name: str = "") -> str:
        """Returns the phone's capability path of its own file, or of ``name``."""
        return f"p/{self.token(phone.mac)}/{name or phone.name}"

    def _is_live(self, mac: Mac) -> bool:
        facts = self.installation.store.lockstep(mac, has_pbx=False)
        return facts is not None and facts.wanted is not None and facts.wanted == facts.live

    def wait_index(self) -> None:
        """Waits until HTTP and TFTP both serve everything committed so far: a marker phone goes through after it."""
        marker = Mac(f"0200{next(_numbers):08x}")
        changes = self.installation.changes
        changes.create_phone("test", marker, PhoneInput("yealink/t46u"))
        wait_until(lambda: self._is_live(marker), what="promotion of the marker")
        path = f"p/{self.token(marker)}/{marker}.cfg"
        wait_until(lambda: self.http("HEAD", path).status == 200, what="HTTP's index")
        wait_until(lambda: self.tftp_knows(path), what="TFTP's index")

    def site(self, access: str = "first-fetch", networks: tuple[str, ...] = ("127.0.0.0/8",)) -> str:
        """Makes a site and returns its name."""
        name = f"site-{next(_numbers)}"
        self.installation.changes.create_site("test", name, {"access": access, "trusted_networks": list(networks)})
        return name

    def token(self, mac: Mac) -> str:
        record = self.installation.store.phone(mac)
        return self.installation.box.token(mac, record.token_epoch if record else 1)

    # ---- asking --------------------------------------------------------------------------------------------------------

    def http(self, method: str, path: str, agent: str = "", body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Sends one request; ``path`` is not yet percent-encoded."""
        return self.raw_path(method, "/" + quote(path), agent, body, headers)

    def raw_path(
        self, method: str, target: str, agent: str = "", body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            sent = dict(headers or {})
            if agent:
                sent["User-Agent"] = agent
            if body is not None and "Transfer-Encoding" not in sent:
                sent.setdefault("Content-Length", str(len(body)))
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            read = response.read()
            pairs = tuple((name.lower(), value) for name, value in response.getheaders())
            return Answer(response.status, dict(pairs), read, pairs)
        finally:
            connection.close()

    def exchange(self, request: bytes, seconds: float = 30.0) -> bytes:
        """Sends raw bytes and returns everything that comes back until the server closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=seconds) as connection:
            connection.sendall(request)
            with suppress(OSError):  # what the server refuses it may have ended before we do
                connection.shutdown(socket.SHUT_WR)
            parts = []
            try:
                while part := connection.recv(65536):
                    parts.append(part)
            except (TimeoutError, ConnectionResetError):
                pass
            return b"".join(parts)

    def tftp(self, path: str) -> bytes | None:
        """Fetches over TFTP; None where the answer is "file not found"."""
        with TFTPSocket(("127.0.0.1", self.tftp_port)) as client:
            try:
                return client.get(path, patience_s=5.0, blksize=1428)
            except TftpError as error:
                datagram = error.args[0]
                assert datagram[:4] in (b"\0\5\0\1", b"\0\5\0\4"), datagram
                return None

    def tftp_knows(self, path: str) -> bool:
        """Returns whether a transfer would begin, without letting it end."""
        with TFTPSocket(("127.0.0.1", self.tftp_port)) as client:
            client.send(rrq(path), client.server)
            try:
                first = client.receive(1.0)
            except TimeoutError:  # the part does not listen yet
                return False
            client.send(b"\0\5\0\0\0")
            return first[1] == 3


class Wire(Protocol):
    """A transport as the stories see it: bytes, or None where it is refused or not there."""

    name: str

    def get(self, path: str, agent: str = "") -> bytes | None: ...


class OverHTTP:
    name = "http"

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, path: str, agent: str = "") -> bytes | None:
        answer = self.world.http("GET", path, agent)
        assert answer.status in (200, 404, 400), answer
        return answer.body if answer.status == 200 else None


class OverTFTP:
    name = "tftp"

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, path: str, agent: str = "") -> bytes | None:
        return self.world.tftp(path)


@contextmanager
def world(tmp_path: Path, *parts: str, ready: bool = True, beside: Mapping[str, str] | None = None, **settings: object) -> Iterator[World]:
    """Runs an installation with the parts named (phones, tftp and worker where none is) until the block ends.

    ``beside`` goes into the environment of the server besides its settings; a ``PYTHONPATH`` in it comes before the project's own.
    """
    static = tmp_path / "tftp_root"
    (static / "firmware").mkdir(parents=True, exist_ok=True)
    http_port, tftp_port = free_port(), free_port()
    given = {
        "catalogue_dir": ROOT / "phone_templates",
        "tftp_root": static,
        "phones_bind": f"127.0.0.1:{http_port}",
        "admin_bind": f"127.0.0.1:{free_port()}",
        "tftp_bind": f"127.0.0.1:{tftp_port}",
        "pbx": "none",
        "public_host": "127.0.0.1",
        **settings,
    }
    installation = make_installation(tmp_path, **given)
    environ = {f"PROVISIONER_{name.upper()}": str(value) for name, value in given.items()}
    beside = beside or {}
    python_path = os.pathsep.join(filter(None, (beside.get("PYTHONPATH"), str(ROOT))))
    environ |= {**beside, "PROVISIONER_DATA_DIR": str(tmp_path / "var"), "PYTHONPATH": python_path}
    serve = Serve(environ, tmp_path, parts or ("phones", "tftp", "worker"))
    made = World(installation, serve, http_port, tftp_port, static)
    serve.start()
    try:
        if ready:
            wait_until(lambda: is_answering(http_port), what="the phones listener")
        yield made
    finally:
        serve.stop()
        installation.database.dispose()


def is_answering(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.settimeout(5)
            connection.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return connection.recv(12).startswith(b"HTTP/1.1 ")
    except OSError:
        return False
