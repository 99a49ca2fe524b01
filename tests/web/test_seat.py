"""A hot desk on its phone's page: who sits there, and logging them out."""

from __future__ import annotations

import pytest
from flask import Flask

from provisioner.changes import LineInput, PhoneInput
from provisioner.wiring import Installation
from tests.web.conftest import BARE, MAC, Person, words_in


@pytest.fixture
def desk(installation: Installation) -> None:
    """Bob sits at the phone of 1001."""
    changes = installation.changes
    changes.create_extension("tests", "1002", display_name="Bob")
    changes.create_phone("tests", BARE, PhoneInput(model="acme/a1", lines=[LineInput(1, "1001")], settings={"hot_desk": True}))
    changes.take_seat("tests", BARE, "1002")


@pytest.mark.usefixtures("desk")
def test_who_sits_there_is_shown_and_logged_out(installation: Installation, admin: Person) -> None:
    text = words_in(admin.get(f"/phones/{MAC}"))
    assert "Bob (1002) sits at this phone." in text and "keep the place of extension 1001" in text
    answer = admin.post(f"/phones/{MAC}/seat/out")
    assert (answer.status_code, installation.store.seat(BARE)) == (303, None)
    assert "sits at this phone" not in words_in(admin.get(f"/phones/{MAC}"))
    assert admin.post(f"/phones/{MAC}/seat/out").status_code == 404


@pytest.mark.usefixtures("desk")
def test_a_viewer_sees_it_and_can_do_nothing(app: Flask, installation: Installation) -> None:
    viewer = Person(app, "viewer")
    assert "sits at this phone" in words_in(viewer.get(f"/phones/{MAC}"))
    assert "/seat/out" not in viewer.get(f"/phones/{MAC}").text
    assert viewer.post(f"/phones/{MAC}/seat/out").status_code == 403
    assert installation.store.seat(BARE) is not None
