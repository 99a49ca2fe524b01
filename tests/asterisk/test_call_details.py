"""What records of one call come to, and the file that they stand in: without an Asterisk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.ami import Message
from pbx_sync.asterisk.calldetails import COLUMNS, Record, call_of, make_file
from pbx_sync.asterisk.calllog import AsteriskCalls, calls_now
from pbx_sync.backend import PBXUnavailable

ALICE, BOB, CAROL = "PJSIP/1001-00000001", "PJSIP/1002-00000002", "PJSIP/1003-0000000a"


def part(peer: str = BOB, disposition: str = "ANSWERED", **more: object) -> Record:
    made = Record("9.1", 1, ALICE, peer, "1001", '"Alice" <1001>', "s", "Dial", 10.0, 12.0, 20.0, 8.0, disposition, "1002", "")
    return made._replace(**{**({} if disposition == "ANSWERED" else {"answered": 0.0, "talk_s": 0.0}), **more})


@pytest.mark.parametrize(
    ("parts", "outcome", "answered_by", "talk_s"),
    [
        pytest.param([part()], "answered", "1002", 8.0, id="two talked"),
        pytest.param([part(BOB, "NO ANSWER"), part(CAROL, sequence=2)], "answered", "1003", 8.0, id="of two that rang one took it"),
        pytest.param([part(), part(CAROL, began=21.0)], "answered", "1003", 16.0, id="it was passed on"),
        pytest.param([part(), part("", began=21.0, outcome="mailbox")], "answered", "1002", 8.0, id="it was passed on to a mailbox"),
        pytest.param([part(BOB, "NO ANSWER"), part("", began=11.0, outcome="mailbox")], "mailbox", "", 8.0, id="nobody took it"),
        pytest.param([part(BOB, "NO ANSWER")], "missed", "", 0.0, id="the caller gave up"),
        pytest.param([part(BOB, "BUSY")], "busy", "", 0.0, id="the phone was busy"),
        pytest.param([part("", "NO ANSWER", outcome="failed")], "failed", "", 0.0, id="no phone was registered"),
        pytest.param([part("", "FAILED")], "failed", "", 0.0, id="it failed"),
        pytest.param([part(application="ConfBridge")], "answered", "", 8.0, id="a conference is nobody's"),
    ],
)
def test_records_come_to_one_call(parts: list[Record], outcome: str, answered_by: str, talk_s: float) -> None:
    call = call_of(parts)
    assert call is not None
    assert (call.outcome, call.answered_by, call.talk_s) == (outcome, answered_by, talk_s)
    assert (call.caller, call.caller_name, call.called, call.started_at) == ("1001", "Alice", "1002", 10.0)


def test_what_nobody_called_is_no_call() -> None:
    beep = part("", channel="Local/hook@__func_periodic_hook_context__-00000000;1")
    waiting = part("", channel="PJSIP/wait-02acde000001-00000003")
    assert call_of([beep]) is None
    assert call_of([waiting]) is None
    assert call_of([part("", channel="Local/02ac@test-call-00000000;1")]) is None


def test_the_file_is_bounded_while_nobody_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "master.db"
    make_file(path)
    make_file(path)
    with closing(sqlite3.connect(path)) as connection:
        insert = f"INSERT INTO call1 (AcctId, {', '.join(COLUMNS)}) VALUES (?, {', '.join('?' * len(COLUMNS))})"
        for number in (1, 2, 500_101, 500_200):
            connection.execute(insert, [number, *part()])
        assert [row[0] for row in connection.execute("SELECT AcctId FROM call1")] == [500_101, 500_200]


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    calls = AsteriskCalls(AsteriskAddress("127.0.0.1", 1, "nobody", "nothing"), tmp_path / "master.db")
    with pytest.raises(PBXUnavailable):
        calls.ended(10)
    assert list(tmp_path.iterdir()) == []


class _Quiet(AsteriskCalls):
    """An Asterisk that has no channel."""

    def _channels(self) -> list[Message]:
        return []


def test_looks_that_follow_closely_do_not_end_a_call_whose_last_record_is_yet_to_come(tmp_path: Path) -> None:
    now, path = [100.0], tmp_path / "master.db"
    make_file(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"INSERT INTO call1 ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})", list(part()))
    calls = _Quiet(AsteriskAddress("127.0.0.1", 1, "nobody", "nothing"), path, lambda: now[0])
    for now[0] in (100.0, 100.01, 100.4):
        assert calls.ended(10) == []
    now[0] = 100.6
    assert [call.uid for call in calls.ended(10)] == ["9.1"]


def test_channels_are_the_calls_under_way() -> None:
    def channel(name: str, uid: str, linked: str, state: str, bridge: str = "", duration: str = "00:00:05") -> dict[str, str]:
        number = name[6:10]
        return {"Channel": name, "Uniqueid": uid, "Linkedid": linked, "ChannelStateDesc": state, "BridgeId": bridge, "CallerIDNum": number,
                "CallerIDName": f"Person {number}", "Duration": duration}  # fmt: skip

    found = calls_now(
        [
            channel(ALICE, "1", "1", "Up", "b", "00:01:05"),
            channel(BOB, "2", "1", "Up", "b", "00:01:04"),
            channel(CAROL, "3", "3", "Ring"),
            channel("PJSIP/1004-00000004", "4", "3", "Ringing"),
            channel("PJSIP/1005-00000005", "5", "3", "Ringing"),
            channel("PJSIP/1006-00000006", "6", "6", "Up", "", "00:00:01"),
            channel("Local/hook@x;1", "7", "7", "Up"),
        ],
        1000.0,
    )
    assert [(call.caller, call.called, call.since, call.state) for call in found] == [
        ("1001", ("1002",), 935.0, "talking"),
        ("1003", ("1004", "1005"), 995.0, "ringing"),
        ("1006", (), 999.0, "service"),
    ]
