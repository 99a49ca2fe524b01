"""The makers' redirect services on pages: what they have, what they are still to forget, and one phone there."""

from __future__ import annotations

import pytest
from flask import Flask

from provisioner.core.mac import Mac
from provisioner.wiring import Installation
from tests.web.conftest import MAC, PASSWORD, Person, words_in

FIELDS = {"api_key": "redirect-secret-marker", "profile": "office"}


@pytest.fixture
def tech(app: Flask) -> Person:
    return Person(app, "technician")


def test_phone_is_asked_for_shown_and_taken_off(tech: Person, phone: Mac, installation: Installation) -> None:
    assert "There is no account yet." in words_in(tech.get(f"/phones/{MAC}/redirect"))
    assert "an admin sets it first" in words_in(tech.post(f"/phones/{MAC}/redirect"))
    installation.changes.set_redirect_account("tests", "acme", "https://service.example", FIELDS, tuple(FIELDS))
    assert "It was not asked for this phone." in words_in(tech.get(f"/phones/{MAC}/redirect"))
    assert tech.post(f"/phones/{MAC}/redirect", serial="no blanks").status_code == 422
    assert tech.post(f"/phones/{MAC}/redirect").status_code == 303
    record = installation.store.redirect(phone)
    assert record is not None
    installation.changes.note_redirect(record, "registered", "", None)
    assert "It has the phone" in words_in(tech.get(f"/phones/{MAC}/redirect"))
    assert MAC in words_in(tech.get("/redirects"))
    assert tech.post(f"/phones/{MAC}/redirect/end").status_code == 303
    answer = tech.get(f"/phones/{MAC}/redirect")
    assert "Asked to forget it" in words_in(answer) and "Take it off there" not in words_in(answer)
    assert "redirect-secret-marker" not in answer.text + tech.get("/redirects").text


def test_phone_off_the_list_is_shown_until_somebody_ends_it(tech: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.set_redirect_account("tests", "acme", "https://service.example", FIELDS, tuple(FIELDS))
    tech.post(f"/phones/{MAC}/redirect")
    assert tech.post(f"/phones/{MAC}/delete").status_code == 303
    kept = installation.store.redirect_removals()[0]
    installation.changes.note_redirect_removal(kept, "refused", "this key may not delete", None)
    words = words_in(tech.get("/redirects"))
    assert MAC in words and "Refused" in words and "This key may not delete." in words
    assert "1 phone could not be taken off its maker's redirect service." in words_in(tech.get("/"))
    assert tech.post(f"/redirects/{MAC}/retry").status_code == 303
    assert "Asked to forget it" in words_in(tech.get("/redirects")) and "could not be taken off" not in words_in(tech.get("/"))
    assert tech.post(f"/redirects/{MAC}/forget").status_code == 303
    assert installation.store.redirect_removals() == [] and tech.post(f"/redirects/{MAC}/retry").status_code == 404


def test_services_are_of_the_whole_installation(app: Flask, installation: Installation, phone: Mac) -> None:
    installation.changes.create_user("tests", "theirs", {"role": "admin", "password": PASSWORD, "sites": ["default"]})
    person = Person(app, "theirs")
    assert person.get("/redirects").status_code == 403 and person.get(f"/phones/{MAC}/redirect").status_code == 403
    assert "/redirect" not in person.get(f"/phones/{MAC}/install").text + person.get("/enrolment").text
    assert Person(app, "viewer").get("/redirects").status_code == 403
