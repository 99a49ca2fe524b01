"""The parts of the TFTP server that need no socket: datagrams, block arithmetic, caches, timers, and the words of the warning."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tftpy.TftpPacketFactory import TftpPacketFactory

from provisioner.core.values import FileAnswer, Reason
from provisioner.transports import tftp_content
from provisioner.transports import tftp_packets as packets
from provisioner.transports.tftp_content import (
    Content,
    Contents,
    CutContent,
    FileChangedError,
    OpenFiles,
    PacketCache,
    ReadyContent,
    TooManyFilesError,
    UnservableError,
)
from provisioner.transports.tftp_packets import MalformedRequestError, Terms, negotiate, parse_request
from provisioner.transports.tftp_session import Asked, Session, SessionTable, TFTPLimits, Timers
from provisioner.transports.tftp_sockets import Tid, TidPool
from tests.transports.tftp_client import pattern, rrq

LIMITS = TFTPLimits()


LONG = pattern(8 * 250_000)


def session(body: bytes = LONG[:20_000], terms: Terms = Terms(), started: float = 100.0) -> Session:  # noqa: B008
    asked = Asked(0.0, started, "x.cfg", "127.0.0.1", "GET")
    content = CutContent(body, terms.blksize)
    return Session(asked, b"", identified=(None, "", "", 0), content=content, terms=terms, limits=LIMITS)


# -- datagrams -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(max_size=800))
def test_a_request_is_read_or_malformed_and_nothing_else(tail: bytes) -> None:
    try:
        request = parse_request(packets.RRQ + tail)
    except MalformedRequestError:
        return
    assert request.path
    assert not request.path.startswith("/")
    assert request.mode in {"octet", "netascii"}


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12)))
def test_negotiation_never_exceeds_our_limits(options: dict[str, str]) -> None:
    terms = negotiate(options, max_blksize=1468, max_windowsize=32, max_timeout_s=10)
    assert 8 <= terms.blksize <= 1468
    assert 1 <= terms.windowsize <= 32
    assert 0 <= terms.timeout_s <= 10


@settings(deadline=None)
@given(st.integers(8, 70_000), st.integers(1, 70_000), st.integers(0, 300), st.integers(0, 1 << 33))
def test_the_oack_is_what_tftpy_reads_back(blksize: int, windowsize: int, timeout: int, size: int) -> None:
    sent = {"blksize": str(blksize), "tsize": "0", "windowsize": str(windowsize), "timeout": str(timeout)}
    terms = negotiate(sent, max_blksize=1468, max_windowsize=32, max_timeout_s=10)
    expected = {"blksize": str(min(blksize, 1468)), "tsize": str(size), "windowsize": str(min(windowsize, 32))}
    if 1 <= timeout <= 10:
        expected["timeout"] = str(timeout)
    assert TftpPacketFactory().parse(terms.oack(size)).options == expected


def test_tftpy_and_we_read_the_same_request() -> None:
    datagram = rrq("805ec0aabbcc.cfg", blksize=1428, tsize=0, grandstream_MODEL="GXP2170")
    theirs = TftpPacketFactory().parse(datagram)
    ours = parse_request(datagram)
    assert (ours.path, ours.mode, ours.options) == (theirs.filename, theirs.mode, theirs.options)


@pytest.mark.parametrize(("code", "text"), [(0, "Internal error"), (1, ""), (2, ""), (4, "")])
def test_an_error_is_what_tftpy_reads_back(code: int, text: str) -> None:
    theirs = TftpPacketFactory().parse(packets.error(code, text))
    assert theirs.errorcode == code
    assert theirs.errmsg == (text.encode() or theirs.errmsgs[code])


@pytest.mark.parametrize(("text", "masked"), [("KeyError: 'p/tok/x'", "KeyError: 'p/***/x'"), ("http://h/p/tok", "http://h/p/***")])
def test_tokens_are_masked_in_running_text(text: str, masked: str) -> None:
    assert packets.masked_text(text) == masked


# -- blocks and times ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(max_size=3000), st.sampled_from([8, 100, 512]), st.integers(1, 32))
def test_ready_and_cut_packets_are_the_same_bytes(body: bytes, blksize: int, window: int) -> None:
    ready, cut = ReadyContent(body, blksize), CutContent(body, blksize)
    assert ready.count == cut.count == len(body) // blksize + 1
    for first in range(1, ready.count + 1, window):
        last = min(first + window - 1, ready.count)
        assert list(ready.packets(first, last)) == list(cut.packets(first, last))
    assert b"".join(p[4:] for p in ready.packets(1, ready.count)) == body


@settings(deadline=None)
@given(st.integers(0, 200_000), st.integers(0, 65535), st.integers(1, 32))
def test_only_an_ack_of_a_block_on_its_way_is_news(acked: int, number: int, window: int) -> None:
    one = session(LONG, Terms(blksize=8, windowsize=window))
    one.acked = acked
    one.window(100.0)
    on_their_way = {n & 0xFFFF: n for n in range(acked + 1, acked + window + 1)}
    following = one.acknowledge(number, 100.1)
    if number not in on_their_way:
        assert following is None
        assert one.acked == acked
    else:
        assert one.acked == on_their_way[number]
        assert following is not None
        assert struct.unpack("!HH", following[0][:4]) == (3, (one.acked + 1) & 0xFFFF)


def test_the_pause_is_three_times_the_round_trip_and_doubles() -> None:
    one = session()
    one.window(100.0)
    assert one.deadline == pytest.approx(100.15)
    one.acknowledge(1, 100.08)
    assert one.deadline == pytest.approx(100.08 + 0.24)
    assert one.resend_at_timeout(100.4)
    one.window(100.4)
    assert one.deadline == pytest.approx(100.4 + 0.24), "the round trip is known: rather lost than slow"
    assert one.resend_at_timeout(100.7)
    one.window(100.7)
    assert one.deadline == pytest.approx(100.7 + 0.48)
    one.acknowledge(2, 102.0)  # of which of the three is unknown: the longer pause stays, and is one in full
    assert one.deadline == pytest.approx(102.0 + 0.96)
    one.acknowledge(3, 102.01)
    assert one.deadline == pytest.approx(102.01 + 0.8 * 0.24)
    one.acknowledge(4, 103.01)  # perhaps the client's own repetition after a second: believed by half
    assert one.deadline == pytest.approx(103.01 + 2 * 0.8 * 0.24)
    for block in range(5, 20):  # and forgotten again
        one.acknowledge(block, 103.01 + block / 100)
    assert one.rto == pytest.approx(0.15)


def test_a_link_slower_than_the_floor_soon_gets_everything_once() -> None:
    one, now, resends = session(), 100.0, 0
    one.window(now)
    for block in range(1, 20):
        answered = now + 0.4
        while one.deadline < answered:
            resends += 1
            assert one.resend_at_timeout(one.deadline)
            one.window(one.deadline)
        now = answered
        one.acknowledge(block, now)
    assert resends <= 4


def test_before_the_first_ack_patience_is_shorter() -> None:
    one = session()
    one.window(100.0)
    assert [one.resend_at_timeout(100.0 + n) for n in range(5)] == [True] * 3 + [False] * 2
    assert one.deadline == 105.0
    assert one.is_given_up(105.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        table, pool = SessionTable(LIMITS), TidPool([Tid(sock)], [])
    table.add(one, pool, ("127.0.0.1", 5))
    assert not pool.has_room(("127.0.0.1", 5))
    table.prove(one)
    assert not one.is_given_up(119.9)
    assert one.is_given_up(120.0)
    table.remove(one)
    assert (len(table), pool.shared[0].sessions, pool.of_client(("127.0.0.1", 5))) == (0, {}, ())


def test_ended_transfers_do_not_pile_up_in_the_timers() -> None:
    timers = Timers()
    for _ in range(10_000):
        one = session(b"")
        one.deadline = 1e9
        timers.add(one)
        one.ended = True
        timers.forget_one()
    assert len(timers) <= 2001


# -- caches and descriptors ------------------------------------------------------------------------------------------


def test_packets_are_kept_from_the_second_request_on_and_within_the_bound() -> None:
    cache = PacketCache(100_000)
    assert isinstance(cache.content("a", b"x" * 1000, 512), CutContent)
    assert cache.known("a") is None
    ready = cache.content("a", b"x" * 1000, 512)
    assert isinstance(ready, ReadyContent)
    assert cache.known("a") is ready
    for n in range(200):
        for _ in range(2):
            cache.content(n, b"y" * 5000, 512)
        assert cache.held_bytes <= 100_000
    assert cache.known("a") is None


def test_bodies_without_a_hash_or_with_very_many_blocks_are_not_kept() -> None:
    contents = Contents(LIMITS)
    for _ in range(3):
        bodies = [FileAnswer(Reason.SERVED, b"x"), FileAnswer(Reason.SERVED, b"x" * 20_000, sha256="a")]
        assert all(isinstance(contents.content(body, "octet", Terms(blksize=8)), CutContent) for body in bodies)
    assert contents.cache.held_bytes == 0


def test_a_small_static_file_is_kept_once_it_is_settled_and_read_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, contents = tmp_path / "ring.wav", Contents(LIMITS)

    def four() -> list[Content]:
        return [contents.content(FileAnswer(Reason.SERVED, static_path=path), "octet", Terms()) for _ in range(4)]

    for body in (b"first", b"later", b"longer than before"):  # two of them of one length, and written within one tick
        path.write_bytes(body)
        assert [list(one.packets(1, 1)) for one in four()] == [[b"\0\3\0\1" + body]] * 4
    monkeypatch.setattr(tftp_content, "_SETTLED_S", 0.0)
    time.sleep(0.02)
    got = four()
    assert got[2] is got[3], "cut once, kept for all"
    before = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"LONGER than before")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert list(four()[3].packets(1, 1)) == [b"\0\3\0\1LONGER than before"]
    path.unlink()
    with pytest.raises(UnservableError):
        four()


@pytest.mark.parametrize("blksize", [8, 512, 1468, 30_000])
@pytest.mark.parametrize("window", [1, 3, 32])
@pytest.mark.parametrize("is_ahead", [True, False])
def test_a_file_read_ahead_gives_the_bytes_of_the_file(tmp_path: Path, blksize: int, window: int, is_ahead: bool) -> None:
    (tmp_path / "a").write_bytes(LONG[:100_000])
    content, expected = OpenFiles(1).content(tmp_path / "a", blksize), CutContent(LONG[:100_000], blksize)
    for first in [*range(1, content.count + 1, window), max(1, content.count - 2), 2, 1]:
        last = min(first + window - 1, content.count)
        assert list(content.packets(first, last)) == list(expected.packets(first, last))
        if is_ahead:
            content.ahead(last + 1, window)
    content.close()


def test_what_was_read_ahead_needs_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(LONG[:100_000])
    content = OpenFiles(1).content(tmp_path / "a", 1428)
    content.ahead(1, 8)
    os.truncate(tmp_path / "a", 0)
    assert content.packets(1, 8) == CutContent(LONG[:100_000], 1428).packets(1, 8)
    with pytest.raises(FileChangedError):
        content.ahead(9, 8)
    content.close()


def test_open_files_are_shared_counted_and_closed(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"x")
    files = OpenFiles(1)
    first, second = files.content(tmp_path / "a", 512), files.content(tmp_path / "a", 1428)
    assert len(files) == 1
    with pytest.raises(TooManyFilesError):
        files.content(tmp_path / "b", 512)
    first.close()
    assert second.packets(1, 1) == [b"\0\3\0\1x"]
    second.close()
    assert len(files) == 0


def test_private_sockets_are_lent_in_turn_then_shared_and_given_back() -> None:
    table, socks = SessionTable(LIMITS), [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    shared, private = Tid(socks[0]), [Tid(sock, is_private=True) for sock in socks[1:]]
    pool, sessions = TidPool([shared], private), [session() for _ in range(4)]
    for number, one in enumerate(sessions):
        table.add(one, pool, ("127.0.0.1", 1000 + number))
    assert [one.tid for one in sessions] == [*private, shared, shared]
    for one in sessions:
        table.prove(one)
    assert [tid.only for tid in (shared, *private)] == [None, sessions[0], sessions[1]]
    table.remove(sessions[1])
    table.remove(sessions[0])
    assert (private[0].only, private[0].sessions) == (None, {})
    again = [session(), session()]
    for one in again:
        table.add(one, pool, ("127.0.0.1", 1000))  # from the same port twice is too much for one shared socket
        assert not pool.has_room(("127.0.0.1", 1000))
        table.remove(one)
    for sock in socks:
        sock.close()
