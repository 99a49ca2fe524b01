"""One-time codes on one's own page: set up, asked for, reset by an admin, owed by a role."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from provisioner.accounts import totp
from provisioner.admin import create_app
from provisioner.wiring import Installation
from tests.installations import fresh_installation
from tests.web.conftest import PASSWORD, Person, token_in, words_in


def code_of(installation: Installation, secret: bytes, steps: int = 0) -> str:
    """Returns a code of now. The clock stands from then on: no thirty seconds end between a code and its use."""
    now = installation.changes.clock()
    installation.changes.clock = lambda: now
    return totp.code_at(secret, int(now // 30) + steps)


def begun(person: Person, installation: Installation, name: str) -> bytes:
    assert person.post("/you/codes/begin").headers["Location"] == "/you/codes"
    secret = installation.store.codes_setup(name, 0)
    assert secret is not None
    return secret


def turned_on(person: Person, installation: Installation, name: str) -> tuple[bytes, list[str]]:
    secret = begun(person, installation, name)
    answer = person.post("/you/codes", code=code_of(installation, secret, -1), present=PASSWORD)
    assert answer.status_code == 200, words_in(answer)
    return secret, re.findall(r"<li>([a-z2-7]{5}-[a-z2-7]{5})</li>", answer.text)


def signed_in(app: Flask, name: str, **more: str) -> TestResponse:
    stranger = Person(app)
    stranger.token = token_in(stranger.get("/sign-in"))
    return stranger.post("/sign-in", name=name, password=PASSWORD, **more)


@pytest.mark.parametrize("name", ["user", "technician", "admin"])
def test_every_role_sets_them_up(app: Flask, installation: Installation, name: str) -> None:
    person = Person(app, name)
    turned_on(person, installation, name)
    assert "10 recovery codes are left" in words_in(person.get("/you"))


@pytest.fixture
def viewer(app: Flask) -> Person:
    return Person(app, "viewer")


def test_set_up_shows_the_secret_as_drawing_and_text_until_a_code_of_it_comes(
    viewer: Person, app: Flask, installation: Installation
) -> None:
    assert viewer.get("/you/codes").status_code == 303, "nothing is being set up"
    secret = begun(viewer, installation, "viewer")
    answer = viewer.get("/you/codes")
    assert totp.shown_secret(secret) in words_in(answer).replace(" ", "")
    assert "<svg" in answer.text and " style=" not in answer.text and answer.headers["Cache-Control"] == "no-store"
    wrong = viewer.post("/you/codes", code="000000", present=PASSWORD)
    assert wrong.status_code == 422 and "This does not fit" in words_in(wrong)
    wrong = viewer.post("/you/codes", code=code_of(installation, secret), present="wrong")
    assert wrong.status_code == 422 and "not your present password" in words_in(wrong)
    assert signed_in(app, "viewer").status_code == 303, "it counts for nothing yet"


def test_sign_in_asks_for_the_code_and_takes_a_recovery_code_once(viewer: Person, app: Flask, installation: Installation) -> None:
    secret, recovery = turned_on(viewer, installation, "viewer")
    assert len(recovery) == 10
    asked = signed_in(app, "viewer")
    assert asked.status_code == 401 and "one-time code of your authenticator app" in words_in(asked) and 'name="code"' in asked.text
    assert signed_in(app, "viewer", code=code_of(installation, secret, -1)).status_code == 401, "it was used to turn codes on"
    assert signed_in(app, "viewer", code=code_of(installation, secret)).status_code == 303
    assert [signed_in(app, "viewer", code=recovery[0]).status_code for _ in range(2)] == [303, 401]
    assert "9 recovery codes are left" in words_in(viewer.get("/you"))


def test_codes_are_renewed_and_turned_off_with_a_proof(viewer: Person, app: Flask, installation: Installation) -> None:
    _, old = turned_on(viewer, installation, "viewer")
    assert viewer.post("/you/codes/recovery", shown="wrong").status_code == 422
    assert not set(old) & set(words_in(viewer.post("/you/codes/recovery", shown=old[0])).split())
    refused = viewer.post("/you/codes/off", shown=old[1])
    assert refused.status_code == 422 and "This does not fit" in words_in(refused)
    assert viewer.post("/you/codes/off", shown=PASSWORD).status_code == 303
    assert "One-time codes are turned off" in words_in(viewer.get("/you"))
    assert signed_in(app, "viewer").status_code == 303


def test_an_admin_resets_them_for_somebody_who_lost_the_device(
    admin: Person, viewer: Person, app: Flask, installation: Installation
) -> None:
    turned_on(viewer, installation, "viewer")
    assert viewer.post("/people/viewer/no-codes").status_code == 403
    assert "Ask for one-time codes no longer" in words_in(admin.get("/people/viewer"))
    assert admin.post("/people/viewer/no-codes").status_code == 303
    assert "viewer signs in without one-time codes." in words_in(admin.get("/people/viewer"))
    assert signed_in(app, "viewer").status_code == 303
    change = installation.store.changes(limit=2)[1]
    assert (change.actor, change.action, change.subject) == ("user:admin", "user.totp", "viewer")


def test_who_owes_codes_gets_no_further_than_setting_them_up(tmp_path: Path) -> None:
    with fresh_installation(tmp_path, second_factor="admins") as installation:
        for name in ("admin", "viewer"):
            installation.changes.create_user("tests", name, {"role": name, "password": PASSWORD})
        app = create_app(installation)[0]
        admin, viewer = Person(app, "admin"), Person(app, "viewer")
        assert viewer.get("/phones").status_code == 200
        assert admin.get("/phones").headers["Location"] == "/you" == admin.post("/people/viewer/delete").headers["Location"]
        assert installation.store.user("viewer") is not None
        refused = admin.client.get("/api/v1/phones")
        assert refused.status_code == 403 and refused.json is not None and refused.json["reason"] == "second_factor_needed"
        assert admin.client.get("/api/v1/session").status_code == 200
        assert "Set them up first" in words_in(admin.get("/you"))
        turned_on(admin, installation, "admin")
        assert admin.get("/phones").status_code == 200 and admin.client.get("/api/v1/phones").status_code == 200
