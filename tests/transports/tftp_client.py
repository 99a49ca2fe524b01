"""A TFTP client that can misbehave, and a server run in a thread: the tools of the TFTP tests."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from provisioner.core.mac import Mac
from provisioner.core.values import Fetch, FileAnswer, FileRequest, Reason
from provisioner.transports.tftp import TFTPLimits, TFTPServer

QUICK = TFTPLimits(rto_floor_s=0.05, give_up_s=0.8, first_ack_s=0.5)
"""Times short enough for a test to wait for."""
QUICK_SHARED = replace(QUICK, private_sockets=0)
"""The same when all private sockets are lent."""

PATIENCE_S = 30.0
"""What anything may take on a machine that is busy with other tests."""

NOT_FOUND = b"\0\5\0\1File not found\0"
MAC = Mac("805ec0aabbcc")


def served(body: bytes, name: str = "x.cfg") -> FileAnswer:
    return FileAnswer(Reason.SERVED, body, sha256=hashlib.sha256(body).hexdigest(), mac=MAC, name=name)


def static(path: Path) -> FileAnswer:
    return FileAnswer(Reason.SERVED, static_path=path, name=path.name)


def pattern(size: int) -> bytes:
    """Returns bytes of which no two blocks are alike."""
    return b"".join(n.to_bytes(4, "big") for n in range(size // 4 + 1))[:size]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.005)


@dataclass
class Running:
    """A server at work in a thread. ``files`` may be changed at any time; a callable among them is called."""

    server: TFTPServer
    host: str
    port: int
    files: dict[str, FileAnswer | Callable[[FileRequest], FileAnswer]]
    fetches: list[Fetch]
    requests: list[FileRequest]
    thread: threading.Thread = field(default_factory=threading.Thread)

    def client(self, seed: int | None = None, loss: float = 0.0, host: str | None = None) -> Client:
        return Client((host or self.host, self.port), loss=loss, seed=seed)

    def get(self, name: str, **options: int) -> bytes:
        with self.client() as client:
            return client.get(name, **options)

    def fetched(self, count: int = 1) -> list[Fetch]:
        """Returns the records once there are ``count``."""
        wait_until(lambda: len(self.fetches) >= count)
        assert len(self.fetches) == count
        return self.fetches


@contextlib.contextmanager
def running(
    files: dict[str, FileAnswer | Callable[[FileRequest], FileAnswer]] | None = None,
    *,
    host: str = "127.0.0.1",
    bind: str | None = None,
    limits: TFTPLimits = TFTPLimits(),  # noqa: B008
    record: Callable[[Fetch], None] | None = None,
) -> Iterator[Running]:
    """Serves ``files``; in the end checks that the loop lived until it was stopped, and ended when it was."""
    known = files if files is not None else {}
    fetches: list[Fetch] = []
    requests: list[FileRequest] = []

    def answer(request: FileRequest) -> FileAnswer:
        requests.append(request)
        found = known.get(request.path, FileAnswer(Reason.UNKNOWN_NAME))
        return found(request) if callable(found) else found

    server = TFTPServer(answer, record or fetches.append, clock=lambda: 1_700_000_000.0, limits=limits)
    run = Running(server, host, server.bind(bind or host, 0), known, fetches, requests)
    run.thread = threading.Thread(target=server.listen)
    run.thread.start()
    assert server.is_running.wait(PATIENCE_S)
    try:
        yield run
        assert run.thread.is_alive(), "the loop ended"
    finally:
        server.stop()
        run.thread.join(PATIENCE_S)
        assert not run.thread.is_alive(), "stop() did not end the loop"


class TftpError(Exception):
    """The server sent an ERROR."""


def rrq(name: str | bytes, mode: str = "octet", **options: object) -> bytes:
    raw = name if isinstance(name, bytes) else name.encode()
    return b"\0\1" + raw + b"\0" + mode.encode() + b"\0" + b"".join(f"{k}\0{v}\0".encode() for k, v in options.items())


def ack(block: int) -> bytes:
    return b"\0\4" + (block & 0xFFFF).to_bytes(2, "big")


class Client:
    """One UDP socket; every datagram either way is lost with probability ``loss``, in a sequence that ``seed`` fixes."""

    def __init__(self, server: tuple[str, int], *, loss: float = 0.0, seed: int | None = None) -> None:
        self.server = server
        self.sock = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sock.settimeout(PATIENCE_S)
        self.tid: tuple[str, int] | None = None
        self.oack: dict[str, str] = {}
        self.retries = 0
        self._loss = loss
        self._random = random.Random(seed)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.sock.close()

    def send(self, datagram: bytes, to: tuple[str, int] | None = None) -> None:
        if self._random.random() >= self._loss:
            self.sock.sendto(datagram, to or self.tid or self.server)

    def receive(self, seconds: float = PATIENCE_S) -> bytes:
        """Returns the next datagram; raises ``TimeoutError``. The first one's sender becomes the TID."""
        end = time.monotonic() + seconds
        while True:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            datagram, sender = self.sock.recvfrom(70000)
            if self._random.random() < self._loss:
                continue
            if self.tid is None:
                self.tid = sender[:2]
            if sender[:2] == self.tid:
                return datagram

    def start(self, name: str, **options: object) -> bytes:
        """Returns the first datagram of the answer."""
        self.send(rrq(name, **options), self.server)
        return self.receive()

    def silent(self, seconds: float = 0.15) -> bool:
        """Returns True where nothing comes."""
        try:
            self.receive(seconds)
        except TimeoutError:
            return True
        return False

    def get(self, name: str, mode: str = "octet", patience_s: float = 1.0, **options: int) -> bytes:
        """Returns the file, fetched the way a correct client does (RFC 1350, 2347, 7440), with retries."""
        last, body, block, blksize, window = rrq(name, mode, **options), [], 0, 512, 1
        pending = 0
        self.send(last, self.server)
        for _ in range(10_000_000):
            try:
                datagram = self.receive(patience_s)
            except TimeoutError:
                self.retries += 1
                assert self.retries < 25, "gave up"
                self.send(last)
                pending = 0
                continue
            opcode, number = datagram[1], int.from_bytes(datagram[2:4], "big")
            if opcode == 5:
                raise TftpError(datagram)
            if opcode == 6:
                if not self.oack:
                    parts = datagram[2:-1].decode().split("\0")
                    self.oack = dict(zip(parts[::2], parts[1::2], strict=True))
                    agreed = {name.lower(): value for name, value in self.oack.items()}
                    blksize, window = int(agreed.get("blksize", 512)), int(agreed.get("windowsize", 1))
                if block == 0:
                    last = ack(0)
                    self.send(last)
                continue
            if number != (block + 1) & 0xFFFF:
                if pending >= 0:  # a gap or a repetition: said once
                    self.send(ack(block))
                    pending = -(10**9)
                continue
            block, pending = block + 1, max(pending, 0) + 1
            body.append(datagram[4:])
            last = ack(block)
            if len(datagram) - 4 < blksize:
                self.send(last)
                return b"".join(body)
            if pending >= window:
                self.send(last)
                pending = 0
        raise AssertionError("endless")

    def linger(self, block: int, seconds: float) -> None:
        """Repeats the last ACK for every DATA that still comes, as RFC 1350 section 6 advises."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.receive(seconds)
                self.send(ack(block))
