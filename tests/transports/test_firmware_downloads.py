"""Two hundred phones download their pinned image at once: whole, each, and the memory of the server stays flat."""

from __future__ import annotations

import hashlib
import os
import selectors
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.changes.firmware import PinInput
from provisioner.core.mac import Mac
from provisioner.core.values import Reason
from tests.contract.world import Phone
from tests.transports.own_listener import Listening, listening, request

PHONES = 200
IMAGE_BYTES = 40 * 1024 * 1024
GROWTH_BYTES = 64 * 1024 * 1024
"""Of both ends together: less than two images, while eight thousand megabytes go out."""
LIMIT_S = 240.0
PIECE = 1024 * 1024


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Listening]:
    with listening(tmp_path) as made:
        yield made


def image(served: Listening) -> Path:
    folder = served.own.installation.settings.tftp_root / "firmware"
    folder.mkdir()
    path = folder / "big.rom"
    path.write_bytes(os.urandom(PIECE) * (IMAGE_BYTES // PIECE))
    return path


def pin(served: Listening, phone: Phone, path: Path) -> None:
    served.own.installation.changes.put_pin("test", phone.mac, PinInput(path.name, "108.86.0.90", shares=(100,)))
    served.own.worker.rollout._next = -1.0  # the worker looks every two seconds: here it need not wait
    served.own.follow()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def head_of(connection: socket.socket) -> bytes:
    """Returns the head of an answer and not a byte of its body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = connection.recv(1)
        assert part
        head += part
    return head


def downloaded(connections: list[socket.socket], peak: list[int]) -> list[int]:
    """Takes all bodies at once and throws them away; returns the size of each."""
    sizes, buffer = [0] * len(connections), bytearray(PIECE)
    ends = time.monotonic() + LIMIT_S
    with selectors.DefaultSelector() as selector:
        for at, connection in enumerate(connections):
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ, at)
        while selector.get_map():
            assert time.monotonic() < ends, f"{min(sizes)} bytes of the slowest after {LIMIT_S} s"
            for key, _ in selector.select(1.0):
                count = connections[key.data].recv_into(buffer, PIECE, socket.MSG_TRUNC)
                sizes[key.data] += count
                if not count:
                    selector.unregister(connections[key.data])
            peak[0] = max(peak[0], resident_bytes())
    return sizes


def test_two_hundred_phones_download_whole_images_in_flat_memory(served: Listening) -> None:
    path = image(served)
    phone = served.phone()
    pin(served, phone, path)
    asked = request(f"p/{served.own.token(phone)}/{phone.mac}/{path.name}", phone.agent, close=True)
    connections = [served.connect(receive_bytes=65_536) for _ in range(PHONES)]
    try:
        before = resident_bytes()
        for connection in connections:
            connection.sendall(asked)
        heads = [head_of(connection) for connection in connections]
        assert all(head.startswith(b"HTTP/1.1 200 ") and f"Content-Length: {IMAGE_BYTES}\r\n".encode() in head for head in heads)
        peak = [before]
        assert downloaded(connections, peak) == [IMAGE_BYTES] * PHONES
        assert peak[0] - before < GROWTH_BYTES, f"{(peak[0] - before) >> 20} MB more"
    finally:
        for connection in connections:
            connection.close()


def test_a_download_that_broke_off_goes_on_where_it_was_and_is_the_image(served: Listening) -> None:
    path = image(served)
    phone = served.phone()
    pin(served, phone, path)
    at = f"p/{served.own.token(phone)}/{phone.mac}/{path.name}"
    first = served.exchange(request(at, phone.agent, "Range: bytes=0-9999999", close=True)).partition(b"\r\n\r\n")[2]
    rest = served.exchange(request(at, phone.agent, "Range: bytes=10000000-", close=True)).partition(b"\r\n\r\n")[2]
    assert len(first) == 10_000_000
    assert hashlib.sha256(first + rest).hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()
    answer = served.own.ask(at, phone.agent, peer="127.0.0.1")
    assert (answer.reason, answer.mac) == (Reason.SERVED, Mac(phone.mac))
