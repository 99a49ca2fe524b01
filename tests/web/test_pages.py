"""Every page, and what its forms do: through the same functions as the API, with its sentences beside the fields."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from provisioner.changes import LayoutKeyInput
from provisioner.core.mac import Mac
from provisioner.wiring import Installation
from tests.installations import render_all
from tests.web.conftest import BARE, MAC, Person, token_in, words_in

PATHS = [
    "/", "/phones", "/phones?search=1001&stage=held&site=default&model=acme/a1", "/phones/new", f"/phones/{MAC}", f"/phones/{MAC}/files", f"/phones/{MAC}/fetches?reason=served",
    f"/phones/{MAC}/settings", f"/phones/{MAC}/changes", f"/phones/{MAC}/more", f"/phones/{MAC}/edit", "/seen", "/extensions", "/extensions?search=Al",
    "/extensions/new", "/extensions/1001", "/departments", "/sites", "/sites/default", "/sites/default?setting=voice_vlan", "/models", "/models/acme/a1",
    "/import", "/pbx", "/changes", "/changes?subject=1001", "/people", "/people/new", "/people/viewer", "/notices", "/notices/new-recipient", "/notices/new-webhook", "/help", "/you", "/calls", "/calls?extension=1001&outcome=missed&day=2026-11-26",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_page_is_there_with_a_heading_and_its_headers(admin: Person, phone: Mac, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code == 200, words_in(answer)
    assert answer.text.count("<h1") == 1
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert " style=" not in answer.text and " onclick=" not in answer.text and "<style" not in answer.text
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Frame-Options"] == "DENY"
    assert "phone-secret-9" not in answer.text


def test_pages_are_packed_for_browsers_that_take_it(admin: Person, phone: Mac) -> None:
    plain, packed = admin.get("/phones"), admin.get("/phones", **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and len(packed.data) < len(plain.data) / 2


def test_address_that_is_not_there_is_a_page_for_people_and_a_problem_for_programs(admin: Person, app: Flask) -> None:
    assert "Not here" in words_in(admin.get("/nowhere"))
    assert app.test_client().get("/nowhere").content_type == "application/problem+json"
    assert "is not listed" in words_in(admin.get("/phones/02:ac:de:00:00:77"))


@pytest.mark.parametrize("name", ["admin", ""])
def test_language_is_chosen_on_the_page_of_no_address_too(app: Flask, name: str) -> None:
    person = Person(app, name)
    person.token = token_in(person.get("/nowhere?x=1"))
    back = re.search(r'name="back" value="([^"]*)"', person.get("/nowhere?x=1").text)
    assert back and back[1] == "/nowhere?x=1"
    assert person.post("/look", language="fi", theme="dark", back=back[1]).headers["Location"] == back[1]
    answer = person.get("/nowhere?x=1")
    assert answer.status_code == 404 and '<html lang="fi" data-theme="dark"' in answer.text


def test_phone_is_listed_found_edited_and_taken_off(admin: Person, installation: Installation) -> None:
    answer = admin.post(
        "/phones/new", mac="02-AC-DE-00-00-01", model="acme/a1", site="default", enabled="yes", **{"line.1.extension": "1001"}
    )
    assert answer.status_code == 303 and answer.headers["Location"] == f"/phones/{MAC}"
    assert "is listed" in words_in(admin.get(f"/phones/{MAC}"))
    assert MAC in words_in(admin.get("/phones?search=1001"))
    record = installation.store.phone(BARE)
    assert record and record.enabled and record.lines[0].extension == "1001"
    answer = admin.post(f"/phones/{MAC}/edit", revision=record.revision, model="acme/a1", site="default", firmware="2.1", modules="0")
    assert answer.status_code == 303
    record = installation.store.phone(BARE)
    assert record and record.firmware == "2.1" and not record.lines and not record.enabled
    assert admin.post(f"/phones/{MAC}/delete").status_code == 303
    assert installation.store.phone(BARE) is None


def test_mistakes_stand_beside_their_fields(admin: Person) -> None:
    given = {"mac": MAC, "model": "acme/a1", "site": "default", "line.2.extension": "4711", "line.2.label": "x" * 65}
    answer = admin.post("/phones/new", **given)
    assert answer.status_code == 422
    assert re.search(r'id="e-line.2.extension"[^>]*>.*?there is no extension 4711', answer.text, re.DOTALL)
    assert 'value="4711"' in answer.text and "2 things are not right" in words_in(answer)
    assert "hex" in words_in(admin.post("/phones/new", **{**given, "mac": "12"}))


def test_second_editor_sees_the_first_ones_change_and_loses_nothing(
    admin: Person, phone: Mac, installation: Installation, app: Flask
) -> None:
    form = {"model": "acme/a1", "site": "default", "enabled": "yes", "modules": "0", "line.1.extension": "1001"}
    was = {
        "was.model": "acme/a1",
        "was.site": "default",
        "was.enabled": "yes",
        "was.modules": "0",
        "was.firmware": "",
        "was.line.1.extension": "1001",
    }
    other = Person(app, "technician")
    assert other.post(f"/phones/{MAC}/edit", **form, **was, revision=1, firmware="2.0", **{"line.1.label": "Desk"}).status_code == 303
    answer = admin.post(f"/phones/{MAC}/edit", **form, **was, revision=1, firmware="3.0")
    assert answer.status_code == 409
    words = words_in(answer)
    assert "Nothing is lost" in words and "technician" in words
    assert "Saved by somebody else meanwhile: 2.0" in words, "what both changed is told"
    assert 'name="firmware" type="text" value="3.0"' in answer.text, "mine stands"
    assert 'value="Desk"' in answer.text, "what only the other one changed is taken over"
    record = installation.store.phone(BARE)
    assert record and record.firmware == "2.0"
    assert admin.post(f"/phones/{MAC}/edit", **form, **was, revision=2, firmware="3.0", **{"line.1.label": "Desk"}).status_code == 303
    record = installation.store.phone(BARE)
    assert record and record.firmware == "3.0" and record.lines[0].label == "Desk"


def test_files_are_shown_without_secrets_and_with_what_will_change(admin: Person, phone: Mac, installation: Installation) -> None:
    render_all(installation)
    answer = admin.get(f"/phones/{MAC}/files")
    assert "phone-secret-9" not in answer.text and "***" in answer.text
    installation.changes.update_site("tests", "default", {"settings": {"timezone": "Europe/Amsterdam"}})
    render_all(installation, live=False)
    words = words_in(admin.get(f"/phones/{MAC}/files"))
    assert "What will change" in words and "-timezone = UTC" in words and "+timezone = Europe/Amsterdam" in words


def test_settings_tell_where_they_come_from_and_are_set_and_taken_off(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.update_site("tests", "default", {"settings": {"voice_vlan": 30}})
    words = words_in(admin.get(f"/phones/{MAC}/settings"))
    assert re.search(r"voice_vlan 20 [^.]*?This phone Site default: 30", words)
    assert admin.post(f"/phones/{MAC}/settings", setting="voice_vlan", remove="yes").status_code == 303
    assert re.search(r"voice_vlan 30 [^.]*?Site default", words_in(admin.get(f"/phones/{MAC}/settings")))
    answer = admin.post(f"/phones/{MAC}/settings", setting="voice_vlan", value="many")
    assert answer.status_code == 422 and "whole number" in words_in(answer)


def test_phone_is_woken_and_swapped(admin: Person, phone: Mac, installation: Installation) -> None:
    admin.post(f"/phones/{MAC}/wake")
    admin.post(f"/phones/{MAC}/wake", reboot="yes")
    assert [row.action for row in installation.store.changes(subject=BARE, limit=2)] == ["phone.reboot", "phone.resync"]
    assert admin.post(f"/phones/{MAC}/swap", mac="zz").status_code == 422
    answer = admin.post(f"/phones/{MAC}/swap", mac="02:ac:de:00:00:02")
    assert answer.headers["Location"] == "/phones/02:ac:de:00:00:02"
    assert installation.store.phone(BARE) is None


def test_own_address_is_shown_to_an_admin_and_that_is_kept(admin: Person, phone: Mac, installation: Installation) -> None:
    assert "/p/" not in admin.get(f"/phones/{MAC}/more").text
    assert "/p/" in admin.post(f"/phones/{MAC}/address").text
    assert installation.store.changes(limit=1)[0].action == "phone.token_shown"


def test_extension_is_made_edited_and_deleted(admin: Person, installation: Installation) -> None:
    assert admin.post("/extensions/new", number="1002", display_name="Bob", department="Sales").status_code == 303
    answer = admin.post("/extensions/1002", display_name="Bobby", email="nobody", department="Sales")
    assert answer.status_code == 422 and "not an e-mail address" in words_in(answer)
    assert admin.post("/extensions/1002", display_name="Bobby", email="", department="Sales", revision="1").status_code == 303
    answer = admin.post("/extensions/1002", display_name="Rob", email="", department="Sales", revision="1", **{"was.display_name": "Bob"})
    assert answer.status_code == 409 and "Saved by somebody else meanwhile: Bobby" in words_in(answer)
    assert admin.post("/departments", name="Sales", number="700").status_code == 303
    assert "Sales" in words_in(admin.get("/departments"))
    assert admin.post("/extensions/1002/delete").status_code == 303
    assert installation.store.extension("1002") is None


def test_extension_gets_the_site_that_is_chosen_for_it(admin: Person, installation: Installation) -> None:
    assert "No site" in words_in(admin.get("/extensions/new"))
    assert admin.post("/extensions/new", number="1002", display_name="Bob", site="default").status_code == 303
    record = installation.store.extension("1002")
    assert record is not None and record.site == "default"
    assert admin.post("/extensions/1002", display_name="Bob", site="").status_code == 303
    answer = admin.post("/extensions/1002", display_name="Bob", site="nowhere")
    assert answer.status_code == 422 and "there is no site nowhere" in words_in(answer)
    record = installation.store.extension("1002")
    assert record is not None and record.site == ""


def test_state_of_a_phone_shows_its_layouts_keys_too_and_who_they_watch(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.put_layout("tests", "Sales", [LayoutKeyInput(2, "blf", "1001")])
    installation.changes.assign_layout("tests", [phone], "Sales")
    assert "Alice BLF 1001" in words_in(admin.get(f"/phones/{MAC}"))


def test_sites_groups_and_their_settings(admin: Person, installation: Installation) -> None:
    assert admin.post("/sites", name="Hanoi").status_code == 303
    answer = admin.post("/sites/Hanoi", access="digest", enrolment="never", trusted_networks="10.0.0.0/8\nnonsense")
    assert answer.status_code == 422 and "'nonsense' is not a network" in words_in(answer)
    assert admin.post("/sites/Hanoi", access="digest", enrolment="never", trusted_networks="10.0.0.0/8").status_code == 303
    assert admin.post("/sites/Hanoi/settings", setting="voice_vlan", value="7").status_code == 303
    site = installation.store.site("Hanoi")
    assert site and (site.access, site.settings["voice_vlan"]) == ("digest", 7)
    assert admin.post("/sites/Hanoi/settings", setting="voice_vlan", remove="yes").status_code == 303
    assert admin.post("/groups", group="Desk").status_code == 303
    assert admin.post("/groups/Desk/settings", setting="voice_vlan", value="8").status_code == 303
    assert installation.store.groups()[0].settings == {"voice_vlan": 8}
    assert admin.post("/groups/Desk/delete").status_code == 303
    assert admin.post("/sites/Hanoi/delete").status_code == 303
    assert "the site default stays" in words_in(admin.post("/sites/default/delete"))


def test_import_is_previewed_before_it_is_written(admin: Person, installation: Installation) -> None:
    text = f"mac,model,extension\n{MAC},acme/a1,1001\n02:ac:de:00:00:02,acme/none,1003\n"
    answer = admin.post("/import", text=text)
    assert "rows are wrong" in words_in(answer) and installation.store.phone(BARE) is None
    answer = admin.post("/import", text=text, write="all")
    assert answer.status_code == 422 and installation.store.phone(BARE) is None
    assert admin.post("/import", text=text, write="good").status_code == 303
    assert installation.store.phone(BARE) is not None
    assert MAC in admin.get("/export.csv").text


def test_people_and_tokens(admin: Person, app: Flask, installation: Installation) -> None:
    assert admin.post("/people/new", name="bob", role="viewer", all_sites="yes", password="another long password").status_code == 303
    answer = admin.post("/people/tokens", token="script", token_role="viewer")
    made = re.search(r'class="once">([\w-]{40,})<', answer.text)
    assert made and app.test_client().get("/api/v1/phones", headers={"Authorization": f"Bearer {made[1]}"}).status_code == 200
    assert made[1] not in admin.get("/people").text
    assert admin.post("/people/tokens/delete", token="script").status_code == 303
    assert admin.post("/people/bob", role="viewer", all_sites="yes", disabled="yes").status_code == 303
    assert admin.post("/people/bob/delete").status_code == 303
    assert "bob" not in words_in(admin.get("/people")).replace("bob is deleted", "")


def test_many_phones_are_moved_at_once_and_asked_before(admin: Person, phone: Mac, installation: Installation) -> None:
    installation.changes.create_site("tests", "Hanoi", {})
    given = {"action": "move", "site_to": "Hanoi", "mac": [BARE]}
    answer = admin.post("/phones/many", **given)
    assert answer.status_code == 200 and "1 phone" in words_in(answer)
    assert admin.post("/phones/many", **given, sure="yes").status_code == 303
    record = installation.store.phone(BARE)
    assert record and record.site == "Hanoi"
    assert admin.post("/phones/many", action="resync", all="yes", site="Hanoi").status_code == 303
    assert installation.store.changes(limit=1)[0].action == "phone.resync"


def test_columns_are_of_ones_choice(admin: Person, phone: Mac) -> None:
    assert "Registered since" not in admin.get("/phones").text.partition("<tbody>")[0]
    admin.post("/phones/columns", column=["stage", "registered"], back="/phones")
    head = admin.get("/phones").text.partition("<thead>")[2].partition("</thead>")[0]
    assert "Registered since" in head and "Model" not in head


def test_pbx_page_tells_and_asks_the_worker(admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.api.pbx.ANSWER_S", 0.2)
    answer = admin.post("/pbx/plan")
    assert answer.status_code == 503 and "the worker did not answer" in words_in(answer)
    assert "there is no bundled Asterisk" in words_in(admin.post("/pbx/restart"))
