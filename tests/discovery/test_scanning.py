"""Scans: what came in before one is no answer to it, a flood has an end, and a database that is away leaves none running for ever."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from provisioner.core.sightings import Observation
from provisioner.db import DatabaseError
from provisioner.discovery import scanning as scanning_module
from provisioner.discovery.arp import Sweep
from provisioner.discovery.scanner import Scanner
from provisioner.discovery.scanning import Scanning
from provisioner.discovery.wire import MOST_WAITING, Frame
from provisioner.scans import CUT_OFF, ScanWriter
from tests.contract.inside import Inside
from tests.contract.world import wait_until
from tests.discovery.packets import FakePackets, FakeSurroundings, arp_packet, frame

LOOPBACK = ipaddress.IPv4Network("127.0.0.0/30")
PHONE = frame(arp_packet("805ec0a1b2c3", "127.0.0.2"), "805ec0a1b2c3", "lo")


def scanned(scanner: Scanner) -> list[Observation]:
    found: list[Observation] = []
    scanner.scan(LOOPBACK, found.extend, lambda _: True)
    return found


def test_what_came_in_before_a_scan_is_no_answer_to_it(around: FakeSurroundings) -> None:
    scanner = Scanner(around)
    around.made[-1].waiting += [PHONE] * 200
    assert scanned(scanner) == []


def test_what_comes_in_meanwhile_is(around: FakeSurroundings) -> None:
    scanner = Scanner(around)

    def may_go_on(_: object) -> bool:
        around.made[-1].waiting.append(PHONE)
        return True

    found: list[Observation] = []
    scanner.scan(LOOPBACK, found.extend, may_go_on)
    assert [(seen.mac, seen.source) for seen in found] == [("805ec0a1b2c3", "arp")]


@dataclass
class Flood(FakePackets):
    """A packet socket that has always more."""

    read: int = 0

    def frames(self) -> Iterator[Frame]:
        self.read += 64
        yield from [PHONE] * 64


@dataclass
class Flooded(FakeSurroundings):
    def packets(self, protocol: int, program: object = ()) -> Any:
        self.made.append(Flood())
        return self.made[-1]


def test_a_flood_has_an_end(around: FakeSurroundings) -> None:
    flooded = Flooded(around.catalogue, may_capture=True)
    sweep = Sweep(flooded)
    sweep.begin()
    assert list(sweep.answers()) == ["127.0.0.2"]
    assert sum(made.read for made in flooded.made) == 2 * MOST_WAITING
    sweep.close()


class Away(ScanWriter):
    """A writer whose database is away once the first scan has begun, for as many writes."""

    left = 0

    def _write(self, number: int, **values: object) -> None:
        super()._write(number, **values)
        if self.left:
            self.left -= 1
            raise DatabaseError("the disk is full")


def asked(own: Inside) -> int:
    return own.installation.changes.ask_scan("tests", str(LOOPBACK), 2)


def state_of(own: Inside, number: int) -> tuple[str, str]:
    record = own.installation.store.scan(number)
    assert record is not None
    return record.state, record.error


@pytest.fixture
def writer(own: Inside) -> Away:
    return Away(own.installation.database)


def scans(own: Inside, around: FakeSurroundings, writer: ScanWriter) -> Scanning:
    return Scanning(own.installation.store, writer, Scanner(around), lambda _: None)


def test_a_scan_that_a_database_cut_off_is_ended_and_the_next_is_done(
    own: Inside, around: FakeSurroundings, writer: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning_module, "AFTER_FAILURE_S", 0.0)
    writer.left, number = 1, asked(own)
    running = scans(own, around, writer)
    running.start()
    wait_until(lambda: state_of(own, number) == ("failed", CUT_OFF), what="the end of the scan that was cut off")
    number = asked(own)
    wait_until(lambda: state_of(own, number) == ("done", ""), 30, what="the next scan")
    running.stop()


def test_one_that_a_command_does_itself_is_ended_too(own: Inside, around: FakeSurroundings, writer: Away) -> None:
    writer.left, number = 1, asked(own)
    scans(own, around, writer).do_number(number)
    assert state_of(own, number) == ("failed", CUT_OFF)


def test_where_the_database_stays_away_the_thread_ends_all_the_same(own: Inside, around: FakeSurroundings, writer: Away) -> None:
    writer.left, number = 2, asked(own)
    scans(own, around, writer).do_number(number)
    assert around.made[-1].socket.fileno() == -1, "it let go of its sockets"
