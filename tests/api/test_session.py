"""Signing in over the API, and what a session may without its CSRF token."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from provisioner.accounts import totp
from provisioner.accounts.cookies import COOKIE
from provisioner.wiring import Installation
from tests.api.conftest import Api, errors, reason

PASSWORD = "correct horse battery"


@pytest.fixture
def alice(installation: Installation) -> str:
    installation.changes.create_user("tests", "alice", {"role": "admin", "password": PASSWORD})
    return "alice"


@pytest.fixture
def person(app: Flask, alice: str) -> Api:
    """A browser in which alice has signed in, its CSRF token in every request."""
    browser = Api(app, None)
    answer = sign_in(browser, alice)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    browser.headers = {"X-CSRF-Token": answer.get_json()["csrf_token"]}
    return browser


def sign_in(browser: Api, name: str, password: str = PASSWORD, **more: Any) -> TestResponse:
    return browser.post("/session", {"name": name, "password": password, **more.pop("body", {})}, **more)


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(app: Flask, alice: str) -> None:
    answer = sign_in(Api(app, None), alice)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "; HttpOnly" in cookie
    assert "; SameSite=Strict" in cookie
    assert "; Path=/" in cookie
    assert "Secure" not in cookie
    assert answer.get_json() | {"csrf_token": ""} == {
        "name": "user:alice", "user": "alice", "role": "admin", "sites": None, "extensions": [], "language": "", "csrf_token": "",
    }  # fmt: skip


def test_the_cookie_is_secure_over_tls(tmp_path: Any) -> None:
    from provisioner.api import create_admin_app
    from tests.installations import fresh_installation

    with fresh_installation(tmp_path, trusted_proxies="127.0.0.1/32") as installation:
        installation.changes.create_user("tests", "alice", {"role": "admin", "password": PASSWORD})
        browser = Api(create_admin_app(installation), None)
        assert "; Secure" in sign_in(browser, "alice", headers={"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
        assert "; Secure" in sign_in(browser, "alice", base_url="https://localhost/").headers["Set-Cookie"]
        assert "Secure" not in sign_in(browser, "alice").headers["Set-Cookie"]


def test_a_stranger_cannot_say_that_it_came_over_tls(app: Flask, alice: str) -> None:
    assert "Secure" not in sign_in(Api(app, None), alice, headers={"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]


def test_a_session_reads_without_and_writes_only_with_the_csrf_token(app: Flask, person: Api) -> None:
    assert person.get("/phones").status_code == 200
    assert person.post("/extensions", {"number": "1001"}).status_code == 201
    for headers in ({"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}):
        answer = person.post("/extensions", {"number": "1002"}, headers=headers)
        assert (answer.status_code, reason(answer)) == (403, "forbidden")
    assert person.get("/extensions/1002").status_code == 404
    assert person.get("/changes").get_json()["items"][0]["actor"] == "user:alice"


def test_the_csrf_token_of_another_session_does_not_do(app: Flask, person: Api, alice: str) -> None:
    other = sign_in(Api(app, None), alice).get_json()["csrf_token"]
    assert person.post("/extensions", {"number": "1002"}, headers={"X-CSRF-Token": other}).status_code == 403


def test_signing_out_ends_the_session_and_takes_the_cookie_away(person: Api) -> None:
    cookie = person.client.get_cookie(COOKIE)
    assert cookie is not None
    answer = person.delete("/session")
    assert answer.status_code == 204
    assert f"{COOKIE}=;" in answer.headers["Set-Cookie"]
    person.client.set_cookie(COOKIE, cookie.value)
    assert person.get("/session").status_code == 401


def test_a_wrong_password_says_neither_which_nor_whether(app: Flask, alice: str) -> None:
    known, unknown = sign_in(Api(app, None), alice, "wrong"), sign_in(Api(app, None), "mallory", "wrong")
    assert (known.status_code, known.get_json(force=True)) == (unknown.status_code, unknown.get_json(force=True))
    assert reason(known) == "unauthorized"
    assert "Set-Cookie" not in known.headers


def test_a_form_of_another_site_cannot_sign_anybody_in(app: Flask, alice: str) -> None:
    form = {"name": alice, "password": PASSWORD}
    assert Api(app, None).send("POST", "/session", data=form).status_code == 415


def test_guessing_ends_in_429_with_the_time_to_wait(app: Flask, alice: str) -> None:
    browser = Api(app, None)
    answers = [sign_in(browser, alice, "wrong") for _ in range(12)]
    assert [answer.status_code for answer in answers[:10]] == [401] * 10
    assert reason(answers[-1]) == "rate_limited"
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_a_code_is_asked_for_by_its_own_reason(app: Flask, alice: str, installation: Installation) -> None:
    secret = totp.new_secret()
    installation.changes.set_user_totp("tests", alice, secret)
    answer = sign_in(Api(app, None), alice)
    assert (answer.status_code, reason(answer)) == (401, "code_needed")
    code = totp.code_at(secret, int(installation.changes.clock() // 30))
    assert sign_in(Api(app, None), alice, body={"code": code}).status_code == 200


def test_one_changes_ones_own_password(person: Api, app: Flask, alice: str) -> None:
    wrong = person.put("/session/password", {"present": "x", "new": "another horse, another"})
    assert list(errors(wrong)) == ["present"]
    assert list(errors(person.put("/session/password", {"present": PASSWORD, "new": "short"}))) == ["password"]
    assert person.put("/session/password", {"present": PASSWORD, "new": "another horse, another"}).status_code == 204
    assert person.get("/session").status_code == 200
    assert sign_in(Api(app, None), alice).status_code == 401


def test_one_sees_and_ends_ones_other_sessions(app: Flask, person: Api, alice: str) -> None:
    other = Api(app, None)
    sign_in(other, alice)
    assert sorted(row["is_this"] for row in person.get("/session/all").get_json()) == [False, True]
    assert person.delete("/session/all").status_code == 204
    assert [row["is_this"] for row in person.get("/session/all").get_json()] == [True]
    assert other.get("/session").status_code == 401


def test_a_token_sees_itself_and_has_no_session(admin: Api) -> None:
    shown = admin.get("/session").get_json()
    assert (shown["name"], shown["user"]) == ("settings:api_token", "")
    assert "csrf_token" not in shown
    for method, path in (("DELETE", "/session"), ("GET", "/session/all"), ("DELETE", "/session/all")):
        assert admin.send(method, path).status_code == 404
