"""Recordings on the pages: who has calls recorded, who may listen, and deleting."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from provisioner.wiring import Installation
from tests.calls import add_call
from tests.web.conftest import PASSWORD, Person, words_in

SOUND = b"RIFF and what Asterisk writes"


@pytest.fixture
def recording(installation: Installation) -> Path:
    """The file of a call that was recorded."""
    path = installation.settings.data_dir / "pbx" / "recordings" / "1800000000.7.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(SOUND)
    return path


@pytest.fixture
def recorded(installation: Installation, recording: Path) -> int:
    """The call that was recorded."""
    return add_call(installation.database, recording=recording.name, recording_bytes=len(SOUND))


def test_recording_is_switched_on_once_it_was_seen_what_that_changes(admin: Person, installation: Installation) -> None:
    words = words_in(admin.get("/extensions/1001"))
    assert "the law asks for the consent of everybody who is recorded" in words
    revision = str(installation.store.extension("1001").revision)
    words = words_in(admin.post("/extensions/1001/record", record_calls="yes", revision=revision, preview="yes"))
    assert "Nothing is saved yet." in words and "Calls are recorded Before: no After: yes" in words
    assert not installation.store.extension("1001").record_calls
    back = admin.post("/extensions/1001/record", record_calls="yes", revision=revision, again="yes")
    assert back.headers["Location"] == "/extensions/1001"
    assert admin.post("/extensions/1001/record", record_calls="yes", revision=revision, save="yes").status_code == 303
    assert installation.store.extension("1001").record_calls
    assert "Its calls are recorded." in words_in(admin.get("/extensions/1001"))
    assert admin.post("/extensions/1001/record", revision=revision).status_code == 409, "somebody saved since"
    assert installation.store.extension("1001").record_calls
    [change] = installation.store.changes(subject="1001", limit=1)
    assert "Undo it" in words_in(admin.get(f"/changes/{change.id}/undo"))


def test_editing_an_extension_leaves_its_recording_as_it_is(admin: Person, installation: Installation) -> None:
    installation.changes.update_extension("tests", "1001", {"record_calls": True})
    revision = str(installation.store.extension("1001").revision)
    assert admin.post("/extensions/1001", display_name="Alice B.", revision=revision).status_code == 303
    assert installation.store.extension("1001").record_calls


@pytest.mark.parametrize("role", ["viewer", "technician"])
def test_others_neither_switch_it_nor_listen_but_see_that_it_is_on(
    app: Flask, installation: Installation, recorded: int, role: str
) -> None:
    installation.changes.update_extension("tests", "1001", {"record_calls": True})
    person = Person(app, role)
    answer = person.get("/extensions/1001")
    assert "Calls are recorded" in words_in(answer) and "/record" not in answer.text
    assert person.post("/extensions/1001/record", revision="1").status_code == 403
    for path in ("/calls", "/extensions/1001", f"/calls/{recorded}"):
        answer = person.get(path)
        assert "ecorded" in words_in(answer) and "<audio" not in answer.text, path
    assert person.post(f"/calls/{recorded}/recording/delete").status_code == 403


def test_admin_listens_from_ones_own_origin_and_nothing_is_loaded_before(admin: Person, recorded: int) -> None:
    for path in ("/calls", f"/calls/{recorded}", "/extensions/1001"):
        answer = admin.get(path)
        assert f'<audio id="player-{recorded}" controls preload="none" src="/api/v1/calls/{recorded}/recording"' in answer.text, path
        assert "media-src 'self'" in answer.headers["Content-Security-Policy"]
    heard = admin.get(f"/api/v1/calls/{recorded}/recording")
    assert (heard.status_code, heard.data, heard.mimetype) == (200, SOUND, "audio/wav")
    assert f"Listened to recording of Call {recorded} admin Caller" in words_in(admin.get("/changes"))


def test_recording_is_deleted_and_its_call_stays(admin: Person, installation: Installation, recorded: int, recording: Path) -> None:
    assert "Nobody can bring it back." in words_in(admin.get(f"/calls/{recorded}"))
    assert admin.post(f"/calls/{recorded}/recording/delete").headers["Location"] == f"/calls/{recorded}"
    words = words_in(admin.get(f"/calls/{recorded}"))
    assert "The recording is deleted." in words and "Listen" not in words and "1001 Alice" in words
    assert not recording.exists()
    assert admin.post(f"/calls/{recorded}/recording/delete").status_code == 404


def test_admin_of_some_sites_does_not_listen(app: Flask, installation: Installation, recorded: int, recording: Path) -> None:
    installation.changes.create_site("tests", "berlin", {})
    installation.changes.update_extension("tests", "1001", {"site": "berlin"})
    installation.changes.create_user("tests", "berliner", {"role": "admin", "password": PASSWORD, "sites": ["berlin"]})
    person = Person(app, "berliner")
    answer = person.get(f"/calls/{recorded}")
    assert "This call was recorded." in words_in(answer) and "<audio" not in answer.text
    assert person.get(f"/api/v1/calls/{recorded}/recording").status_code == 403
    assert person.post(f"/calls/{recorded}/recording/delete").status_code == 403
    assert recording.exists()
