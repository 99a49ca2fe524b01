"""Who may see and do what, and forms that are not ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from provisioner.core.mac import Mac
from provisioner.records import ROLES
from provisioner.wiring import Installation
from tests.web.conftest import HTML, MAC, PASSWORD, Person, token_in, words_in
from web import guard
from web.guard import own_path, role_needed

FILLED = {"mac": MAC, "number": "1001", "name": "default", "vendor": "acme", "tag": "x", "change": "1", "call": "1", "delivery": "1"}


def page_rules(app: Flask) -> list[tuple[str, str, str]]:
    """Returns (method, path, role) of every page and form."""
    return [
        (
            method,
            re.sub(r"<(?:\w+:)?(\w+)>", lambda found: FILLED[found[1]], rule.rule),
            role_needed(app.view_functions[rule.endpoint], method),
        )
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("web.")
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
    ]


def test_nobody_sees_a_page_without_signing_in(app: Flask) -> None:
    for method, path, role in page_rules(app):
        if role != "nobody" and method == "GET":
            answer = app.test_client().get(path, headers=HTML)
            assert answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in"), path


def test_every_form_refuses_what_does_not_carry_its_token(app: Flask, admin: Person) -> None:
    forms = [path for method, path, _ in page_rules(app) if method == "POST"]
    assert len(forms) > 25
    for path in forms:
        assert admin.client.post(path, headers=HTML).status_code == 403, path
        assert admin.client.post(path, data={"csrf_token": "0" * 64}, headers=HTML).status_code == 403, path


@pytest.mark.parametrize("role", ["user", "viewer", "technician"])
def test_every_page_and_form_asks_for_its_role(app: Flask, phone: Mac, installation: Installation, role: str) -> None:
    person = Person(app, role)
    newest = installation.store.changes(limit=1)[0].id
    for method, path, needed in page_rules(app):
        if needed == "nobody" or ROLES.index(needed) <= ROLES.index(role):
            continue
        answer = person.get(path) if method == "GET" else person.post(path)
        assert answer.status_code == 403, (method, path)
        assert "Not allowed" in words_in(answer)
    assert installation.store.changes(limit=1)[0].id == newest


def test_wrong_password_is_refused_and_said(app: Flask) -> None:
    person = Person(app)
    person.token = token_in(person.get("/sign-in"))
    answer = person.post("/sign-in", name="admin", password="wrong")
    assert answer.status_code == 401 and "do not fit" in words_in(answer)
    assert "provisioner_session" not in str(answer.headers)


def test_signing_in_goes_on_to_where_one_wanted_to_go(app: Flask) -> None:
    person = Person(app)
    assert person.get("/phones?stage=held").headers["Location"] == "/sign-in?next=/phones?stage%3Dheld"
    person.token = token_in(person.get("/sign-in"))
    answer = person.post("/sign-in", name="admin", password=PASSWORD, next="/phones?stage=held")
    assert answer.headers["Location"] == "/phones?stage=held"
    cookie = next(value for name, value in answer.headers if name == "Set-Cookie" and "provisioner_session" in value)
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "/a\nb", ""]
)
def test_nobody_is_sent_elsewhere(elsewhere: str) -> None:
    assert own_path(elsewhere) == "/"


def test_signing_out_ends_the_session(app: Flask, admin: Person) -> None:
    cookie = admin.client.get_cookie("provisioner_session")
    assert admin.post("/sign-out").status_code == 303
    again = app.test_client()
    again.set_cookie("provisioner_session", cookie.value if cookie else "")
    assert again.get("/phones", headers=HTML).status_code == 302


def test_part_of_a_page_sends_the_whole_page_to_sign_in(app: Flask) -> None:
    answer = app.test_client().get("/phones", headers={**HTML, "HX-Request": "true"})
    assert answer.status_code == 204 and answer.headers["HX-Redirect"].startswith("/sign-in")


def test_one_changes_ones_own_password(app: Flask) -> None:
    person = Person(app, "viewer")
    assert "differ" in words_in(person.post("/you/password", present=PASSWORD, new="a", again="b"))
    assert person.post("/you/password", present="wrong", new="quite another password", again="quite another password").status_code == 422
    assert person.post("/you/password", present=PASSWORD, new="quite another password", again="quite another password").status_code == 303


def test_every_part_that_fetches_itself_is_known_by_its_id() -> None:
    """What is fetched for nobody keeps no session alive: the guard knows it by how its id begins."""
    parts = [
        (path.name, tag)
        for path in (Path(guard.__file__).parent / "templates").glob("*.html")
        for tag in re.findall(r"<[^>]*\bdata-live=[^>]*>", re.sub(r"\{[{%].*?[%}]\}", "", path.read_text("utf-8")))
    ]
    assert len(parts) > 10
    assert [part for part in parts if f' id="{guard.LIVE_PART}' not in part[1]] == []
