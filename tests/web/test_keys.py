"""The editors of keys and of layouts without scripts, who may use them, and two editors at once."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from provisioner.changes import KeyInput, LayoutKeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.wiring import Installation
from tests.web.conftest import BARE, MAC, PASSWORD, Person, words_in

KEYS = f"/phones/{MAC}/keys"
OTHER = Mac("02acde000002")


def hidden(answer: TestResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found, name
    return html.unescape(found[1])


def form_of(answer: TestResponse, **fields: Any) -> dict[str, Any]:
    return {name: hidden(answer, name) for name in ("revision", "was", "keys")} | fields


def laid(installation: Installation, mac: Mac = BARE) -> dict[int, tuple[str, str]]:
    record = installation.store.phone(mac)
    assert record is not None
    return {key.key: (key.type, key.value) for key in record.keys}


def test_keys_are_laid_out_without_scripts(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.update_phone("tests", phone, PhoneInput(keys=[]))
    opened = admin.post(KEYS, **form_of(admin.get(KEYS)), edit="0.4")
    assert hidden(opened, "panel.place") == "0.4"
    fields = {"panel.place": "0.4", "panel.type": "blf", "panel.value": "1001", "panel.label": "", "panel.line": "1"}
    drawn = admin.post(KEYS, **form_of(opened), **fields, apply="yes")
    assert json.loads(hidden(drawn, "keys")) == {"0.4": ["blf", "1001", "", 1]}
    moved = admin.post(KEYS, **form_of(drawn), **{**fields, "panel.move": "0.6"}, move="yes")
    assert admin.post(KEYS, **form_of(moved), save="yes").status_code == 303
    assert laid(installation) == {6: ("blf", "1001")}


def test_what_does_not_fit_is_named_and_kept_in_the_form(admin: Person, phone: Mac, installation: Installation) -> None:
    before = laid(installation)
    state = json.dumps({"0.9": ["blf", "1001", "", 1]})
    answer = admin.post(KEYS, **{**form_of(admin.get(KEYS)), "keys": state}, save="yes")
    assert answer.status_code == 422
    assert "there are keys 1 to 8 here; free is key" in words_in(answer)
    assert json.loads(hidden(answer, "keys")) == json.loads(state)
    assert laid(installation) == before
    said = admin.post(f"{KEYS}/check", keys=state, scripted="yes")
    assert said.status_code == 200 and 'data-wrong="0.9"' in said.text


def test_check_tells_the_lines_that_change(admin: Person, phone: Mac) -> None:
    said = admin.post(f"{KEYS}/check", keys=json.dumps({"0.5": ["speed_dial", "0800", "Desk", 1]}), scripted="yes")
    assert "key.0.5 = speed_dial 0800 Desk" in html.unescape(said.text) and "does not restart" in said.text


def test_state_that_no_page_of_ours_sends_is_refused(admin: Person, phone: Mac) -> None:
    for state in ("", "[]", "null", "{", '{"0.1": []}', '{"0.1": [1, 2, 3, 4]}', '{"0.1": ["blf", "1", "", "x"]}'):
        assert admin.post(KEYS, keys=state, save="yes").status_code == 422, state


def test_second_editor_gets_both_versions(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.update_phone("tests", phone, PhoneInput(keys=[KeyInput(3, "blf", "1001")]))
    form = form_of(admin.get(KEYS))
    theirs = [KeyInput(3, "url", "http://theirs.example"), KeyInput(4, "blf", "1001")]
    installation.changes.update_phone("other", phone, PhoneInput(keys=theirs))
    mine = {"0.3": ["speed_dial", "0800", "", 1], "0.7": ["blf", "1001", "", 1]}
    answer = admin.post(KEYS, **{**form, "keys": json.dumps(mine)}, save="yes")
    assert answer.status_code == 409
    assert "theirs is URL http://theirs.example" in words_in(answer)
    assert set(json.loads(hidden(answer, "keys"))) == {"0.3", "0.4", "0.7"}
    assert admin.post(KEYS, **form_of(answer), save="yes").status_code == 303
    assert laid(installation) == {3: ("speed_dial", "0800"), 4: ("blf", "1001"), 7: ("blf", "1001")}


def test_user_writes_the_own_phone_alone(app: Flask, phone: Mac, installation: Installation) -> None:
    installation.changes.create_phone("tests", OTHER, PhoneInput(model="acme/a1"))
    installation.changes.create_user("tests", "hers", {"role": "user", "password": PASSWORD, "extensions": ["1001"]})
    installation.changes.update_phone("tests", phone, PhoneInput(lines=[LineInput(1, "1001")], keys=[]))
    person = Person(app, "hers")
    state = json.dumps({"0.5": ["blf", "1001", "", 1]})
    assert person.post(KEYS, **{**form_of(person.get(KEYS)), "keys": state}, save="yes").status_code == 303
    assert laid(installation) == {5: ("blf", "1001")}
    assert MAC in words_in(person.get("/you"))
    for path in (f"/phones/{OTHER.colons}/keys", f"/phones/{OTHER.colons}/keys/check"):
        assert person.post(path, keys=state, save="yes").status_code == 404
    assert person.get(f"/phones/{OTHER.colons}/keys").status_code == 404
    assert laid(installation, OTHER) == {}


def test_viewer_looks_and_does_not_write(app: Flask, phone: Mac) -> None:
    viewer = Person(app, "viewer")
    shown = viewer.get(KEYS)
    assert shown.status_code == 200 and "Save the keys" not in shown.text
    assert viewer.post(KEYS, keys="{}", save="yes").status_code == 403


def test_keys_are_copied_after_they_were_shown(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.create_phone("tests", OTHER, PhoneInput(model="acme/a1"))
    installation.changes.create_phone("tests", Mac("02acde000003"), PhoneInput(model="acme/a2"))
    installation.changes.update_phone("tests", phone, PhoneInput(keys=[KeyInput(3, "blf", "1001")]))
    chosen = {"place": "0.3", "mac": [OTHER, "02acde000003"]}
    shown = admin.post(f"{KEYS}/copy", **chosen)
    assert "1 phone is left out" in words_in(shown) and laid(installation, OTHER) == {}
    assert admin.post(f"{KEYS}/copy", **chosen, sure="yes").status_code == 303
    assert laid(installation, OTHER) == {3: ("blf", "1001")}
    assert "Choose keys and phones." in words_in(admin.post(f"{KEYS}/copy"))


def test_layout_is_made_laid_out_and_deleted(admin: Person, phone: Mac, installation: Installation) -> None:
    assert admin.post("/layouts", name="Sales").status_code == 303
    assert "of this name already" in words_in(admin.post("/layouts", name="Sales"))
    form = form_of(admin.get("/layouts/Sales?model=acme/a1"))
    fields = {
        "panel.place": "0.3",
        "panel.type": "blf",
        "panel.value": "",
        "panel.label": "Colleague",
        "panel.line": "1",
        "panel.slot": "yes",
    }
    drawn = admin.post("/layouts/Sales?model=acme/a1", **form, **fields, apply="yes")
    assert admin.post("/layouts/Sales", **form_of(drawn), save="yes").status_code == 303
    layout = installation.store.layout("Sales")
    assert layout is not None and [(row.key.key, row.key.label, row.slot) for row in layout.keys] == [(3, "Colleague", True)]
    said = admin.post("/layouts/Sales/check", keys=json.dumps({"0.9": ["blf", "1", "", 1, False]}), model="acme/a1", scripted="yes")
    assert 'data-wrong="0.9"' in said.text
    assert "To be filled" in words_in(admin.get("/layouts/Sales?model=acme/a1"))
    assert admin.post("/layouts/Sales/delete").status_code == 303
    assert installation.store.layout("Sales") is None


def test_second_editor_of_a_layout_gets_both_versions(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.put_layout("tests", "Sales", [LayoutKeyInput(3, "blf", "1001")])
    form = form_of(admin.get("/layouts/Sales?model=acme/a1"))
    installation.changes.put_layout("other", "Sales", [LayoutKeyInput(3, "url", "http://theirs.example"), LayoutKeyInput(4, "blf", "1001")])
    answer = admin.post("/layouts/Sales", **{**form, "keys": json.dumps({"0.3": ["speed_dial", "0800", "", 1, False]})}, save="yes")
    assert answer.status_code == 409 and "theirs is URL http://theirs.example" in words_in(answer)
    assert set(json.loads(hidden(answer, "keys"))) == {"0.3", "0.4"}


def test_layout_that_a_phone_cannot_have_is_told_before_it_is_given(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.create_phone("tests", OTHER, PhoneInput(model="acme/a2"))
    installation.changes.put_layout("tests", "Sales", [LayoutKeyInput(3, "blf", "1001")])
    fields = {"action": "layout", "layout_to": "Sales", "mac": [phone, OTHER]}
    asked = admin.post("/phones/many", **fields)
    assert "1 phone cannot have it" in words_in(asked) and "has no keys of its own" in words_in(asked)
    assert admin.post("/phones/many", **{**fields, "mac": [phone]}, sure="yes").status_code == 303
    record = installation.store.phone(phone)
    assert record is not None and record.layout == "Sales"
    assert "This phone has the layout Sales" in words_in(admin.get(KEYS))
