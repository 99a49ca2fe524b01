"""The loop outlives its sources, and says which of them are off; the filter in the kernel; the limits."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

import pytest

from provisioner.core.mac import Mac
from provisioner.core.sightings import Observation
from provisioner.discovery.limits import RateLimit, Recent
from provisioner.discovery.listening import Listening
from provisioner.discovery.source import Off
from provisioner.discovery.wire import Frame, datagram, udp_to
from tests.contract.world import wait_until
from tests.discovery.packets import ip_packet

SEEN = Observation(Mac("805ec0aabbcc"), "pnp", 1.0)


class Toy:
    """A source that does as it is told."""

    def __init__(self, name: str, *, fails: bool = False, off: str = "") -> None:
        self.name, self._fails, self._off = name, fails, off
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.ticks = 0

    def open(self) -> None:
        if self._off:
            raise Off(self._off)

    def sockets(self) -> Sequence[socket.socket]:
        return [self.socket]

    def heard(self, ready: socket.socket) -> list[Observation]:
        ready.recv(100)
        if self._fails:
            raise RuntimeError("a packet that nobody thought of")
        return [SEEN]

    def tick(self) -> None:
        self.ticks += 1

    def close(self) -> None:
        self.socket.close()


def test_one_that_fails_ends_no_other_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Observation] = []
    bad, good, off = Toy("bad", fails=True), Toy("good"), Toy("off", off="it needs the right")
    with caplog.at_level(logging.WARNING):
        listening = Listening([bad, good, off], seen.extend)
        assert listening.detail == "hears bad, good; off is off: it needs the right"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:

            def work() -> bool:
                for each in (bad, good):
                    phone.sendto(b"x", each.socket.getsockname())
                listening.step()
                return len(seen) >= 3 and listening.counters["failed_bad"] >= 3 and good.ticks > 0

            wait_until(work)
    listening.close()
    assert sum("source_failed" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize(
    ("packet", "passes"),
    [
        (ip_packet(b"SUBSCRIBE "), True),
        (ip_packet(b"x", destination="224.0.1.76"), False),
        (ip_packet(b"x", ports=(5060, 5061)), False),
        (ip_packet(b"x").replace(b"\x40\x11", b"\x40\x06", 1), False),
        (ip_packet(b"x")[:6] + b"\x00\x01" + ip_packet(b"x")[8:], False),
        (b"", False),
    ],
    ids=["a request", "another group", "another port", "no UDP", "a fragment", "nothing"],
)
def test_the_filter_lets_through_what_it_should(packet: bytes, passes: bool) -> None:
    assert run_filter(udp_to(5060, address="224.0.1.75"), packet) is passes


def test_a_filter_may_have_several_ports() -> None:
    program = udp_to(67, 68)
    assert [run_filter(program, ip_packet(b"x", ports=(1, port))) for port in (66, 67, 68, 69)] == [False, True, True, False]


def run_filter(program: list[tuple[int, int, int, int]], packet: bytes) -> bool:
    """Runs the few instructions that are used, as the kernel does: a load beyond the packet refuses it."""
    accumulator = index = at = 0
    while True:
        code, true, false, value = program[at]
        at += 1
        if code == 0x06:
            return value != 0
        if code in (0x15, 0x45):
            at += true if (accumulator == value if code == 0x15 else accumulator & value) else false
            continue
        size, start = {0x30: (1, value), 0x28: (2, value), 0x20: (4, value), 0x48: (2, index + value), 0xB1: (1, value)}[code]
        if start + size > len(packet):
            return False
        loaded = int.from_bytes(packet[start : start + size], "big")
        if code == 0xB1:
            index = (loaded & 15) * 4
        else:
            accumulator = loaded


def test_a_datagram_that_is_cut_short_is_none() -> None:
    whole = ip_packet(b"hello")
    found = datagram(Frame(whole, "eth0", None))
    assert found is not None and (found.payload, found.peer) == (b"hello", ("192.168.1.77", 5059))
    assert [datagram(Frame(whole[:length], "eth0", None)) for length in range(len(whole))] == [None] * len(whole)


def test_limits_are_kept_and_forget_whom_they_saw_longest_ago() -> None:
    limit = RateLimit(1.0, 2.0, keys=3)
    assert [limit.allows("a", now) for now in (0.0, 0.0, 0.0, 1.0, 1.5)] == [True, True, False, True, False]
    for number in range(10):
        limit.allows(number, 2.0)
    assert len(limit) == 3


def test_the_same_is_new_after_a_time_and_after_something_else() -> None:
    recent = Recent(10.0, keys=3)
    assert [recent.is_new("a", now) for now in (0.0, 5.0, 11.0)] == [True, False, True]
    for number in range(10):
        recent.is_new(number, 12.0)
    assert len(recent) == 3
    assert [recent.is_new("b", 13.0, said) for said in ("true", "forged", "true", "true")] == [True, True, True, False]
