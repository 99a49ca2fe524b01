"""Seeing what a change does before it is saved, undoing it, many phones at once, and two people at the same phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from provisioner.changes import KeyInput, LayoutKeyInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.importing import apply_plan, preview_import
from tests.e2e.conftest import PATIENCE_MS, SCREENSHOTS, Server, signed_in
from tests.e2e.office import Office, mac_of
from tests.e2e.test_every_page import SIZES, THEMES, mistakes

ROWS, MANY = 500, 100
PHONE = mac_of(1)
"""A Grandstream at Hanoi, which the technician sees too."""


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return signed_in(context, "admin")


def live_text(office: Office, mac: Mac) -> str:
    office.drain()
    return "\n".join(file.body.decode() for file in office.installation.store.live_files([mac]))


def look(page: Page, name: str) -> None:
    """Holds a page that a form leads to, to what every page is held to: on a desk in the light, and in a hand in the dark."""
    wrong, before = [], page.viewport_size
    for (size, (width, height)), theme in zip(SIZES.items(), THEMES, strict=True):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        wrong += mistakes(page, f"{name} {size} {theme}")
        page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{theme}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before or {"width": 1280, "height": 900})
    assert wrong == []


def test_setting_of_a_site_is_seen_before_it_is_saved_and_undone_after(page: Page, office: Office) -> None:
    store = office.installation.store
    page.goto("/sites/Hanoi?setting=voice_vlan#settings")
    page.get_by_label("Voice VLAN").fill("77")
    page.get_by_role("button", name="See what changes").last.click()
    expect(page.get_by_role("heading", name="What changes")).to_be_visible()
    expect(page.get_by_text("3 phones get other files.")).to_be_visible()
    expect(page.locator("pre.diff .new", has_text="77").first).to_be_visible()
    look(page, "preview")
    page.get_by_role("button", name="Back to the form").click()
    expect(page.get_by_label("Voice VLAN")).to_have_value("77")
    page.get_by_label("Voice VLAN").fill("78")
    page.get_by_role("button", name="See what changes").last.click()
    site = store.site("Hanoi")
    assert site is not None and "voice_vlan" not in site.settings
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The phones of this site are on their way to it.")).to_be_visible()
    site = store.site("Hanoi")
    assert site is not None and site.settings["voice_vlan"] == 78
    page.goto("/changes")
    page.get_by_role("link", name="Undo …").first.click()
    expect(page.get_by_role("heading", name="Undo a change")).to_be_visible()
    expect(page.get_by_text("3 phones get other files.")).to_be_visible()
    expect(page.locator("#changes-now del")).to_have_text("78")
    look(page, "undo")
    page.get_by_role("button", name="Undo it").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    site = store.site("Hanoi")
    assert site is not None and "voice_vlan" not in site.settings


def test_phone_goes_back_to_an_earlier_state_with_what_was_changed_since(page: Page, office: Office) -> None:
    for firmware in ("1.0.11.1", "1.0.11.2", "1.0.11.3"):
        page.goto(f"/phones/{PHONE.colons}/edit")
        page.get_by_label("Firmware that it runs").fill(firmware)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Saved.")).to_be_visible()
    page.goto(f"/phones/{PHONE.colons}/changes")
    page.get_by_role("link", name="Back to before this …").first.click()
    expect(page.get_by_text("1 later change of the same is undone with it.")).to_be_visible()
    expect(page.locator("#changes-now del")).to_have_text("1.0.11.3")
    expect(page.locator("#changes-now ins")).to_have_text("1.0.11.1")
    look(page, "undo-later")
    office.installation.changes.reopen_first_fetch("tests", PHONE)
    page.get_by_role("button", name="Undo it and 1 later change").click()
    expect(page.get_by_text("Somebody changed this again since you opened the page.")).to_be_visible()
    page.get_by_role("button", name="Undo it and 1 later change").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    record = office.installation.store.phone(PHONE)
    assert record is not None and record.firmware == "1.0.11.1"


def test_second_of_two_people_sees_what_the_first_saved_and_nothing_is_lost(page: Page, browser: Browser, server: Server, office: Office) -> None:  # fmt: skip
    with browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900}, locale="en-GB") as context:
        context.set_default_timeout(PATIENCE_MS)
        tech = signed_in(context, "tech")
        for each in (page, tech):
            each.goto(f"/phones/{PHONE.colons}/edit")
        page.get_by_label("Firmware that it runs").fill("1.0.11.79")
        page.get_by_label("Label on the phone").first.fill("Front desk")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        tech.get_by_label("Line 2: extension").fill("1005")
        tech.get_by_label("Label on the phone").first.fill("Hoa")
        tech.get_by_role("button", name="Save", exact=True).click()
        expect(tech.get_by_text("Nothing is lost.")).to_be_visible()
        expect(tech.get_by_text("Saved by somebody else meanwhile:")).to_contain_text("Front desk")
        expect(tech.locator("#changes")).to_contain_text("admin")
        expect(tech.get_by_label("Firmware that it runs")).to_have_value("1.0.11.79")
        expect(tech.get_by_label("Label on the phone").first).to_have_value("Hoa")
        assert mistakes(tech, "two at once") == []
        tech.get_by_role("button", name="Save", exact=True).click()
        expect(tech.get_by_text("Saved.")).to_be_visible()
    record = office.installation.store.phone(PHONE)
    assert record is not None and record.firmware == "1.0.11.79"
    assert [(line.extension, line.label) for line in record.lines] == [("1002", "Hoa"), ("1005", "")]
    actors = [row.actor for row in office.installation.store.changes(subject=PHONE, limit=2)]
    assert actors == ["user:tech", "user:admin"]


def test_import_is_undone_as_a_whole_with_what_was_changed_since(page: Page, office: Office) -> None:
    place, new = office.installation, mac_of(0x700)
    text = f"mac,model,extension,display_name,setting:voice_vlan\n{new.colons},yealink/t46u,4700,Linh,30\n{PHONE.colons},,1002,Renamed,41\n"
    apply_plan(place, "user:admin", preview_import(place, text), all_or_nothing=True)
    place.changes.update_phone("user:tech", new, PhoneInput(keys=[KeyInput(3, "speed_dial", "112", "Help")]))
    page.goto("/changes")
    page.get_by_role("row", name="Imported").get_by_role("link", name="Undo …").click()
    expect(page.get_by_text("1 thing that it touched was changed since.")).to_be_visible()
    expect(page.locator("#since li")).to_contain_text("is taken away, with Keys that it got since")
    expect(page.get_by_text("Taken off the list: it gets no files any more.")).to_be_visible()
    page.locator("#changes-now summary").first.click()
    look(page, "undo-import")
    page.get_by_role("button", name="Undo it, with what was changed since").click()
    expect(page.get_by_text("Undone.")).to_be_visible()
    assert place.store.phone(new) is None and place.store.extension("4700") is None
    record = place.store.phone(PHONE)
    assert record is not None and "voice_vlan" not in record.settings
    page.goto(f"/phones/{PHONE.colons}/changes")
    expect(page.get_by_role("row", name="Took back import of").first).to_contain_text("41")
    look(page, "phone-changes-import")


def spreadsheet(path: Path) -> dict[int, str]:
    """Writes 500 phones with 7 bad lines into ``path``; returns the bad lines with a word of what is to be said of each."""
    lines = ["mac,model,site,extension,display_name"]
    for at in range(ROWS):
        site = "Lobby" if at < MANY + 2 else "Hall"  # two of the bad lines are among them
        lines.append(f"80:5e:c0:bb:{at // 256:02x}:{at % 256:02x},yealink/t46u,{site},{3000 + at},Person {at}")
    bad = {
        11: ("80:5e:c0:bb:00,yealink/t46u,Hall,3009,Short", "mac"),
        60: ("80:5e:c0:bb:00:3a,yealink/t46x,Hall,3058,No such model", "model"),
        120: ("80:5e:c0:bb:00:76,yealink/t46u,Nowhere,3118,No such site", "site"),
        200: ("80:5e:c0:bb:00:c6,yealink/t46u,Hall,31 98,Blank in the number", "extension"),
        300: (f"80:5e:c0:bb:01:2a,yealink/t46u,Hall,3298,{'long ' * 40}", "display_name"),
        400: ("80:5e:c0:bb:01:8e,,Hall,3398,No model", "model"),
        450: (",,Hall,,Neither MAC nor number", "display_name"),
    }
    for line, (text, _column) in bad.items():
        lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")
    return {line: column for line, (_text, column) in bad.items()}


def test_five_hundred_phones_by_csv_and_one_layout_for_a_hundred_of_them(page: Page, office: Office, tmp_path: Path) -> None:
    place = office.installation
    for site in ("Hall", "Lobby"):
        place.changes.create_site("tests", site, {})
    place.changes.put_layout("tests", "Reception", [LayoutKeyInput(5, "blf", "1002"), LayoutKeyInput(6, "blf", slot=True)])
    bad = spreadsheet(tmp_path / "phones.csv")
    before = len(place.store.phone_macs(limit=2000))
    page.goto("/import")
    page.get_by_label("CSV or ZIP file").set_input_files(tmp_path / "phones.csv")
    page.get_by_role("button", name="Preview").first.click()
    wrong = page.locator("#wrong tbody tr")
    assert [(int(row.locator("th").inner_text()), row.locator("td").first.inner_text()) for row in wrong.all()] == sorted(bad.items())
    assert mistakes(page, "preview of an import") == []
    page.get_by_role("button", name="Write it").click()  # all or nothing, as it stands
    expect(page.get_by_text("Nothing was written, because rows are wrong.")).to_be_visible()
    assert len(place.store.phone_macs(limit=2000)) == before
    page.get_by_label("good rows").check()
    page.get_by_role("button", name="Write it").click()
    expect(page.get_by_text("Left out:")).to_be_visible()
    assert len(place.store.phone_macs(limit=2000)) - before == ROWS - len(bad)
    give_layout(page, office)


def give_layout(page: Page, office: Office) -> None:
    """Gives the hundred phones of the lobby one layout from the list, and changes it for all of them."""
    page.goto("/phones?site=Lobby")
    page.get_by_label("All of this page").check()
    page.get_by_label("All that fit the filter").check()
    page.get_by_label("What to do").select_option("layout")
    page.locator("#f-layout-to").select_option("Reception")
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_text(f"{MANY} phones → Reception")).to_be_visible()
    page.get_by_role("button", name="Give layout").click()
    expect(page.get_by_text(f"{MANY} phones were changed.")).to_be_visible()
    assert "linekey.5.value = 1002\n" in live_text(office, Mac("805ec0bb0000"))
    page.goto("/layouts/Reception")
    page.locator('[data-place="0.5"]').click()
    page.locator("#f-panel-value").fill("1003")
    expect(page.get_by_text(f"makes the files of {MANY} phones anew")).to_be_visible()
    page.get_by_role("button", name="See what changes").click()
    expect(page.get_by_text(f"Of {MANY} phones whose files are made anew, the first 50 were compared.")).to_be_visible()
    expect(page.locator("pre.diff .new", has_text="linekey.5.value = 1003")).to_be_visible()
    expect(page.locator(".alike")).to_have_count(1)
    page.get_by_role("button", name="Back to the form").click()
    expect(page.locator("#verdict")).to_contain_text(f"makes the files of {MANY} phones anew")
    page.get_by_role("button", name="Save the layout").click()
    expect(page.get_by_text("Reception is saved")).to_be_visible()
    assert "linekey.5.value = 1003\n" in live_text(office, Mac("805ec0bb0063"))
