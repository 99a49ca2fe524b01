"""What is refused, with which bytes, and what the record and the log may say of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.core.values import Fetch, FileAnswer, FileRequest, Reason
from provisioner.transports.tftp import TFTPLimits
from tests.transports.tftp_client import MAC, NOT_FOUND, QUICK, Running, ack, pattern, rrq, running, served, static, wait_until

ALIKE = sorted(set(Reason) - {Reason.SERVED, Reason.BAD_REQUEST, Reason.METHOD_NOT_ALLOWED, Reason.OVERLOADED, Reason.FAILED})
ILLEGAL = b"\0\5\0\4Illegal TFTP operation\0"
VIOLATION = b"\0\5\0\2Access violation\0"
INTERNAL = b"\0\5\0\0Internal error\0"


@pytest.fixture
def tftp() -> Iterator[Running]:
    with running({"x.cfg": served(pattern(2000))}, limits=QUICK) as run:
        yield run


def said(tftp: Running, datagram: bytes) -> bytes:
    with tftp.client() as client:
        client.send(datagram)
        return client.receive()


@pytest.mark.parametrize("reason", ALIKE)
def test_unknown_disabled_unproven_and_absent_look_alike(tftp: Running, reason: Reason) -> None:
    tftp.files["y.cfg"] = FileAnswer(reason, b"secret", mac=MAC, name="y.cfg", challenge=True)
    assert said(tftp, rrq("y.cfg", blksize=1428)) == NOT_FOUND
    fetch = tftp.fetched()[0]
    assert (fetch.reason, fetch.mac, fetch.name, fetch.bytes_sent) == (reason, MAC, "y.cfg", 0)


@pytest.mark.parametrize(
    ("reason", "wire"), [(Reason.BAD_REQUEST, ILLEGAL), (Reason.METHOD_NOT_ALLOWED, VIOLATION), (Reason.FAILED, INTERNAL)]
)
def test_the_other_reasons_have_their_own_words(tftp: Running, reason: Reason, wire: bytes) -> None:
    tftp.files["y.cfg"] = FileAnswer(reason)
    assert said(tftp, rrq("y.cfg")) == wire


def test_an_overloaded_answer_is_silence_so_that_the_phone_asks_again(tftp: Running) -> None:
    tftp.files["y.cfg"] = FileAnswer(Reason.OVERLOADED)
    with tftp.client() as client:
        client.send(rrq("y.cfg"))
        assert tftp.fetched()[0].reason is Reason.OVERLOADED
        assert client.silent()


def test_an_upload_is_refused_and_recorded(tftp: Running) -> None:
    assert said(tftp, b"\0\2805ec0aabbcc-boot.log\0octet\0") == VIOLATION
    fetch = tftp.fetched()[0]
    assert (fetch.reason, fetch.method, fetch.path) == (Reason.METHOD_NOT_ALLOWED, "PUT", "805ec0aabbcc-boot.log")
    assert tftp.requests == []


@pytest.mark.parametrize(
    ("datagram", "path"),
    [
        (b"\0\1\0octet\0", ""),
        (b"\0\1///\0octet\0", ""),
        (b"\0\1" + b"a" * 513 + b"\0octet\0", "a" * 512),
        (b"\0\1\xff\xfe.cfg\0octet\0", "\\xff\\xfe.cfg"),
        (b"\0\1x.cfg", "x.cfg"),
        (b"\0\1x.cfg\0octet", "x.cfg"),
        (b"\0\1x.cfg\0mail\0", "x.cfg"),
        (b"\0\1x.cfg\0\xff\0", "x.cfg"),
        (b"\0\1x.cfg\0\0", "x.cfg"),
        (b"\0\1x.cfg\0", "x.cfg"),
        (b"\0\1", ""),
        (b"\0\1p/secret/x.cfg\0mail\0", "p/***/x.cfg"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_a_malformed_request_is_refused_and_recorded(tftp: Running, datagram: bytes, path: str) -> None:
    assert said(tftp, datagram) == ILLEGAL
    fetch = tftp.fetched()[0]
    assert (fetch.reason, fetch.path) == (Reason.BAD_REQUEST, path)
    assert tftp.requests == []


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/y.cfg", "y.cfg"),
        ("//a//b", "a//b"),
        ("a\\b", "a\\b"),
        ("\\a", "\\a"),
        ("../../etc/passwd", "../../etc/passwd"),
        (".", "."),
        ("điện-thoại.cfg", "điện-thoại.cfg"),
        ("a" * 512, "a" * 512),
        ("a%2fb", "a%2fb"),
    ],
    ids=lambda value: value[:20],
)
def test_the_name_reaches_the_core_as_it_was_sent(tftp: Running, sent: str, path: str) -> None:
    assert said(tftp, rrq(sent)) == NOT_FOUND
    assert tftp.requests == [FileRequest(path, "tftp", "127.0.0.1")]


@pytest.mark.parametrize("tail", [b"\0", b"blksize\0", b"blksize\0001428", b"\0\0\0", b"\xff\0\xff\0", b"foo\0\0"], ids=repr)
def test_a_stray_byte_after_the_mode_does_not_cost_the_phone_its_file(tftp: Running, tail: bytes) -> None:
    assert said(tftp, rrq("x.cfg") + tail)[:4] == b"\0\3\0\1"


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("p/abc123/x.cfg", "p/***/x.cfg"),
        ("p/abc123", "p/***"),
        ("p//abc123/x.cfg", "p//***/x.cfg"),
        ("p\\abc123\\x.cfg", "p\\***\\x.cfg"),
        ("P/abc123/x.cfg", "p/***/x.cfg"),
        ("./p/abc123/x.cfg", "./p/***/x.cfg"),
        ("p/x.cfg", "p/***"),
        ("app/x.cfg", "app/x.cfg"),
        ("805ec0aabbcc.cfg", "805ec0aabbcc.cfg"),
    ],
)
def test_the_record_never_holds_a_token(tftp: Running, path: str, masked: str) -> None:
    said(tftp, rrq(path))
    assert tftp.requests[0].path == path
    assert tftp.fetched()[0].path == masked


def test_whatever_answer_raises_is_an_error_packet_and_one_log_line(tftp: Running, caplog: pytest.LogCaptureFixture) -> None:
    def explode(request: FileRequest) -> FileAnswer:
        raise KeyError(f"cannot render {request.path}")

    tftp.files["p/abc123/y.cfg"] = explode
    assert said(tftp, rrq("p/abc123/y.cfg")) == INTERNAL
    assert tftp.fetched()[0].reason is Reason.FAILED
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(lines) == 1
    assert "event=tftp_answer_failed" in lines[0]
    assert "Traceback" in lines[0]
    assert "p/***/y.cfg" in lines[0]
    assert "abc123" not in caplog.text
    assert tftp.get("x.cfg") == pattern(2000)


def test_tokens_are_not_in_the_log_at_any_level(tftp: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tftp.files["p/abc123/y.cfg"] = served(b"body")
    assert tftp.get("p/abc123/y.cfg", blksize=1024) == b"body"
    said(tftp, b"\0\1p/abc123/y.cfg\0octet\0odd\0")
    assert "abc123" not in caplog.text


def test_a_record_that_raises_costs_nothing_but_itself(caplog: pytest.LogCaptureFixture) -> None:
    def record(_fetch: Fetch) -> None:
        raise RuntimeError("the disk is full")

    with running({"x.cfg": served(b"body")}, record=record, limits=QUICK) as run:
        for _ in range(3):
            assert run.get("x.cfg") == b"body"
            assert said(run, rrq("nothing")) == NOT_FOUND
        with run.client() as client:
            client.start("x.cfg")
            wait_until(lambda: len(run.server.sessions) == 0)
        wait_until(lambda: run.server.counters["faults"] >= 7)
        with run.client() as client:
            client.start("x.cfg")  # and stop() meets it as well
    assert "event=tftp_fault" in caplog.text


def test_a_fault_inside_a_transfer_ends_that_one_only(tftp: Running) -> None:
    with tftp.client() as client, tftp.client() as other:
        client.start("x.cfg")
        other.start("x.cfg")
        session = next(s for s in tftp.server.sessions if s.address[1] == client.sock.getsockname()[1])
        session._windowsize = None  # stands for any bug of ours
        client.send(ack(1))
        assert client.receive() == INTERNAL
        assert tftp.fetched()[0].reason is Reason.FAILED
        other.send(ack(1))
        assert other.receive()[:4] == b"\0\3\0\2"


# -- static files that cannot be served ------------------------------------------------------------------------------


def test_a_static_file_that_vanished_is_not_found(tftp: Running, tmp_path: Path) -> None:
    tftp.files["y.rom"] = static(tmp_path / "y.rom")
    assert said(tftp, rrq("y.rom")) == NOT_FOUND
    assert tftp.fetched()[0].reason is Reason.NO_SUCH_FILE


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_a_static_path_that_is_no_file_fails_without_holding_up_the_loop(tftp: Running, tmp_path: Path, kind: str) -> None:
    if kind == "directory":
        (tmp_path / "y").mkdir()
    else:
        os.mkfifo(tmp_path / "y")
    tftp.files["y"] = static(tmp_path / "y")
    assert said(tftp, rrq("y")) == INTERNAL
    assert said(tftp, rrq("y", mode="netascii")) == INTERNAL
    assert tftp.get("x.cfg") == pattern(2000)


def test_more_open_files_than_allowed_is_silence(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(pattern(40_000))
    files = {name: static(tmp_path / name) for name in "ab"}
    with running(files, limits=TFTPLimits(open_files=1)) as run, run.client() as first, run.client() as second:
        first.start("a")
        second.send(rrq("b"))
        assert run.fetched()[0].reason is Reason.OVERLOADED
        assert second.silent()
        first.send(b"\0\5\0\0\0")
        run.fetched(2)
        assert run.get("b") == pattern(40_000)
