"""Transfers that go well, or go wrong on the wire: RFC 1350, 2347, 2348, 2349, 7440 and RFC 1123 section 4.2.3."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.core.values import Reason
from provisioner.transports.tftp import TFTPLimits
from tests.transports.tftp_client import (
    MAC,
    QUICK,
    QUICK_SHARED,
    Client,
    Running,
    TftpError,
    ack,
    descriptors,
    pattern,
    rrq,
    running,
    served,
    static,
    wait_until,
)

BODY = pattern(20_001)


@pytest.fixture(params=[QUICK, QUICK_SHARED], ids=["private sockets", "shared sockets"])
def tftp(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running({"x.cfg": served(BODY)}, limits=request.param) as run:
        yield run


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 20_001])
@pytest.mark.parametrize("times", [1, 3], ids=["cut", "from the cache"])
def test_a_file_of_any_size_arrives_whole(tftp: Running, size: int, times: int) -> None:
    tftp.files["y.cfg"] = served(pattern(size))
    for _ in range(times):
        with tftp.client() as client:
            assert client.get("y.cfg") == pattern(size)
            assert client.oack == {}
    assert [f.bytes_sent for f in tftp.fetched(times)] == [size] * times


@pytest.mark.parametrize(
    ("options", "oack"),
    [
        ({"blksize": 1428}, {"blksize": "1428"}),
        ({"blksize": 8}, {"blksize": "8"}),
        ({"blksize": 1428, "tsize": 0}, {"blksize": "1428", "tsize": "20001"}),
        ({"blksize": 65464}, {"blksize": "1468"}),
        ({"BLKSIZE": 1024, "TSize": 0}, {"BLKSIZE": "1024", "TSize": "20001"}),
        ({"tsize": 0}, {"tsize": "20001"}),
        ({"windowsize": 8, "blksize": 1428}, {"windowsize": "8", "blksize": "1428"}),
        ({"windowsize": 64}, {"windowsize": "32"}),
        ({"windowsize": 7}, {"windowsize": "7"}),
        ({"timeout": 5}, {"timeout": "5"}),
        ({"timeout": 200, "tsize": 0}, {"tsize": "20001"}),
        ({"grandstream_MODEL": "GXP2170", "grandstream_ID": "000b82aabbcc", "tsize": 0}, {"tsize": "20001"}),
    ],
    ids=str,
)
def test_the_oack_holds_what_was_asked_for_and_accepted(tftp: Running, options: dict[str, int], oack: dict[str, str]) -> None:
    with tftp.client() as client:
        assert client.get("x.cfg", **options) == BODY
        assert client.oack == oack
    assert tftp.fetched()[0].reason is Reason.SERVED


@pytest.mark.parametrize(
    "options",
    [{"grandstream_MODEL": "GXP2170"}, {"blksize": "abc"}, {"blksize": 7}, {"windowsize": 0}, {"tsize": "xyz"}, {"timeout": 0}],
    ids=str,
)
def test_without_an_accepted_option_data_1_comes_at_once(tftp: Running, options: dict[str, object]) -> None:
    with tftp.client() as client:
        assert client.start("x.cfg", **options)[:4] == b"\0\3\0\1"


def test_the_record_says_who_what_and_how_much(tftp: Running) -> None:
    tftp.get("/x.cfg", blksize=1428)
    fetch = tftp.fetched()[0]
    assert fetch[:8] == (1_700_000_000.0, "x.cfg", "tftp", "127.0.0.1", "", "GET", Reason.SERVED, MAC)
    assert fetch[8:11] == ("x.cfg", hashlib.sha256(BODY).hexdigest(), 20_001)
    assert 0 < fetch.duration_ms < 5000
    assert tftp.requests[0].path == "x.cfg"
    assert tftp.requests[0].peer == "127.0.0.1"


def test_nothing_is_recorded_before_the_last_ack(tftp: Running) -> None:
    tftp.files["y.cfg"] = served(pattern(600))
    with tftp.client() as client:
        client.start("y.cfg")
        client.send(ack(1))
        assert len(client.receive()) == 4 + 88
        assert tftp.fetches == []
        client.send(ack(2))
        assert tftp.fetched()[0].reason is Reason.SERVED


def test_netascii_turns_line_ends_into_crlf(tftp: Running) -> None:
    tftp.files["y.cfg"] = served(b"a\nb\r\nc\rd")
    with tftp.client() as client:
        assert client.get("y.cfg", mode="NetASCII", tsize=0) == b"a\r\nb\r\0\r\nc\r\0d"
        assert client.oack["tsize"] == "12"
    assert tftp.get("y.cfg") == b"a\nb\r\nc\rd"


# -- static files ----------------------------------------------------------------------------------------------------


def sparse(path: Path, size: int) -> Path:
    """Returns a file of holes with marks at its ends and around block 65536 of 512."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset in (0, 65534 * 512, 65535 * 512, 65536 * 512, size - 7):
            if 0 <= offset <= size - 7:
                file.seek(offset)
                file.write(b"%07d" % (offset % 9999999))
    return path


def test_blocks_roll_over_past_65535_and_memory_stays_flat(tftp: Running, tmp_path: Path) -> None:
    path = sparse(tmp_path / "fw.rom", 65537 * 512 + 100)
    tftp.files["fw.rom"] = static(path)
    body = tftp.get("fw.rom", windowsize=32)
    assert len(body) == 65537 * 512 + 100
    assert hashlib.sha256(body).digest() == hashlib.sha256(path.read_bytes()).digest()
    assert tftp.fetched()[0].bytes_sent == len(body)


@pytest.mark.parametrize("size", [0, 511, 512, 1428 * 3, 50_000])
def test_a_static_file_arrives_whole_and_is_closed(tftp: Running, tmp_path: Path, size: int) -> None:
    (tmp_path / "ring.wav").write_bytes(pattern(size))
    tftp.files["ring.wav"] = static(tmp_path / "ring.wav")
    before = descriptors()
    assert tftp.get("ring.wav", blksize=1428) == pattern(size)
    tftp.fetched()
    assert tftp.get("ring.wav") == pattern(size)
    tftp.fetched(2)
    assert descriptors() == before


def test_many_phones_share_one_descriptor_of_a_static_file(tftp: Running, tmp_path: Path) -> None:
    (tmp_path / "fw.rom").write_bytes(pattern(50_000))
    tftp.files["fw.rom"] = static(tmp_path / "fw.rom")
    clients = [tftp.client() for _ in range(10)]
    before = descriptors()
    for client in clients:
        client.start("fw.rom")
    assert descriptors() == before + 1
    for client in clients:
        client.send(b"\0\5\0\0\0")
        client.sock.close()
    tftp.fetched(10)


@pytest.mark.parametrize("harm", ["truncated", "written to", "grown"])
def test_a_static_file_that_changes_ends_in_an_error(tftp: Running, tmp_path: Path, harm: str) -> None:
    path = tmp_path / "fw.rom"
    path.write_bytes(pattern(50_000))
    tftp.files["fw.rom"] = static(path)
    with tftp.client() as client:
        client.start("fw.rom")
        if harm == "truncated":
            os.truncate(path, 600)
        else:
            with path.open("r+b") as file:
                file.seek(0 if harm == "written to" else 50_000)
                file.write(b"?")
        client.send(ack(1))
        assert client.receive() == b"\0\5\0\0File changed during the transfer\0"
    assert tftp.fetched()[0].reason is Reason.FAILED


def test_small_static_files_cost_no_descriptor_and_are_never_refused(tftp: Running, tmp_path: Path) -> None:
    clients = []
    before = descriptors()
    for number in range(300):
        (tmp_path / f"{number}").write_bytes(pattern(1000 + number))
        tftp.files[f"{number}"] = static(tmp_path / f"{number}")
    for number in range(300):
        clients.append(tftp.client())
        assert clients[-1].start(f"{number}")
    assert descriptors() == before + len(clients)  # the clients' own sockets
    for client in clients:
        client.send(b"\0\5\0\0\0")
        client.sock.close()
    tftp.fetched(300)


def test_a_static_file_replaced_by_rename_is_sent_to_its_end(tftp: Running, tmp_path: Path) -> None:
    path, newer = tmp_path / "fw.rom", tmp_path / "new"
    path.write_bytes(pattern(700))
    newer.write_bytes(b"new" * 400)
    tftp.files["fw.rom"] = static(path)
    with tftp.client() as client:
        first = client.start("fw.rom")
        newer.replace(path)
        client.send(ack(1))
        assert first[4:] + client.receive()[4:] == pattern(700)
    assert tftp.get("fw.rom") == b"new" * 400


def test_static_text_in_netascii_is_converted_and_firmware_refused(tftp: Running, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\nb\n")
    sparse(tmp_path / "fw.rom", 2 << 20)
    tftp.files |= {"a.txt": static(tmp_path / "a.txt"), "fw.rom": static(tmp_path / "fw.rom")}
    with tftp.client() as client:
        assert client.get("a.txt", mode="netascii") == b"a\r\nb\r\n"
    with tftp.client() as client, pytest.raises(TftpError, match="octet"):
        client.get("fw.rom", mode="netascii")


# -- duplicates, losses, strangers -----------------------------------------------------------------------------------


def test_a_repeated_rrq_repeats_the_first_packet_and_starts_nothing(tftp: Running) -> None:
    with tftp.client() as client:
        first = client.start("x.cfg", blksize=1428)
        for _ in range(5):
            client.send(rrq("x.cfg", blksize=1428), client.server)
            assert client.receive() == first  # from the same TID, or it would not be seen
        assert len(tftp.requests) == 1
        assert len(tftp.server.sessions) == 1
        client.send(ack(0))
        assert client.receive()[:4] == b"\0\3\0\1"
        client.send(rrq("x.cfg", blksize=1428), client.server)  # a late copy, now that the transfer is under way
        wait_until(lambda: tftp.server.counters["duplicates"] == 6)
        assert len(tftp.requests) == 1


def test_another_rrq_from_the_same_port_is_another_transfer_on_another_tid(tftp: Running) -> None:
    tftp.files["y.cfg"] = served(b"short")
    with tftp.client() as client:
        client.start("x.cfg")
        first_tid, client.tid = client.tid, None
        assert client.start("y.cfg") == b"\0\3\0\1short"
        assert client.tid != first_tid
        client.send(ack(1))
        assert tftp.fetched()[0].path == "y.cfg"
        client.tid = first_tid
        client.send(ack(1))
        while client.receive()[:4] != b"\0\3\0\2":
            pass


def test_a_phone_that_starts_again_with_the_same_port_is_served() -> None:
    # A long retransmission time: a resend of the old transfer must not be taken for the new one's answer.
    with running({"x.cfg": served(BODY)}, limits=TFTPLimits(rto_floor_s=4)) as tftp, tftp.client() as client:
        client.start("x.cfg")
        client.send(ack(1))
        client.receive()
        time.sleep(1.05)
        while not client.silent(0.001):
            pass
        old_tid, client.tid = client.tid, None
        assert client.get("x.cfg") == BODY
        assert client.tid != old_tid
        assert [f.reason for f in tftp.fetched(2)] == [Reason.ABORTED, Reason.SERVED]


def test_old_repeated_and_future_acks_change_nothing() -> None:
    with running({"x.cfg": served(BODY)}) as run, run.client() as client:
        client.start("x.cfg")
        client.send(ack(1))
        assert client.receive()[:4] == b"\0\3\0\2"
        for number in [1] * 25 + [0, 65535, 3, 4, 20, 32770]:
            client.send(ack(number))
        wait_until(lambda: run.server.counters["old_acks"] == 31)
        client.send(ack(2))
        seen = client.receive()
        while seen[:4] == b"\0\3\0\2":  # a resend, where this machine was slow
            seen = client.receive()
        assert seen[:4] == b"\0\3\0\3"


def test_an_ack_inside_the_window_sends_the_rest_again() -> None:
    with running({"x.cfg": served(BODY)}, limits=TFTPLimits(rto_floor_s=2)) as run, run.client() as client:
        client.start("x.cfg", windowsize=4)
        client.send(ack(0))
        assert [client.receive()[3] for _ in range(4)] == [1, 2, 3, 4]
        client.send(ack(2))
        assert [client.receive()[3] for _ in range(4)] == [3, 4, 5, 6]
        client.send(ack(2))  # each of the blocks that overtook the lost one may cause such an ACK
        assert client.silent()


def test_a_lost_data_packet_is_sent_again_and_the_pause_doubles(tftp: Running) -> None:
    with tftp.client() as client:
        first = client.start("x.cfg")
        client.send(ack(1))
        client.receive()
        times = []
        for _ in range(3):
            assert client.receive()[:4] == b"\0\3\0\2"
            times.append(time.monotonic())
        assert first[:4] == b"\0\3\0\1"
        assert times[2] - times[1] > 0.08  # a busy machine may hand over the second one late
        assert tftp.server.counters["retransmits"] >= 3


def test_a_timeout_that_the_client_asked_for_is_kept(tftp: Running) -> None:
    with tftp.client() as client:
        begun, _ = time.monotonic(), client.start("x.cfg", timeout=1)
        assert client.receive()[:2] == b"\0\6"
        assert time.monotonic() - begun > 0.9, "ours would be a twentieth of a second"


def test_a_silent_client_is_forgotten_and_recorded(tftp: Running) -> None:
    with tftp.client() as client:
        client.start("x.cfg")
        fetch = tftp.fetched()[0]
        assert (fetch.reason, fetch.bytes_sent) == (Reason.ABORTED, 0)
        assert len(tftp.server.sessions) == 0
        assert tftp.server.counters["retransmits"] == QUICK.first_resends


def test_a_client_that_falls_silent_later_is_recorded_with_what_it_got(tftp: Running) -> None:
    with tftp.client() as client:
        client.start("x.cfg")
        client.send(ack(1))
        client.receive()
        fetch = tftp.fetched()[0]
        assert (fetch.reason, fetch.bytes_sent) == (Reason.ABORTED, 512)


def test_an_error_of_the_client_ends_its_transfer(tftp: Running) -> None:
    with tftp.client() as client:
        client.start("x.cfg", tsize=0)
        client.send(b"\0\5\0\0only looking\0")
        assert tftp.fetched()[0].reason is Reason.ABORTED
        assert client.silent()


@pytest.mark.parametrize("spoof", [b"\0\5\0\0", ack(1), ack(2), b"", b"\0\4"], ids=repr)
def test_a_stranger_on_our_tid_changes_nothing(tftp: Running, spoof: bytes) -> None:
    with tftp.client() as client, tftp.client() as stranger:
        client.start("x.cfg")
        assert client.tid
        for _ in range(5):
            stranger.send(spoof, client.tid)
        kept_away_by_kernel = tftp.server.sessions.limits is QUICK
        wait_until(lambda: kept_away_by_kernel or tftp.server.counters["wrong_source"] == 5)
        client.send(ack(1))
        seen = client.receive()
        while seen[:4] == b"\0\3\0\1":  # a resend
            seen = client.receive()
        assert seen[:4] == b"\0\3\0\2"
        assert stranger.silent(0.05)


@pytest.mark.parametrize("options", [{}, {"blksize": 1428, "tsize": 0}, {"blksize": 1428, "windowsize": 8}], ids=str)
def test_with_one_datagram_of_twenty_lost_each_way_every_file_arrives(options: dict[str, int]) -> None:
    with running({"x.cfg": served(BODY)}, limits=TFTPLimits(rto_floor_s=0.05)) as run:
        bodies: dict[int, bytes] = {}

        def load(seed: int) -> None:
            with run.client(seed=seed, loss=0.05) as client:
                bodies[seed] = client.get("x.cfg", patience_s=0.5, **options)

        threads = [threading.Thread(target=load, args=(seed,)) for seed in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [hashlib.sha256(bodies[seed]).digest() for seed in range(30)] == [hashlib.sha256(BODY).digest()] * 30
        assert run.server.counters["retransmits"] > 0


# -- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bind", "asked", "peer"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.77", "127.0.0.1"),
        ("::1", "::1", "::1"),
        ("::", "::1", "::1"),
        ("::", "127.0.0.78", "127.0.0.1"),
    ],
)
def test_the_answer_comes_from_the_address_that_was_asked(bind: str, asked: str, peer: str) -> None:
    with running({"x.cfg": served(BODY)}, bind=bind) as run, Client((asked, run.port)) as client:
        assert client.get("x.cfg", blksize=9000) == BODY
        assert client.tid is not None
        assert client.tid[0] == asked
        assert client.tid[1] != run.port
        assert client.oack["blksize"] == ("1448" if ":" in asked else "1468")  # IPv6 headers are 20 bytes longer
        assert run.fetched()[0].peer == peer


def test_own_addresses_past_the_bound_share_their_sockets() -> None:
    with running({"x.cfg": served(BODY)}, bind="0.0.0.0", limits=TFTPLimits(local_addresses=2, private_sockets=4)) as run:
        before = descriptors()
        for last in range(1, 12):
            with Client((f"127.0.1.{last}", run.port)) as client:
                client.sock.bind(("127.0.0.1", 0))
                assert client.get("x.cfg") == BODY
        assert descriptors() == before + 2 * TFTPLimits().tid_sockets + 2 + 1


# -- real clients ----------------------------------------------------------------------------------------------------


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    assert found, f"the program {name} is missing: apt-get install {package}"
    return found


@pytest.mark.parametrize("size", [0, 512, 20_001])
def test_tftp_hpa_gets_the_file(tftp: Running, tmp_path: Path, size: int) -> None:
    tftp.files["y.cfg"] = served(pattern(size))
    command = [program("tftp", "tftp-hpa"), "-m", "octet", "127.0.0.1", str(tftp.port), "-c", "get", "y.cfg", str(tmp_path / "out")]
    subprocess.run(command, check=True, timeout=20, capture_output=True)
    assert (tmp_path / "out").read_bytes() == pattern(size)
    assert tftp.fetched()[0].reason is Reason.SERVED


@pytest.mark.parametrize("options", [["blksize 1428"], ["blksize 1428", "tsize 0"], ["blksize 1024", "windowsize 8"], []], ids=str)
def test_atftp_gets_the_file_with_options(tftp: Running, tmp_path: Path, options: list[str]) -> None:
    flags = [part for option in options for part in ("--option", option)]
    command = [program("atftp", "atftp"), *flags, "-g", "-r", "x.cfg", "-l", str(tmp_path / "out"), "127.0.0.1", str(tftp.port)]
    subprocess.run(command, check=True, timeout=20, capture_output=True)
    assert (tmp_path / "out").read_bytes() == BODY
    assert tftp.fetched()[0].reason is Reason.SERVED
