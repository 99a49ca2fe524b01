"""Calls between simulated phones over the real Asterisk: each is one row that says what became of it, and recorded where that is wanted."""

from __future__ import annotations

import sqlite3
import wave
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pbx_sync.asterisk.program import Program
from provisioner.bundled import call_details_file, recordings_folder
from provisioner.records_calls import CallRecord
from tests.contract.world import wait_until
from tests.phones.calls import Call, State
from tests.phones.media import encode_ulaw, share_of
from tests.phones.office import MODELS, PATIENCE_S, Office, office, wait_speech, wait_state

pytestmark = pytest.mark.asterisk
GROUP = "600"


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """Four desks; the first three are a department that can be called, the second one is recorded."""
    with office(asterisk_program) as made:
        for place, model in enumerate(MODELS):
            made.desk(model, department="" if place == 3 else "Sales")
        made.api("PUT", "/departments/Sales", {"number": GROUP})
        made.api("PATCH", f"/extensions/{made.desks[1].number}", {"record_calls": True})
        made.boot()
        made.wait_in_lockstep()
        for path in ("/departments/Sales", f"/extensions/{made.desks[1].number}"):
            wait_until(lambda path=path: made.api("GET", path)["pbx_verified"], PATIENCE_S, f"{path} at the PBX")
        yield made


class Calls:
    """The rows that come after the beginning of a test."""

    def __init__(self, firm: Office) -> None:
        self._store = firm.world.installation.store
        self._before = max((row.number for row in self._store.calls(limit=1)), default=0)

    def rows(self) -> list[CallRecord]:
        """Returns the new rows, the oldest first."""
        return [row for row in reversed(self._store.calls()) if row.number > self._before]

    def one(self) -> CallRecord:
        """Returns the one new row, as soon as it is there."""
        wait_until(self.rows, PATIENCE_S, "a row of the call")
        (row,) = self.rows()
        return row


@pytest.fixture
def calls(firm: Office) -> Calls:
    return Calls(firm)


def _said(row: CallRecord) -> tuple[str, str, str, str]:
    return row.caller, row.called, row.answered_by, row.outcome


def _file_rows(firm: Office) -> int:
    with closing(sqlite3.connect(call_details_file(firm.world.installation.settings))) as connection:
        return int(connection.execute("SELECT count(*) FROM call1").fetchone()[0])


def test_an_answered_call_says_who_and_how_long(firm: Office, calls: Calls) -> None:
    caller, called = firm.desks[3], firm.desks[0]
    out, there = firm.connect(caller, called)
    firm.hang_up(there)
    wait_state(out, State.ENDED)
    row = calls.one()
    assert _said(row) == (caller.number, called.number, called.number, "answered")
    assert (row.caller_name, row.recording) == ("Person 4", "")
    assert row.answered_at is not None
    assert row.started_at <= row.answered_at < row.ended_at
    assert 0 < row.talk_s <= row.ended_at - row.answered_at + 0.01
    wait_until(lambda: _file_rows(firm) == 0, PATIENCE_S, "the file of Asterisk to be emptied")


def test_a_call_that_nobody_takes_is_missed(firm: Office, calls: Calls) -> None:
    out = firm.dial(firm.desks[3], firm.desks[2].number)
    firm.rings(firm.desks[2])
    firm.hang_up(out)
    row = calls.one()
    assert (_said(row), row.answered_at, row.talk_s) == ((firm.desks[3].number, firm.desks[2].number, "", "missed"), None, 0)


def test_a_group_whose_members_decline_is_busy(firm: Office, calls: Calls) -> None:
    out = firm.dial(firm.desks[3], GROUP)
    for desk in firm.desks[:3]:
        firm.refuse(firm.rings(desk))
    wait_state(out, State.ENDED)
    assert _said(calls.one()) == (firm.desks[3].number, GROUP, "", "busy")


def test_a_call_that_comes_to_the_mailbox_says_so(firm: Office, calls: Calls) -> None:
    out = firm.dial(firm.desks[3], firm.desks[2].number)
    firm.refuse(firm.rings(firm.desks[2]))
    wait_state(out, State.CONFIRMED)
    firm.hang_up(out)
    row = calls.one()
    assert (_said(row), row.answered_at) == ((firm.desks[3].number, firm.desks[2].number, "", "mailbox"), None)


def test_a_number_that_nobody_has_is_refused(firm: Office, calls: Calls) -> None:
    wait_state(firm.dial(firm.desks[3], "5555"), State.ENDED)
    assert _said(calls.one()) == (firm.desks[3].number, "5555", "", "refused")


def test_a_call_to_a_group_is_one_row_that_all_took_part_in(firm: Office, calls: Calls) -> None:
    caller, taker = firm.desks[3], firm.desks[2]
    out = firm.dial(caller, GROUP)
    ringing = [firm.rings(desk) for desk in firm.desks[:3]]
    firm.answer(ringing[2])
    wait_state(out, State.CONFIRMED)
    wait_speech(out, taker)
    firm.hang_up(out)
    row = calls.one()
    assert _said(row) == (caller.number, GROUP, taker.number, "answered")
    store = firm.world.installation.store
    for desk in firm.desks:
        assert store.calls(extension=desk.number)[0].number == row.number, f"{desk.number} called, rang or talked"


def test_a_call_that_is_passed_on_stays_one_row(firm: Office, calls: Calls) -> None:
    caller, first, last = firm.desks[3], firm.desks[0], firm.desks[2]
    out, there = firm.connect(caller, first)
    assert firm.network.run(there.transfer(last.number)) == 202
    firm.answer(firm.rings(last))
    wait_speech(out, last)
    firm.hang_up(out)
    assert _said(calls.one()) == (caller.number, first.number, last.number, "answered")


def test_a_call_that_is_parked_and_taken_back_is_one_row_at_its_end(firm: Office, calls: Calls) -> None:
    caller, first, last = firm.desks[3], firm.desks[0], firm.desks[2]
    out, there = firm.connect(caller, first)
    assert firm.network.run(there.transfer("700")) == 202
    wait_state(there, State.ENDED)
    _wait_parked(out)
    assert calls.rows() == [], "it goes on"
    back = firm.dial(last, "701")
    wait_state(back, State.CONFIRMED)
    wait_speech(out, last)
    firm.hang_up(back)
    wait_state(out, State.ENDED)
    assert _said(calls.one()) == (caller.number, first.number, last.number, "answered")


def test_a_pickup_is_a_call_that_the_other_took(firm: Office, calls: Calls) -> None:
    caller, called, taker = firm.desks[3], firm.desks[0], firm.desks[2]
    out = firm.dial(caller, called.number)
    firm.rings(called)
    taken = firm.dial(taker, f"*8{called.number}")
    wait_state(taken, State.CONFIRMED)
    wait_speech(out, taker)
    firm.hang_up(out)
    assert _said(calls.one()) == (caller.number, called.number, taker.number, "answered")


def test_a_feature_is_answered_by_nobody(firm: Office, calls: Calls) -> None:
    call = firm.dial(firm.desks[3], "*43")
    wait_state(call, State.CONFIRMED)
    firm.hang_up(call)
    assert _said(calls.one()) == (firm.desks[3].number, "*43", "", "answered")


def test_a_recorded_call_has_both_voices(firm: Office, calls: Calls) -> None:
    caller, called = firm.desks[3], firm.desks[1]
    out, there = firm.connect(caller, called)
    wait_speech(out, called)
    folder = recordings_folder(firm.world.installation.settings)
    wait_until(lambda: any(path.stat().st_size > 40_000 for path in folder.iterdir()), PATIENCE_S, "two seconds of recording")
    firm.hang_up(out)
    wait_state(there, State.ENDED)
    row = calls.one()
    path = folder / row.recording
    assert (row.recording, row.recording_bytes) == (f"{row.uid}.wav", path.stat().st_size)
    assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    speech = _speech(path)
    for desk in (caller, called):
        assert share_of(desk.phone.agent.frequency_hz, speech) > 0.1, f"the tone of {desk.number}"
    assert share_of(firm.desks[0].phone.agent.frequency_hz, speech) < 0.02, "of whoever was not in it nothing is heard"


def test_a_recorded_call_stays_recorded_wherever_it_is_led(firm: Office, calls: Calls) -> None:
    caller, recorded, taker, last = firm.desks[3], firm.desks[1], firm.desks[0], firm.desks[2]
    out, there = firm.connect(caller, recorded)
    assert firm.network.run(there.transfer("700")) == 202
    wait_state(there, State.ENDED)
    _wait_parked(out)
    back = firm.dial(taker, "701")
    wait_speech(out, taker)
    _record_more(firm)
    assert firm.network.run(back.transfer(last.number)) == 202
    firm.answer(firm.rings(last))
    wait_speech(out, last)
    _record_more(firm)
    firm.hang_up(out)
    row = calls.one()
    assert _said(row) == (caller.number, recorded.number, last.number, "answered")
    assert row.recording == f"{row.uid}.wav"
    path = recordings_folder(firm.world.installation.settings) / row.recording
    for desk in (taker, last):
        assert share_of(desk.phone.agent.frequency_hz, _speech(path, whole=True)) > 0.02, f"the tone of {desk.number}"


def test_a_call_is_recorded_from_where_somebody_recorded_takes_it_off_a_slot(firm: Office, calls: Calls) -> None:
    caller, first, recorded = firm.desks[3], firm.desks[0], firm.desks[1]
    out, there = firm.connect(caller, first)
    assert firm.network.run(there.transfer("701")) == 202
    wait_state(there, State.ENDED)
    _wait_parked(out)
    firm.dial(recorded, "701")
    wait_speech(out, recorded)
    _record_more(firm)
    firm.hang_up(out)
    row = calls.one()
    assert row.recording == f"{row.uid}.wav", "the name of the call that was parked, not of the one that fetched it"
    assert share_of(recorded.phone.agent.frequency_hz, _speech(recordings_folder(firm.world.installation.settings) / row.recording)) > 0.1


def _wait_parked(out: Call) -> None:
    out.speech.forget()
    wait_until(out.speech.hears_anything, PATIENCE_S, "music for the parked caller")


def _record_more(firm: Office) -> None:
    """Waits until more than a second more is recorded: none of it is of before."""
    folder = recordings_folder(firm.world.installation.settings)

    def size() -> int:
        return sum(path.stat().st_size for path in folder.iterdir())

    before = size()
    wait_until(lambda: size() > before + 24_000, PATIENCE_S, "more than a second of recording")


def _speech(path: Path, *, whole: bool = False) -> bytes:
    """Returns the last second but one of a WAV, as PCMU: the beginning has the tone that says it is recorded."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
        frames = file.readframes(file.getnframes())
    samples = [int.from_bytes(frames[at : at + 2], "little", signed=True) for at in range(0, len(frames), 2)]
    return bytes(encode_ulaw(sample) for sample in (samples if whole else samples[-12000:-4000]))
