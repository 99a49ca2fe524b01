"""Forms that show what they would change before they are saved, and undoing with the same look ahead."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from provisioner.changes import LayoutKeyInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.records import ChangeRecord
from provisioner.wiring import Installation
from tests.web.conftest import BARE, MAC, Person, words_in
from web.plain import plainly


def newest(installation: Installation) -> int:
    return installation.store.changes(limit=1)[0].id


@pytest.fixture
def layout(installation: Installation, phone: Mac) -> str:
    installation.changes.put_layout("tests", "Sales", [LayoutKeyInput(4, "speed_dial", "112", "Help")])
    installation.changes.put_group("tests", "Desk", {})
    installation.changes.update_phone("tests", phone, PhoneInput(layout="Sales", group="Desk"))
    return "Sales"


EDIT = {"model": "acme/a1", "site": "default", "group": "Desk", "enabled": "yes", "line.1.extension": "1001", "line.1.label": "Reception"}
FORMS = [
    (f"/phones/{MAC}/settings", {"setting": "timezone", "value": "Europe/Oslo"}, "Europe/Oslo"),
    (f"/phones/{MAC}/settings", {"setting": "timezone", "remove": "yes"}, "Asia/Tokyo"),
    (f"/phones/{MAC}/edit", EDIT, "Reception"),
    ("/layouts/Sales", {"keys": '{"0.4": ["speed_dial", "113", "Help", 1, false]}', "scripted": "yes"}, "113"),
    ("/sites/default/settings", {"setting": "timezone", "value": "Europe/Oslo"}, "Europe/Oslo"),
    ("/groups/Desk/settings", {"setting": "timezone", "value": "Europe/Oslo"}, "Europe/Oslo"),
]


@pytest.mark.parametrize(("path", "fields", "told"), FORMS, ids=[f"{path} {fields.get('remove', '')}" for path, fields, _ in FORMS])
def test_form_shows_what_it_would_change_then_saves_it(admin: Person, installation: Installation, layout: str, path: str, fields: dict[str, str], told: str) -> None:  # fmt: skip
    if "remove" in fields:
        installation.changes.update_phone("tests", BARE, PhoneInput(settings={"timezone": "Asia/Tokyo"}, merge_settings=True))
    before = newest(installation)
    answer = admin.post(path, **fields, preview="yes")
    words = words_in(answer)
    assert answer.status_code == 200 and "Nothing is saved yet." in words and told in words
    assert "1 phone gets other files." in words and "No restart" in words and MAC in words
    assert newest(installation) == before
    form = answer.text.partition('id="phones"')[2].partition("</form>")[0]
    kept = dict(re.findall(r'<input type="hidden" name="(?!csrf)([^"]+)" value="([^"]*)">', form))
    assert kept.keys() == fields.keys()
    again = admin.post(path, **fields, again="yes")
    assert again.status_code == 200 and newest(installation) == before
    assert admin.post(path, **fields, save="yes").status_code == 303
    assert newest(installation) > before


def test_preview_shows_no_secret_and_is_refused_as_the_write_is(admin: Person, app: Flask, phone: Mac) -> None:
    answer = admin.post(f"/phones/{MAC}/settings", setting="admin_password", value="new-secret-77", preview="yes")
    shown = re.sub(r"<input[^>]*>", "", answer.text)
    assert answer.status_code == 200 and "new-secret-77" not in shown and "phone-secret-9" not in answer.text
    assert "only secrets change" in words_in(answer)
    assert admin.post(f"/phones/{MAC}/settings", setting="voice_vlan", value="9999", preview="yes").status_code == 422
    assert Person(app, "viewer").post(f"/phones/{MAC}/settings", setting="voice_vlan", value="3", preview="yes").status_code == 403


def test_what_changes_nothing_is_said_to(admin: Person, phone: Mac) -> None:
    words = words_in(admin.post(f"/phones/{MAC}/settings", setting="voice_vlan", value="20", preview="yes"))
    assert "nothing changes" in words and "come out the same" in words


def test_many_phones_alike_are_shown_as_one(admin: Person, installation: Installation, phone: Mac) -> None:
    for number in range(2, 62):
        installation.changes.create_phone("tests", Mac(f"02acde{number:06x}"), PhoneInput(model="acme/a1"))
    answer = admin.post("/sites/default/settings", setting="timezone", value="Europe/Oslo", preview="yes")
    words = words_in(answer)
    assert "50 phones get other files." in words and "Of 61 phones whose files are made anew, the first 50 were compared." in words
    assert answer.text.count('class="alike"') == 1 and len(answer.text) < 60_000


def test_undoing_is_seen_first_and_tells_what_goes_with_it(admin: Person, installation: Installation, phone: Mac) -> None:
    changes = installation.changes
    changes.update_phone("tests", phone, PhoneInput(firmware="2.0"))
    first = newest(installation)
    changes.update_phone("bob", phone, PhoneInput(settings={"voice_vlan": 30}, merge_settings=True))
    table = admin.get(f"/phones/{MAC}/changes").text
    assert table.count("Back to before this") == 2 and table.count("Undo …</a>") == 1
    words = words_in(admin.get(f"/changes/{first}/undo"))
    assert "1 later change of the same is undone with it." in words and "bob" in words
    assert "Firmware Before: 2.0 After: empty" in words and "Before: 30 After: 20" in words
    at = newest(installation)
    record = installation.store.phone(phone)
    assert record is not None and record.firmware == "2.0"
    stale = admin.post(f"/changes/{first}/undo", revision=str(record.revision - 1))
    assert stale.status_code == 409 and "changed this again since you opened the page" in words_in(stale) and newest(installation) == at
    assert admin.post(f"/changes/{first}/undo", revision=str(record.revision)).status_code == 303
    record = installation.store.phone(phone)
    assert record is not None and record.firmware == "" and record.settings["voice_vlan"] == 20


def test_undoing_that_cannot_be_says_why(admin: Person, installation: Installation, phone: Mac) -> None:
    made = next(row for row in installation.store.changes() if row.action == "extension.create" and row.subject == "1001")
    answer = admin.get(f"/changes/{made.id}/undo")
    assert answer.status_code == 200 and "is on a line of" in words_in(answer) and "Undo it" not in words_in(answer)
    assert admin.post(f"/changes/{made.id}/undo", revision="1").status_code == 422
    assert admin.get("/changes/999/undo").status_code == 404 == admin.get(f"/changes/{10**30}/undo").status_code
    signed_in = next(row for row in installation.store.changes() if row.action == "session.open")
    assert admin.get(f"/changes/{signed_in.id}/undo").status_code == 422


def test_phone_that_comes_back_lacks_its_secrets_which_are_named(admin: Person, installation: Installation, phone: Mac) -> None:
    installation.changes.delete_phone("tests", phone)
    number = newest(installation)
    words = words_in(admin.get(f"/changes/{number}/undo"))
    assert "These secrets are kept nowhere" in words and "Listed: its files are made" in words
    answer = admin.post(f"/changes/{number}/undo", revision="")
    assert answer.status_code == 303 and answer.headers["Location"] == f"/phones/{MAC}/changes"
    assert "These secrets are kept nowhere" in words_in(admin.get(answer.headers["Location"]))
    assert installation.store.phone(BARE) is not None


def test_nobody_is_offered_an_undoing_that_they_may_not_do(app: Flask, installation: Installation, phone: Mac) -> None:
    installation.changes.update_site("tests", "default", {"settings": {"voice_vlan": 3}})
    number = newest(installation)
    link = f"/changes/{number}/undo"
    assert link in Person(app, "admin").get("/changes").text
    for role in ("technician", "viewer"):
        person = Person(app, role)
        assert link not in person.get("/changes").text
        assert person.get(link).status_code == 403 == person.post(link).status_code


@pytest.mark.parametrize(
    ("action", "before", "after", "told"),
    [
        ("phone.update", {"enabled": True, "model": "acme/a1"}, {"enabled": False, "model": "acme/a1"}, [("Switched on", "yes", "no")]),
        ("phone.update", {"keys": []}, {"keys": [[1, 3, "blf", "1002", "Bob", 2]]}, [("Key 3 of module 1", "", "BLF 1002 Bob on line 2")]),
        ("phone.update", {"lines": [[1, "1001", ""]]}, {"lines": [[1, "1001", "Desk"]]}, [("Line 1", "1001", "1001 · Desk")]),
        ("layout.put", None, {"keys": [[0, 4, "blf", "", "", 1, "slot"]]}, [("Key 4", "", "BLF (slot)")]),
        ("group.put", {"voice_vlan": 5}, {}, [("Voice VLAN", "5", "")]),
        ("phone.update", {"settings": {}}, {"settings": {"voice_vlan": 5}}, [("Voice VLAN", "", "5")]),
        ("phone.update", {"settings": {}}, {"settings": {"gone_by_now": "x"}}, [("gone by now", "", "x")]),
        ("phone.update", {"keys": []}, {"keys": [[0, 3, "odd"]]}, [("Key 3", "", "odd")]),
        ("user.update", {"role": "viewer"}, {"role": "admin"}, [("Role", "Viewer", "Admin")]),
    ],
)
def test_change_is_told_in_plain_words(app: Flask, action: str, before: object, after: object, told: list[tuple[str, str, str]]) -> None:
    with app.test_request_context("/"):
        rows = plainly(ChangeRecord(1, 0.0, "a", action, "s", before, after, 1))
        assert [(row.name, row.before, row.after) for row in rows] == told
