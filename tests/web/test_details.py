"""What single pages get right in the corners: who is taken on, how long a session lasts, odd numbers, languages, settings no list takes."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from provisioner.core.mac import Mac
from provisioner.models import phone as phones
from provisioner.models import sighting
from provisioner.wiring import Installation
from tests.web.conftest import BARE, MAC, Person, words_in
from web.i18n import translations

SEEN = Mac("02acde000044")


@pytest.fixture
def seen(installation: Installation) -> None:
    installation.changes.create_site("tests", "berlin", {"trusted_networks": ["10.2.0.0/16"], "pool": "2000-2009"})
    row = {
        "vendor": "acme",
        "model": "a1",
        "firmware": "1.2",
        "first_seen": 1.0,
        "last_seen": 2.0,
        "count": 1,
        "conflict": "",
        "peer": "10.2.0.7",
    }
    with installation.database.write() as connection:
        connection.execute(sighting.insert().values(mac=SEEN, **row))


def test_what_is_left_open_is_chosen_for_a_phone_that_is_taken_on(admin: Person, seen: None, installation: Installation) -> None:
    form = admin.get(f"/seen/{SEEN.colons}").text
    assert "As its address says" in form and re.search(r'value="acme/a1" selected', form)
    assert admin.post(f"/seen/{SEEN.colons}", model="acme/a1", site="", **{"line.1.extension": ""}).status_code == 303
    record = installation.store.phone(SEEN)
    assert record and (record.site, record.firmware, record.lines[0].extension) == ("berlin", "1.2", "2000")


def test_what_is_said_of_a_phone_that_is_taken_on_holds(admin: Person, seen: None, installation: Installation) -> None:
    answer = admin.post(f"/seen/{SEEN.colons}", model="acme/a1", site="default", **{"line.1.extension": "1001"})
    assert answer.status_code == 303
    record = installation.store.phone(SEEN)
    assert record and (record.site, record.lines[0].extension) == ("default", "1001")


def test_model_is_not_chosen_beforehand_where_the_evidence_disagrees(admin: Person, seen: None, installation: Installation) -> None:
    with installation.database.write() as connection:
        connection.execute(sighting.update().values(conflict="two models"))
    assert not re.search(r'value="acme/a1" selected', admin.get(f"/seen/{SEEN.colons}").text)


def test_page_that_fetches_itself_again_keeps_nobody_signed_in(
    app: Flask, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, now = Person(app, "viewer"), installation.changes.clock()
    step_s = installation.settings.session_idle_minutes * 60 * 0.6
    for number, (headers, status) in enumerate([({}, 200), ({"HX-Trigger": "live"}, 200), ({"HX-Trigger": "live"}, 302)]):
        monkeypatch.setattr(installation.changes, "clock", lambda at=now + number * step_s: at)
        assert person.get("/phones", **headers).status_code == status


@pytest.mark.parametrize("number", ["²", "٣", "1" * 30, "-1", "x"])
def test_number_that_is_none_is_no_fault(admin: Person, phone: Mac, number: str) -> None:
    for path in (f"/phones/{MAC}/fetches?before={number}", f"/changes?before={number}"):
        assert admin.get(path).status_code == 200
    answer = admin.post(f"/phones/{MAC}/edit", model="acme/a1", site="default", **{f"line.{number}.extension": "1001"})
    assert answer.status_code == 303
    assert admin.post(f"/phones/{MAC}/settings", setting="voice_vlan", value="7", revision=number).status_code == 303


def test_second_person_sees_keys_in_their_own_language(app: Flask, phone: Mac) -> None:
    person = Person(app, "viewer")
    titles = {
        code: re.findall(r"<h3>([^<]+)</h3>", person.get(f"/phones/{MAC}/keys", **{"Accept-Language": code}).text)[0]
        for code in ("fi", "nl")
    }
    assert titles == {code: translations(code).gettext("Keys") for code in titles}


def test_parameters_by_hand_are_shown_also_secret_ones_and_those_no_longer_taken(
    admin: Person, phone: Mac, installation: Installation
) -> None:
    kept = installation.box.seal(b'{"raw.some.password": "phone-secret-7"}', f"phone:{BARE}")
    with installation.database.write() as connection:
        connection.execute(phones.update().values(settings={"raw.gone.parameter": "5"}, secret_settings=kept))
    answer = admin.get(f"/phones/{MAC}/settings")
    assert answer.status_code == 200 and "phone-secret-7" not in answer.text
    words = words_in(answer)
    assert "raw.gone.parameter" in words and "raw.some.password" in words and words.count("no longer has it") == 2
    with installation.database.write() as connection:
        connection.execute(phones.update().values(secret_settings=None))
    assert admin.post(f"/phones/{MAC}/settings", setting="raw.gone.parameter", remove="yes").status_code == 303
    record = installation.store.phone(BARE)
    assert record and record.settings == {}


def test_language_is_chosen_from_wherever_the_form_stands(admin: Person, phone: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.api.pbx.ANSWER_S", 0.2)
    for answer, where in ((admin.post("/pbx/plan"), "/"), (admin.post("/phones/new", mac="12"), "/phones/new")):
        assert f'name="back" value="{where}"' in answer.text
