"""The phones' listener in a thread of the test's own process, on an installation whose clock the test moves."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.records import FetchRecord
from provisioner.transports.http import PhonesHTTP, create_phones_app
from provisioner.transports.http_listener import Listener
from provisioner.transports.http_service import Service
from provisioner.transports.http_uploads import Uploads
from tests.contract.inside import Inside, inside
from tests.contract.world import Phone, wait_until

ANYWHERE = ("127.0.0.0/8",)
BIG = 24 << 20
"""Bytes of ``big.rom``: more than fits into any buffer on the way."""


@dataclass
class Listening:
    """A listener that serves, and what it serves from."""

    own: Inside
    listener: Listener
    port: int
    service: Service
    uploads: Uploads
    thread: threading.Thread

    def connect(self, source: str = "127.0.0.1", receive_bytes: int = 0) -> socket.socket:
        made = socket.socket()
        made.settimeout(60)
        if receive_bytes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            made.bind((source, 0))
            made.connect(("127.0.0.1", self.port))
        except OSError:
            made.close()
            raise
        return made

    def exchange(self, *parts: bytes, source: str = "127.0.0.1") -> bytes:
        """Sends the parts one after the other; returns all that comes until the server closes."""
        with self.connect(source) as connection:
            for part in parts:
                connection.sendall(part)
            return rest_of(connection)

    def phone(self, model: str = "yealink/t46u", access: str = "open") -> Phone:
        return self.own.phone(model, self.own.site(access, ANYWHERE))

    def fetches(self) -> list[FetchRecord]:
        while not self.own.recorder.flush():
            pass
        return self.own.installation.store.fetches()

    def wait_recorded(self, reason: str) -> FetchRecord:
        found: list[FetchRecord] = []
        wait_until(lambda: found.extend(row for row in self.fetches() if row.reason == reason) or found, what=f"a record of {reason}")
        return found[0]

    def stop(self, within_s: float = 5.0) -> None:
        self.listener.stop(within_s)
        self.thread.join(60)
        assert not self.thread.is_alive()


def request(path: str, agent: str = "", *lines: str, method: str = "GET", close: bool = False) -> bytes:
    more = [*([f"User-Agent: {agent}"] if agent else []), *lines, *(["Connection: close"] if close else [])]
    return "\r\n".join([f"{method} /{path} HTTP/1.1", "Host: prov.example", *more, "", ""]).encode("latin-1")


def rest_of(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def answer_on(connection: socket.socket) -> tuple[int, bytes]:
    """Returns status and body of the next answer on a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        assert part, data
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        part = connection.recv(65536)
        assert part, "the connection ended in the middle of an answer"
        body += part
    assert len(body) == length, "more than one answer"
    return int(head.split(b" ")[1]), body


def is_accepting(made: Listening) -> bool:
    try:
        made.connect().close()
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def listening(tmp_path: Path, tls: ssl.SSLContext | None = None, proxies: tuple[str, ...] = ()) -> Iterator[Listening]:
    with inside(tmp_path) as own:
        listener = Listener(("127.0.0.1", 0), 4096, tls)
        http = PhonesHTTP(own.server, own.credentials, own.uploads, proxies)
        uploads = Uploads(create_phones_app(http), listener.call)
        service = Service(http, uploads)
        thread = threading.Thread(target=listener.serve, args=(service,))
        made = Listening(own, listener, listener.port, service, uploads, thread)
        thread.start()
        wait_until(lambda: is_accepting(made), what="the listener")
        try:
            yield made
        finally:
            made.stop(0.0)
            uploads.close()
            listener.close()


@contextmanager
def listening_with_files(tmp_path: Path) -> Iterator[Listening]:
    """As ``listening``, with a small and a big static file."""
    with listening(tmp_path) as made:
        (tmp_path / "tftp_root" / "wall.jpg").write_bytes(b"small picture")
        with (tmp_path / "tftp_root" / "big.rom").open("wb") as big:
            big.truncate(BIG)
        yield made


def statuses(answers: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)
