"""Recordings on the pages: who has calls recorded."""

from __future__ import annotations

import pytest
from flask import Flask

from provisioner.wiring import Installation
from tests.web.conftest import Person, words_in


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
def test_others_do_not_switch_it_but_see_that_it_is_on(app: Flask, installation: Installation, role: str) -> None:
    installation.changes.update_extension("tests", "1001", {"record_calls": True})
    person = Person(app, role)
    answer = person.get("/extensions/1001")
    assert "Calls are recorded" in words_in(answer) and "/record" not in answer.text
    assert person.post("/extensions/1001/record", revision="1").status_code == 403
