"""The sockets of the TFTP server: windows that go out as one, buffers, addresses that a request is not for."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from provisioner.transports import tftp_sockets as sockets
from provisioner.transports.tftp_session import TFTPLimits
from provisioner.transports.tftp_sockets import Tid

LIMITS = TFTPLimits()


@pytest.mark.parametrize("sizes", [[516, 516, 516, 40], [12] * 32, [1472] * 31 + [4], [516]], ids=str)
@pytest.mark.parametrize("segments", [True, False], ids=["cut by the kernel", "one by one"])
def test_a_window_arrives_datagram_by_datagram(sizes: list[int], segments: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_CAN_SEGMENT", segments)
    window = [bytes([number]) * size for number, size in enumerate(sizes)]
    with pair() as (sender, receiver):
        Tid(sender).send_window(window, receiver.getsockname())
        assert [receiver.recv(2000) for _ in window] == window


def test_this_kernel_cuts_windows_and_makes_one_call_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sockets._can_segment()
    with pair() as (sender, receiver):
        tid = Tid(sender)
        monkeypatch.setattr(tid, "send", None)
        tid.send_window([b"a" * 100, b"b" * 100], receiver.getsockname())
        assert receiver.recv(2000) == b"a" * 100


def test_a_window_that_the_way_cannot_take_as_one_goes_one_by_one() -> None:
    # More than an IPv4 packet holds, as a frame beyond the MTU is: refused as one, in order by themselves.
    window = [bytes([number]) * 30_000 for number in range(3)]
    with pair() as (sender, receiver):
        tid = Tid(sender)
        assert not tid._sent_as_one(window, receiver.getsockname())
        tid.send_window(window, receiver.getsockname())
        assert [receiver.recv(65_000) for _ in window] == window


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        yield sender, receiver


class Stingy:
    """A socket whose system caps the receive buffer at 212992 bytes and allows no more by force."""

    def __init__(self) -> None:
        self.granted = 212_992

    def setsockopt(self, _level: int, option: int, value: int) -> None:
        if option == sockets._SO_RCVBUFFORCE:
            raise PermissionError
        self.granted = 2 * min(value, 212_992)

    def getsockopt(self, _level: int, _option: int) -> int:
        return self.granted


def test_a_capped_receive_buffer_is_one_warning_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    stingy = cast("socket.socket", Stingy())
    sockets.grow_receive_buffer(stingy, 4 << 20)
    sockets.warn_if_capped(stingy, 4 << 20)
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "granted_bytes=212992" in line
    assert "requests_held=554" in line
    assert "net.core.rmem_max=4194304" in line


def test_an_uncapped_receive_buffer_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    stingy = cast("socket.socket", Stingy())
    sockets.grow_receive_buffer(stingy, 100_000)
    sockets.warn_if_capped(stingy, 100_000)
    assert caplog.records == []


def test_a_request_to_a_broadcast_or_multicast_address_is_not_for_us() -> None:
    listener = sockets.Listener("0.0.0.0", 0, 1 << 16)
    try:
        info = struct.pack("=I4s4s", 1, bytes([10, 0, 0, 5]), bytes([10, 0, 0, 255]))
        with pytest.raises(sockets.NotForUsError):
            listener._own_address([(0, 8, info)])
        info = struct.pack("=I4s4s", 1, bytes([10, 0, 0, 5]), bytes([10, 0, 0, 5]))
        assert listener._own_address([(0, 8, info)]) == ("10.0.0.5", 0)
        with pytest.raises(sockets.NotForUsError):
            listener._own_address([(41, 50, b"\xff\x02" + bytes(13) + b"\1" + struct.pack("=I", 2))])
        local = b"\xfe\x80" + bytes(13) + b"\1" + struct.pack("=I", 2)
        assert listener._own_address([(41, 50, local)]) == ("fe80::1", 0, 0, 2)
        assert listener._own_address([]) == ("0.0.0.0", 0)
    finally:
        listener.sock.close()


@pytest.mark.parametrize(("host", "peer"), [("10.1.2.3", "10.1.2.3"), ("::ffff:10.1.2.3", "10.1.2.3"), ("fe80::1%eth0", "fe80::1")])
def test_the_peer_is_a_plain_address(host: str, peer: str) -> None:
    assert sockets.peer_text((host, 5)) == peer
