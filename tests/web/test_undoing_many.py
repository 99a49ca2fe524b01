"""Undoing an import, a layout given to many phones, and a swap, on the pages; and the changes of one phone page by page."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from provisioner.changes import LayoutKeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.importing import apply_plan, preview_import
from provisioner.wiring import Installation
from tests.web.conftest import BARE, MAC, PASSWORD, Person, words_in
from web.pages import phone as phone_pages

OTHER = Mac("02acde000005")
CSV = f"mac,model,extension,display_name\n{MAC},acme/a1,1001,Renamed\n{OTHER.colons},acme/a1,1005,Eve\n"


def newest(installation: Installation, action: str) -> int:
    return installation.store.changes(actions=[action], limit=1)[0].id


def revision_in(text: str) -> str:
    found = re.search(r'name="revision" value="(\d*)"', text)
    assert found
    return found[1]


@pytest.fixture
def imported(installation: Installation, phone: Mac) -> int:
    apply_plan(installation, "tests", preview_import(installation, CSV), all_or_nothing=True)
    return newest(installation, "import.commit")


def test_import_is_seen_thing_by_thing_and_undone(admin: Person, installation: Installation, imported: int) -> None:
    where = f"/changes/{imported}/undo"
    words = words_in(admin.get(where))
    assert f"New · Phone {OTHER.colons}" in words and "Changed · Extension 1001" in words and "Taken away · Extension 1005" in words
    assert "Phones, taken off 1" in words and "Undo it" in words and "Changed since" not in words
    assert "Taken off the list: it gets no files any more." in words
    shown = admin.get(where).text
    assert admin.post(where, revision=revision_in(shown)).status_code == 303
    assert installation.store.phone(OTHER) is None and installation.store.extension("1005") is None
    words = words_in(admin.get("/changes"))
    assert "Took back import of 2 extensions, 1 phones" in words or "Took back import of 2 extensions" in words


def test_what_was_changed_since_is_named_and_asked_for(admin: Person, installation: Installation, imported: int) -> None:
    where = f"/changes/{imported}/undo"
    before = admin.get(where)
    installation.changes.update_phone("bob", OTHER, PhoneInput(settings={"voice_vlan": 9}))
    installation.changes.update_extension("bob", "1001", {"display_name": "Again"})
    stale = admin.post(where, revision=revision_in(before.text))
    assert stale.status_code == 409 and installation.store.phone(OTHER)
    words = words_in(stale)
    assert "2 things that it touched were changed since." in words and "Extension 1001 : Name" in words.replace("1001:", "1001 :")
    assert "is taken away, with Voice VLAN that it got since" in words and "Undo it, with what was changed since" in words
    assert admin.post(where, revision=revision_in(stale.text)).status_code == 303
    found = installation.store.extension("1001")
    assert found and found.display_name != "Again"


def test_what_stands_in_the_way_is_said(admin: Person, installation: Installation, imported: int) -> None:
    installation.changes.create_phone("tests", Mac("02acde000007"), PhoneInput(model="acme/a1", lines=[LineInput(1, "1005")]))
    answer = admin.get(f"/changes/{imported}/undo")
    assert answer.status_code == 200
    assert "extension 1005 is on a line of 02:ac:de:00:00:07" in words_in(answer) and "Undo it" not in words_in(answer)


def test_layout_of_many_and_a_swap_are_undone(admin: Person, installation: Installation, imported: int) -> None:
    installation.changes.put_layout("tests", "Sales", [LayoutKeyInput(4, "speed_dial", "112")])
    installation.changes.assign_layout("tests", [Mac(BARE), OTHER], "Sales")
    where = f"/changes/{newest(installation, 'layout.assign')}/undo"
    shown = admin.get(where)
    assert words_in(shown).count("Layout Before: Sales After: empty") == 2
    assert admin.post(where, revision=revision_in(shown.text)).status_code == 303
    assert {record.layout for record in installation.store.phones()} == {None}
    installation.changes.swap_phone("tests", OTHER, Mac("02acde000008"))
    where = f"/changes/{newest(installation, 'phone.swap')}/undo"
    shown = admin.get(where)
    assert "The old phone comes back as it was" in words_in(shown)
    assert admin.post(where, revision=revision_in(shown.text)).status_code == 303
    assert installation.store.phone(OTHER) is not None and installation.store.phone(Mac("02acde000008")) is None


def test_changes_of_a_phone_go_back_page_by_page_to_the_first(admin: Person, installation: Installation, imported: int, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(phone_pages, "PAGE", 3)
    for version in range(4):
        installation.changes.update_phone("tests", OTHER, PhoneInput(firmware=str(version)))
    first = admin.get(f"/phones/{OTHER.colons}/changes")
    assert first.text.count("Undo …</a>") == 1 and first.text.count("Back to before this") == 2
    [older] = re.findall(r'href="([^"]+)" rel="next"', first.text)
    second = admin.get(older.replace("&amp;", "&"))
    assert second.text.count("Undo …</a>") == 0 and second.text.count("Back to before this") == 2
    assert "Imported" in words_in(second) and OTHER.colons in words_in(second) and 'rel="next"' not in second.text


def test_technician_of_a_site_has_a_way_back_from_layouts_of_that_site_alone(app: Flask, installation: Installation, imported: int) -> None:
    changes = installation.changes
    changes.create_site("tests", "oslo", {})
    changes.update_phone("tests", OTHER, PhoneInput(site="oslo"))
    changes.put_layout("tests", "Sales", [LayoutKeyInput(2, "speed_dial", "112")])
    changes.create_user("tests", "ola", {"role": "technician", "password": PASSWORD, "sites": ["oslo"]})
    changes.assign_layout("tests", [BARE, OTHER], "Sales")
    of_both = newest(installation, "layout.assign")
    changes.assign_layout("tests", [OTHER], None)
    of_one = newest(installation, "layout.assign")
    ola = Person(app, "ola")
    for path in ("/changes", f"/phones/{OTHER.colons}/changes"):
        shown = ola.get(path).text
        assert f"/changes/{of_one}/undo" in shown and f"/changes/{of_both}/undo" not in shown
        assert f"/changes/{imported}/undo" not in shown
    assert ola.post(f"/changes/{of_one}/undo", revision=revision_in(ola.get(f"/changes/{of_one}/undo").text)).status_code == 303
    there = installation.store.phone(OTHER)
    assert there is not None and there.layout == "Sales"
