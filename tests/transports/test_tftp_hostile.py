"""The hostile suite: whatever arrives, the loop lives, good transfers succeed at once, and no descriptor stays behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.core.values import FileAnswer, Reason
from provisioner.transports.tftp import TFTPLimits, TFTPServer
from tests.transports.tftp_client import (
    PATIENCE_S,
    QUICK,
    Client,
    Running,
    ack,
    descriptors,
    pattern,
    rrq,
    running,
    served,
    static,
    wait_until,
)

BODY = pattern(20_000)
NOISE = random.Random(7)


@pytest.fixture(scope="module")
def tftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    firmware = tmp_path_factory.mktemp("static") / "fw.rom"
    with firmware.open("wb") as file:
        file.truncate(40 << 20)
    with running({"x.cfg": served(BODY), "fw.rom": static(firmware)}, limits=QUICK) as run:
        run.get("x.cfg")
        yield run


def still_serves(tftp: Running) -> None:
    for options in ({}, {"blksize": 1428, "tsize": 0}, {"windowsize": 8}):
        assert tftp.get("x.cfg", **options) == BODY
    assert tftp.thread.is_alive()
    assert tftp.server.counters["faults"] == 0


def settled(before: int) -> None:
    wait_until(lambda: descriptors() <= before)


def noise(count: int, prefix: bytes = b"") -> list[bytes]:
    return [prefix + NOISE.randbytes(NOISE.randrange(0, 600)) for _ in range(count)]


AT_THE_PORT: dict[str, list[bytes]] = {
    "random bytes": noise(200),
    "random bytes after opcode 1": noise(100, b"\0\1"),
    "empty, 1 and 2 bytes": [b"", b"\0", b"\1", b"\0\1", b"\0\2", b"\xff\xff"],
    "3 bytes of every opcode": [bytes([0, op, 0]) for op in range(8)] + [bytes([0, op, 65]) for op in range(8)],
    "RRQ without any NUL": [b"\0\1x.cfg", b"\0\1" + b"a" * 600],
    "RRQ with an unterminated mode": [b"\0\1x.cfg\0octet", b"\0\1x.cfg\0"],
    "option value unterminated": [rrq("x.cfg") + b"blksize\0001428"],
    "odd number of option strings": [rrq("x.cfg") + b"blksize\0", rrq("x.cfg") + b"a\0b\0c\0"],
    "empty option name": [rrq("x.cfg") + b"\0" + b"1428\0", rrq("x.cfg") + b"\0\0\0\0"],
    "non-ASCII file name": [rrq(b"\xff\xfe\x80.cfg"), rrq("điện.cfg"), rrq(b"x.cfg\xc3")],
    "empty file name": [rrq(""), rrq("/")],
    "blksize=abc": [rrq("x.cfg", blksize="abc"), rrq("x.cfg", blksize=""), rrq("x.cfg", blksize="１４２８")],
    "blksize -1, 0, 10^12, 10^5000": [rrq("x.cfg", blksize=v) for v in (-1, 0, 10**12, "9" * 1500, " 512", "+512", "0x200")],
    "blksize 65536, over the UDP maximum": [rrq("x.cfg", blksize=65536), rrq("fw.rom", blksize=65536)],
    "tsize=xyz, windowsize=0 and 99999": [rrq("x.cfg", tsize="xyz"), rrq("x.cfg", windowsize=0), rrq("x.cfg", windowsize=99999)],
    "60 KB of options": [rrq("x.cfg") + b"a\0b\0" * 15_000],
    "60 KB of file name": [rrq("a" * 60_000)],
    "traversal": [rrq("../../etc/passwd"), rrq("/etc/passwd"), rrq("..\\..\\etc\\passwd")],
    "directories": [rrq("."), rrq("/"), rrq("..")],
    "WRQ": [b"\0\2x.cfg\0octet\0", b"\0\2", b"\0\2" + b"a" * 900],
    "ACK, DATA, ERROR and OACK at the port": [ack(0), ack(1), b"\0\3\0\1data", b"\0\5\0\1no\0", b"\0\5", b"\0\6blksize\0001428\0"],
    "only an unknown option": [rrq("x.cfg", foo=1)],
}


@pytest.mark.parametrize("case", AT_THE_PORT)
def test_the_port_survives(tftp: Running, case: str) -> None:
    before = descriptors()
    with tftp.client() as client:
        for datagram in AT_THE_PORT[case]:
            client.sock.sendto(datagram, client.server)
        still_serves(tftp)
    settled(before)


IN_SESSION: dict[str, list[bytes]] = {
    "3 bytes": [b"\0\4\0", b"\0\5\0", b"\0\1\0"],
    "empty and 1 byte": [b"", b"\0"],
    "opcode 99": [b"\0\x63\0\0", b"\xff" * 500],
    "ERROR code 99 unterminated": [b"\0\5\0\x63oh no"],
    "ERROR of 4 bytes": [b"\0\5\0\1"],
    "ERROR of 2 bytes": [b"\0\5"],
    "RRQ to the TID": [rrq("x.cfg")],
    "WRQ to the TID": [b"\0\2x.cfg\0octet\0"],
    "DATA to the TID": [b"\0\3\0\1" + b"x" * 512],
    "future ACKs": [ack(2000 + n) for n in range(50)],
    "25 duplicates of ACK 1": [ack(1)] * 25,
    "random bytes": noise(100),
    "long ACK": [ack(1) + b"x" * 1000],
    "60 KB": [b"\0\4" + b"x" * 60_000],
}


@pytest.mark.parametrize("case", IN_SESSION)
@pytest.mark.parametrize("name", ["x.cfg", "fw.rom"])
def test_a_transfer_survives_or_ends_alone(tftp: Running, case: str, name: str) -> None:
    before = descriptors()
    with tftp.client() as client, tftp.client() as bystander:
        client.start(name)
        bystander.start("x.cfg")
        for datagram in IN_SESSION[case]:
            client.send(datagram)
        still_serves(tftp)
        bystander.send(ack(1))
        seen = bystander.receive()
        while seen[:4] == b"\0\3\0\1":  # a resend
            seen = bystander.receive()
        assert seen[:4] == b"\0\3\0\2"
        for each in (client, bystander):
            each.send(b"\0\5\0\0\0")
        wait_until(lambda: len(tftp.server.sessions) == 0)
    settled(before)


def test_25_duplicate_acks_bring_one_block(tftp: Running) -> None:
    with running({"x.cfg": served(BODY)}, limits=TFTPLimits(rto_floor_s=2)) as run, run.client() as client:
        client.start("x.cfg")
        for _ in range(25):
            client.send(ack(1))
        assert client.receive()[:4] == b"\0\3\0\2"
        assert client.silent()


def test_blksize_65536_on_firmware_is_cut_to_what_udp_carries(tftp: Running) -> None:
    with tftp.client() as client:
        assert client.start("fw.rom", blksize=65536) == b"\0\6blksize\0001468\0"
        client.send(ack(0))
        assert len(client.receive()) == 1472


def test_ten_copies_of_an_rrq_are_answered_from_one_tid(tftp: Running) -> None:
    with tftp.client() as client:
        senders = set()
        for _ in range(10):
            client.sock.sendto(rrq("x.cfg"), client.server)
            senders.add(client.sock.recvfrom(600)[1])
        assert len(senders) == 1


def test_a_client_on_port_0_or_gone_is_no_trouble(tftp: Running) -> None:
    for _ in range(20):
        with tftp.client() as client:
            client.sock.sendto(rrq("x.cfg"), client.server)  # and the ICMP that follows our answer
    still_serves(tftp)


def test_1100_silent_clients_do_not_disturb_the_others() -> None:
    with running({"x.cfg": served(BODY)}, limits=TFTPLimits(first_ack_s=6)) as run:
        before = descriptors()
        for _ in range(1100):
            with run.client() as client:
                client.sock.sendto(rrq("x.cfg"), client.server)
        wait_until(lambda: len(run.server.sessions) > 1000)
        assert descriptors() <= before
        for _ in range(20):
            assert run.get("x.cfg", blksize=1428) == BODY
        assert len(run.server.sessions) > 900, "they were still waiting while the good ones were served"
        assert run.server.counters["dropped"] == 0
        wait_until(lambda: len(run.server.sessions) == 0)


def test_requests_that_pile_up_are_answered_ahead_of_running_transfers() -> None:
    stepped = Stepped()
    phones = [Client(("127.0.0.1", stepped.port)) for _ in range(60)]
    for phone in phones:
        phone.send(rrq("x.cfg"))
    turns = 0
    while len(stepped.server.sessions) < 60:
        stepped.server._turn()
        turns += 1
    assert turns == 4  # 1 and 2, 4 and 8, 16 and 16, and the rest
    for phone in phones:
        phone.sock.close()
    stepped.close()


def test_transfers_on_shared_sockets_get_as_many_turns_as_those_on_private_ones() -> None:
    stepped = Stepped(TFTPLimits(private_sockets=10, tid_sockets=1, rto_floor_s=4))
    phones = [Client(("127.0.0.1", stepped.port)) for _ in range(40)]
    for phone in phones:
        phone.send(rrq("x.cfg"))
    while len(stepped.server.sessions) < 40:
        stepped.server._turn()
    for block in (1, 2, 3):
        for phone in phones:
            assert int.from_bytes(phone.receive()[2:4], "big") == block
            phone.send(ack(block))
        stepped.server._turn()
        assert {session.acked for session in stepped.server.sessions} == {block}
    for phone in phones:
        phone.sock.close()
    stepped.close()


# -- limits ----------------------------------------------------------------------------------------------------------


def test_above_the_limit_requests_are_dropped_in_silence_and_recorded() -> None:
    with running({"x.cfg": served(BODY)}, limits=TFTPLimits(max_sessions=3)) as run:
        clients = [run.client() for _ in range(4)]
        for client in clients[:3]:
            client.start("x.cfg")
        clients[3].send(rrq("x.cfg"))
        assert run.fetched()[0].reason is Reason.OVERLOADED
        assert clients[3].silent()
        assert len(run.requests) == 3
        clients[0].send(b"\0\5\0\0\0")
        assert clients[3].start("x.cfg")[:4] == b"\0\3\0\1"
        for client in clients:
            client.sock.close()


def test_a_client_that_never_acknowledged_gives_way_to_a_new_one() -> None:
    with running({"x.cfg": served(BODY)}, limits=TFTPLimits(max_sessions=2)) as run, run.client() as good, run.client() as forged:
        good.start("x.cfg")
        good.send(ack(1))
        forged.start("x.cfg")
        time.sleep(1.1)
        assert run.get("x.cfg") == BODY
        assert run.server.counters["evicted"] == 1
        assert [f.reason for f in run.fetched(2)] == [Reason.ABORTED, Reason.SERVED]
        good.send(ack(1))
        assert good.receive()[:3] == b"\0\3\0"


def test_one_address_may_not_take_all_transfers() -> None:
    limits = TFTPLimits(max_sessions_per_peer=2)
    with running({"x.cfg": served(BODY)}, bind="0.0.0.0", limits=limits) as run:
        clients = [run.client() for _ in range(3)]
        for client in clients[:2]:
            client.start("x.cfg")
        clients[2].send(rrq("x.cfg"))
        assert run.fetched()[0].reason is Reason.OVERLOADED
        with run.client() as other:
            other.sock.bind(("127.0.0.9", 0))
            assert other.get("x.cfg") == BODY
        for client in clients:
            client.sock.close()


def test_one_port_may_have_as_many_transfers_as_there_are_tids() -> None:
    files: dict[str, FileAnswer | Callable] = {f"{n}": served(BODY) for n in range(9)}
    with running(files, limits=TFTPLimits(tid_sockets=4)) as run, run.client() as client:
        for n in range(5):
            client.send(rrq(str(n)), client.server)
        assert run.fetched()[0].reason is Reason.OVERLOADED
        assert len(run.server.sessions) == 4


# -- stopping --------------------------------------------------------------------------------------------------------


def test_stop_is_prompt_closes_everything_and_records_what_was_under_way() -> None:
    before = descriptors()
    with running({"x.cfg": served(BODY)}) as run:
        with run.client() as client:
            client.start("x.cfg", timeout=10)
        started = time.monotonic()
        threading.Thread(target=run.server.stop).start()
        run.thread.join(PATIENCE_S)
        assert time.monotonic() - started < 10, "not only when a transfer was due again"
        assert descriptors() == before
        assert [f.reason for f in run.fetches] == [Reason.ABORTED]
        run.server.stop()  # again, and late: harmless
        run.thread = threading.Thread(target=lambda: time.sleep(0.1))
        run.thread.start()


def test_stop_before_listen_ends_it_at_once() -> None:
    server = TFTPServer(lambda _request: FileAnswer(Reason.UNKNOWN_NAME), lambda _fetch: None)
    server.bind("127.0.0.1", 0)
    server.stop()
    server.listen()
    server.close()


def test_a_port_in_use_is_an_error_that_leaves_nothing_open() -> None:
    with running({}) as run:
        before = descriptors()
        server = TFTPServer(lambda _request: FileAnswer(Reason.UNKNOWN_NAME), lambda _fetch: None)
        with pytest.raises(OSError, match="in use"):
            server.bind("127.0.0.1", run.port)
        assert server.bind("127.0.0.1", 0)
        with pytest.raises(RuntimeError):
            server.bind("127.0.0.1", 0)
        server.close()
        assert descriptors() == before


SERVE = """
import signal
from provisioner.core.values import FileAnswer, Reason
from provisioner.transports.tftp import TFTPServer
server = TFTPServer(lambda request: FileAnswer(Reason.UNKNOWN_NAME), lambda fetch: None)
signal.signal(signal.SIGTERM, lambda *_: server.stop())
print(server.bind("127.0.0.1", 0), flush=True)
server.listen()
print("stopped", flush=True)
"""


def test_stop_from_a_signal_handler_ends_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout.read() == "stopped\n"


# -- fuzzing ---------------------------------------------------------------------------------------------------------


class Stepped:
    """A server whose loop runs one turn at a time, in the test's own thread."""

    def __init__(self, limits: TFTPLimits | None = None) -> None:
        self.server = TFTPServer(lambda _request: served(BODY), lambda _fetch: None, limits=limits or TFTPLimits())
        self.port = self.server.bind("127.0.0.1", 0)
        self.client = Client(("127.0.0.1", self.port))

    def exchange(self, datagram: bytes, to: tuple[str, int]) -> None:
        self.client.sock.sendto(datagram, to)
        self.server._turn()
        assert self.server.counters["faults"] == 0

    def close(self) -> None:
        self.client.sock.close()
        self.server.close()


REQUESTS = st.one_of(
    st.binary(max_size=700),
    st.binary(max_size=100).map(lambda tail: b"\0\1" + tail),
    st.binary(max_size=100).map(lambda tail: b"\0\1x.cfg\0octet\0" + tail),
    st.lists(st.sampled_from([b"blksize", b"tsize", b"WindowSize", b"timeout", b"0", b"8", b"32", b"99999", b"-1", b"", b"\xff"])).map(
        lambda parts: b"\0\1x.cfg\0octet\0" + b"".join(part + b"\0" for part in parts)
    ),
)
REPLIES = st.one_of(st.binary(max_size=40), st.integers(0, 65535).map(ack), st.integers(0, 50).map(ack))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=REQUESTS, then=st.lists(REPLIES, max_size=12))
def test_no_sequence_of_datagrams_is_a_fault(first: bytes, then: list[bytes]) -> None:
    stepped = Stepped()
    try:
        stepped.exchange(first, ("127.0.0.1", stepped.port))
        stepped.client.sock.settimeout(0.001)
        stepped.client.tid = None
        try:
            stepped.client.receive(0.001)
        except TimeoutError:
            return
        assert stepped.client.tid
        for reply in then:
            stepped.exchange(reply, stepped.client.tid)
    finally:
        stepped.close()
