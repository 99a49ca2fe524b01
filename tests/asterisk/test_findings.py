"""Asterisk's complaints, put into words: lines in the form that Asterisk 22.10 gives them, and some that the running one is made to write here."""

from __future__ import annotations

import socket

import pytest

from pbx_sync.asterisk.configuration import Listen
from pbx_sync.asterisk.errors import StartError
from pbx_sync.asterisk.findings import START, explain_log, since_start
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.program import Program
from tests.asterisk.running import fresh_instance
from tests.ports import free_port

AT = "[2026-11-25 22:19:35.460]"
LINES = [
    (
        f"{AT} ERROR[20028] res_pjsip/config_transport.c: Transport 'transport-udp' could not be started: Address already in use",
        "the port of transport-udp is taken", "PROVISIONER_SIP_BIND", True,
    ),
    (
        f"{AT} ERROR[20028] tcptls.c: Unable to bind AMI server to 127.0.0.1:25038: Address already in use",
        "AMI port 127.0.0.1:25038 is taken", "PROVISIONER_AMI_BIND", True,
    ),
    (
        f"{AT} ERROR[20028] loader.c: Error loading module 'res_agi.so': /x/res_agi.so: undefined symbol: ast_speech_change",
        "the module res_agi cannot be loaded", "pbx install --again", False,
    ),
    (
        f"{AT} ERROR[20028] res_pjsip/config_transport.c: Transport 'transport-udp' could not be started: Cannot assign requested address",
        "an address that this machine does not have", "ip address", True,
    ),
    (
        f"{AT} WARNING[11510][C-00000001] Ext. s: call to 1002 was passed on 8 times: phones forward to each other in a circle",
        "in a circle", "call forwarding", False,
    ),
    (
        f"{AT} WARNING[1][C-00000002] channel.c: No path to translate from PJSIP/1001-00000000 to PJSIP/1002-00000001",
        "no codec fits both sides", "setting codecs", False,
    ),
    (
        f"{AT} NOTICE[1] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '\"x\" <sip:1001@pbx>' failed for '192.0.2.66:5062' (callid: a@b) - Failed to authenticate",
        "somebody at 192.0.2.66", "close port 5060", False,
    ),
    (f"{AT} ERROR[1] db.c: Couldn't execute statement: database or disk is full", "the disk is full", "make room", False),
    (f"{AT} ERROR[1][C-00000009] rtp_engine.c: Oh dear, we couldn't allocate a port for RTP instance", "more calls than", "PROVISIONER_RTP_PORTS", False),
]  # fmt: skip


@pytest.mark.parametrize(("line", "what", "mend", "is_fatal"), LINES, ids=[row[1] for row in LINES])
def test_a_complaint_is_explained(line: str, what: str, mend: str, is_fatal: bool) -> None:
    (finding,) = explain_log([line])
    assert what in finding.what
    assert mend in finding.mend
    assert finding.at == "2026-11-25 22:19:35.460"
    assert finding.is_fatal == is_fatal


def test_the_same_complaint_is_counted_and_the_newest_is_last() -> None:
    first, second = LINES[0][0], LINES[2][0]
    found = explain_log([first, second, first.replace("35.460", "59.999")])
    assert [(finding.count, finding.at[-6:]) for finding in found] == [(1, "35.460"), (2, "59.999")]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "not a line of a log",
        f"{AT} NOTICE[1] cdr.c: CDR simple logging enabled.",
        f"{AT} DEBUG[1] x.c: Address already in use",
        "\x00" * 2000,
    ],
)
def test_what_is_no_complaint_is_left_out(line: str) -> None:
    assert explain_log([line]) == []


def test_what_a_restart_mended_is_forgotten() -> None:
    before, marker = LINES[0][0], f"[2026-11-25 22:20:00] {START}"
    assert since_start([before, marker, "now"]) == [marker, "now"]
    assert since_start([before]) == [before]


@pytest.mark.asterisk
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_sip_port_that_is_taken_is_recognised(asterisk_program: Program, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", free_port()))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        with fresh_instance(asterisk_program, sip=Listen(*holder.getsockname())) as instance:
            (finding,) = instance.findings()
            assert "taken by another program" in finding.what
            assert finding.is_fatal


@pytest.mark.asterisk
def test_an_ari_port_that_is_taken_is_recognised_and_no_reason_to_give_up(asterisk_program: Program) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with fresh_instance(asterisk_program, ari=Listen(*holder.getsockname())) as instance:
            (finding,) = instance.findings()
            assert "ARI port" in finding.what
            assert not finding.is_fatal


@pytest.mark.asterisk
def test_an_address_that_is_not_here_is_recognised(asterisk_program: Program) -> None:
    with fresh_instance(asterisk_program, started=False, sip=Listen("192.0.2.1", 5060)) as instance:
        instance.start()
        try:
            instance.wait_until_ready()
        except StartError as error:
            pytest.fail(f"it comes up all the same: {error}")
        assert any("an address that this machine does not have" in finding.what for finding in instance.findings())


@pytest.mark.asterisk
def test_a_module_that_cannot_be_loaded_is_recognised(asterisk: Instance) -> None:
    asterisk.cli("module load res_not_there.so")
    (finding,) = asterisk.findings()
    assert finding.what == "the module res_not_there cannot be loaded"
