"""T6: malformed and hostile TFTP clients. After each case the server must still serve and hold nothing more than before."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator

from bench import tftp_bench
from bench.context import Context
from bench.measure import open_files, ratio
from bench.servers import Server

Address = tuple[str, int]
Case = Callable[[Address], None]
SILENT = 1100
GIVEN_UP_S = 7.0
"""Transfers that nobody acknowledged are over after 5 s."""


def rrq(name: bytes, *options: bytes, mode: bytes = b"octet") -> bytes:
    """Returns a read request; options are names and values in turn."""
    return b"\0\1" + b"\0".join((name, mode, *options)) + b"\0"


GOOD = rrq(b"bench-00000.cfg")


@contextlib.contextmanager
def client() -> Iterator[socket.socket]:
    """A UDP socket of a phone, 0.3 s patient."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.3)
        yield sock


def throw(server: Address, *datagrams: bytes) -> None:
    """Sends datagrams to the request port and reads no answer."""
    with client() as sock:
        for datagram in datagrams:
            with contextlib.suppress(OSError):  # Too long, or refused since the server is gone: found by the check afterwards.
                sock.sendto(datagram, server)


def thrown(*datagrams: bytes) -> Case:
    """Returns a case that only throws these datagrams."""
    return lambda server: throw(server, *datagrams)


def in_session(*datagrams: bytes) -> Case:
    """Returns a case that starts a transfer and sends the datagrams to its transfer port; the transfer is then abandoned with an ERROR."""

    def case(server: Address) -> None:
        with client() as sock, contextlib.suppress(OSError):
            sock.sendto(GOOD, server)
            _, tid = sock.recvfrom(2000)
            for datagram in datagrams:
                sock.sendto(datagram, tid)
            time.sleep(0.05)
            sock.sendto(b"\0\5\0\0over\0", tid)

    return case


def spoofed(server: Address) -> None:
    """Somebody else sends an ERROR to the transfer port of a running transfer; it must go on."""
    with client() as sock, client() as other:
        sock.sendto(GOOD, server)
        _, tid = sock.recvfrom(2000)
        other.sendto(b"\0\5\0\0spoofed\0", tid)
        time.sleep(0.02)
        sock.sendto(b"\0\4\0\1", tid)
        data = received(sock)
        if not data.startswith(b"\0\3\0\2"):
            raise AssertionError("a spoofed ERROR ended somebody else's transfer")
        sock.sendto(b"\0\5\0\0over\0", tid)


def received(sock: socket.socket) -> bytes:
    """Returns the next datagram, b"" when none comes."""
    try:
        return sock.recvfrom(70_000)[0]
    except OSError:
        return b""


def duplicate_acks(server: Address) -> None:
    """25 duplicate ACKs of block 1 must not bring 25 copies of block 2 (the sorcerer's apprentice)."""
    with client() as sock:
        sock.sendto(GOOD, server)
        _, tid = sock.recvfrom(2000)
        for _ in range(26):
            sock.sendto(b"\0\4\0\1", tid)
        sock.settimeout(0.1)  # until nothing comes for that long: what comes later is no answer but the repair of a loss
        copies = sum(1 for _ in iter(lambda: received(sock), b""))
        sock.sendto(b"\0\5\0\0over\0", tid)
        if copies > 3:
            raise AssertionError(f"{copies} copies of one block for 25 duplicate ACKs")


def upload(server: Address) -> None:
    """A write request must be refused (or ignored), never accepted."""
    with client() as sock:
        sock.sendto(b"\0\2bench-upload.cfg\0octet\0", server)
        if received(sock)[:2] in {b"\0\4", b"\0\6"}:
            raise AssertionError("an upload was accepted")


def outside(server: Address) -> None:
    """Names that lead out of the folder must bring no data."""
    for name in (b"../../../../etc/passwd", b"/etc/passwd", b"..\\..\\etc\\passwd", b"bench/../../etc/passwd", b".", b"/", b""):
        with client() as sock:
            sock.sendto(rrq(name), server)
            if received(sock).startswith(b"\0\3"):
                raise AssertionError(f"{name!r} brought data")


def random_datagrams(count: int, prefix: bytes = b"") -> Case:
    """Returns a case of seeded random datagrams."""
    source = random.Random(count)
    return thrown(*(prefix + source.randbytes(source.randrange(1, 600)) for _ in range(count)))


CASES: dict[str, Case] = {
    "random bytes x200": random_datagrams(200),
    "random bytes, opcode 1 x100": random_datagrams(100, b"\0\1"),
    "empty, 1- and 2-byte datagrams": thrown(b"", b"\0", b"\0\1", b"\0\4"),
    "3-byte datagrams, opcodes 1 to 6": thrown(*(struct.pack("!HB", opcode, 7) for opcode in range(1, 7))),
    "truncated RRQ, no NUL": thrown(b"\0\1bench-00000.cfg"),
    "RRQ, mode unterminated": thrown(b"\0\1bench-00000.cfg\0octet"),
    "option value unterminated": thrown(b"\0\1bench-00000.cfg\0octet\0blksize\x00512"),
    "odd number of option strings": thrown(rrq(b"bench-00000.cfg", b"blksize")),
    "empty option name": thrown(rrq(b"bench-00000.cfg", b"", b"5")),
    "name that is not ASCII": thrown(rrq(b"\xff\xfe\x80\xc3\x28.cfg"), rrq("tên.cfg".encode())),
    "unknown mode": thrown(rrq(b"bench-00000.cfg", mode=b"mail"), rrq(b"bench-00000.cfg", mode=b"\xff")),
    "blksize=abc": thrown(rrq(b"bench-00000.cfg", b"blksize", b"abc")),
    "blksize -1, 0, 10^12": thrown(*(rrq(b"bench-00000.cfg", b"blksize", value) for value in (b"-1", b"0", b"1000000000000"))),
    "blksize 65536 (over the UDP maximum)": thrown(rrq(b"bench-00000.cfg", b"blksize", b"65536")),
    "blksize of 5000 digits": thrown(rrq(b"bench-00000.cfg", b"blksize", b"9" * 5000)),
    "tsize=xyz, windowsize 0 and 99999, timeout 0": thrown(
        rrq(b"bench-00000.cfg", b"tsize", b"xyz"),
        rrq(b"bench-00000.cfg", b"windowsize", b"0"),
        rrq(b"bench-00000.cfg", b"windowsize", b"99999"),
        rrq(b"bench-00000.cfg", b"timeout", b"0"),
    ),
    "60 KB of options": thrown(rrq(b"bench-00000.cfg", *([b"x", b"1"] * 15_000))),
    "name of 60 KB": thrown(rrq(b"a" * 60_000)),
    "names that lead outside, '.', '/', ''": outside,
    "WRQ": upload,
    "ACK, DATA, ERROR, OACK to the request port": thrown(b"\0\4\0\1", b"\0\3\0\1abc", b"\0\5\0\1no\0", b"\0\6blksize\x00512\0"),
    "in a transfer: 3-byte datagram": in_session(b"\0\4\0"),
    "in a transfer: opcode 99": in_session(b"\0\x63\0\1"),
    "in a transfer: ERROR 99, unterminated": in_session(b"\0\5\0\x63oops"),
    "in a transfer: 4-byte ERROR": in_session(b"\0\5\0\0"),
    "in a transfer: RRQ to the transfer port": in_session(GOOD),
    "in a transfer: 50 ACKs of blocks to come": in_session(*([b"\0\4\x03\xe8"] * 50)),
    "in a transfer: 25 duplicate ACKs": duplicate_acks,
    "blksize 65536 of a 40 MB file, ACK 0": thrown(rrq(b"bench-firmware.rom", b"blksize", b"65536"), b"\0\4\0\0"),
    "ERROR to the transfer port from somebody else": spoofed,
    "only an unknown option": thrown(rrq(b"bench-00000.cfg", b"foo", b"1")),
    "the same RRQ 10 times": thrown(*([GOOD] * 10)),
}


def transfers_well(server: Address) -> bool:
    """Returns whether a whole 20 KB transfer succeeds now, its RRQ sent up to three times as a phone would (the queue may be full)."""
    return any(transfers_once(server) for _ in range(3))


def transfers_once(server: Address) -> bool:
    """Returns whether one transfer, block by block, succeeds without a repetition."""
    with client() as sock:
        sock.settimeout(1.0)
        sock.sendto(GOOD, server)
        for block in range(1, tftp_bench.FILE_BYTES // 512 + 2):
            try:
                data, tid = sock.recvfrom(2000)
            except OSError:
                return False
            if data[:4] != struct.pack("!HH", 3, block):
                return False
            sock.sendto(struct.pack("!HH", 4, block), tid)
        return True


def settled_growth(server: Server, files_before: int, processes_before: int, limit_s: float) -> tuple[int, int]:
    """Returns by how much open files and processes grew, as soon as both are back, at latest after `limit_s` seconds."""
    end = time.monotonic() + limit_s
    while True:
        pids = server.pids()
        growth = max(0, open_files(pids) - files_before), max(0, len(pids) - processes_before)
        if growth == (0, 0) or time.monotonic() > end:
            return growth
        time.sleep(0.05)


def play(server: Server, case: Case) -> tuple[str, int]:
    """Plays one case; returns "ok" or what is wrong, and how many files and processes are still held when its transfers are given up."""
    address = (server.host, server.port)
    before = server.pids()
    files_before = open_files(before)
    wrong = ""
    try:
        case(address)
    except (AssertionError, OSError) as error:
        wrong = str(error) or type(error).__name__
    if not server.is_alive():
        return "the server ended", 0
    if not all(transfers_well(address) for _ in range(3)):
        wrong = "no good transfer afterwards"
    growth = settled_growth(server, files_before, len(before), GIVEN_UP_S)
    return wrong or "ok", sum(growth)


def silent_clients(server: Server) -> list[socket.socket]:
    """Returns the sockets of clients that sent an RRQ, one a millisecond, and never say anything again."""
    sockets = []
    for number in range(SILENT):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((f"127.200.{number // 250}.{1 + number % 250}", 0))
        sock.sendto(GOOD, (server.host, server.port))
        sockets.append(sock)
        time.sleep(0.001)
    return sockets


def hostile(ctx: Context) -> None:
    """T6: the hostile cases, then 1100 silent clients beside good transfers."""
    ctx.report.heading(f"T6: {len(CASES)} hostile cases and {SILENT} silent clients")
    found = tftp_bench.files(ctx)
    with tftp_bench.server(ctx, tftp_bench.OWN, found.folder) as server:
        wrong, held, rows = 0, 0, []
        for name, case in CASES.items():
            said, growth = play(server, case)
            wrong, held = wrong + (said != "ok"), held + growth
            rows.append((name, said, growth))
        ctx.report.table(("case", "afterwards", "files and processes held"), rows)
        ctx.report.judge("T6 crashes", wrong)
        ctx.report.judge("T6 fds", held)
        load = tftp_bench.Load(50, rounds=20)
        before = tftp_bench.run(ctx, server, found.phones[100], load, 512)
        sockets = silent_clients(server)
        try:
            during = tftp_bench.run(ctx, server, found.phones[100], load, 512, at_once=True)  # they are given up after 5 s
        finally:
            for sock in sockets:
                sock.close()
    ctx.report.table(tftp_bench.HEADS, [tftp_bench.row("alone", 512, [before]), tftp_bench.row(f"beside {SILENT} silent", 512, [during])])
    own, alone = during.storm.transfers_per_s, before.storm.transfers_per_s
    ctx.report.judge("T6 rate", ratio(own, alone), own=own, peer=alone)


SCENARIOS: dict[str, Callable[[Context], None]] = {"hostile": hostile}
