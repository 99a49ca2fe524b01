"""Keys laid out on the drawn phone with the mouse and with the keyboard, until the phone's live files have them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from provisioner.core.mac import Mac
from tests.e2e.conftest import signed_in
from tests.e2e.office import Office, mac_of
from tests.e2e.test_every_page import mistakes

DESK = mac_of(3)
"""A Yealink T54W without keys of its own: 27 of them on three pages, five left and four right of the display."""


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return signed_in(context, "admin")


def tile(page: Page, place: str) -> str:
    return page.locator(f'[data-place="{place}"]').inner_text()


def saved(page: Page) -> None:
    page.get_by_role("button", name="Save the keys").click()
    expect(page.get_by_text("The keys are saved.")).to_be_visible()


def live_text(office: Office, mac: Mac) -> str:
    office.drain()
    return "\n".join(file.body.decode() for file in office.installation.store.live_files([mac]))


def test_ten_keys_by_mouse_and_by_keyboard_reach_the_live_files(page: Page, office: Office) -> None:
    page.goto(f"/phones/{DESK.colons}/keys")
    for key, number in ((2, "1001"), (3, "1002"), (4, "1003"), (6, "1005"), (9, "1006")):
        page.drag_and_drop(f'[data-person="{number}"]', f'[data-place="0.{key}"]')
    assert "Sok Dara" in tile(page, "0.2") and "BLF 1001" in tile(page, "0.2")
    page.drag_and_drop('[data-place="0.9"]', '[data-place="0.5"]')  # moved on the phone itself
    assert "1006" in tile(page, "0.5") and "Free" in tile(page, "0.9")
    page.locator('[data-person="1007"]').focus()  # the rest without a mouse
    page.keyboard.press("Enter")
    expect(page.locator("[data-said]")).to_contain_text("is on key 7")
    page.locator('[data-place="0.8"]').focus()
    page.keyboard.press("Enter")
    page.keyboard.press("s")  # the field of the type is open: Speed dial
    page.keyboard.press("Tab")
    page.keyboard.type("0800123")
    page.keyboard.press("Tab")
    page.keyboard.type("Help desk")
    page.keyboard.press("Escape")
    assert "Help desk" in tile(page, "0.8")
    assert page.evaluate("document.activeElement.dataset.place") == "0.8"
    page.keyboard.press("Alt+ArrowDown")
    assert "Help desk" in tile(page, "0.9") and "Free" in tile(page, "0.8")
    expect(page.locator("[data-said]")).to_contain_text("is on key 9 now")
    for number in ("1008", "1004"):
        page.locator(f'[data-person="{number}"]').focus()
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Page 2").click()
    page.locator('[data-place="0.11"]').focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("1001")
    expect(page.get_by_text("These keys fit.")).to_be_visible()
    saved(page)
    text = live_text(office, DESK)
    for key, value in ((2, 1001), (3, 1002), (4, 1003), (5, 1006), (6, 1005), (7, 1007), (8, 1008), (9, "0800123"), (10, 1004), (11, 1001)):
        assert f"linekey.{key}.value = {value}\n" in text, key
    assert "linekey.9.label = Help desk" in text


def test_key_that_does_not_fit_is_told_before_it_is_saved(page: Page) -> None:
    page.goto(f"/phones/{mac_of(1).colons}/keys")
    page.locator('[data-place="0.7"]').click()
    page.locator("#f-panel-type").select_option("speed_dial")
    page.locator("#f-panel-label").fill("x" * 64)
    page.locator("#f-panel-label").evaluate("field => { field.removeAttribute('maxlength'); }")
    page.locator("#f-panel-label").fill("x" * 70)
    expect(page.get_by_text("1 key does not fit.")).to_be_visible()
    expect(page.locator('[data-place="0.7"]')).to_have_class(re.compile(r"\bwrong\b"))
    assert mistakes(page, "keys that do not fit") == []


def test_second_of_two_editors_sees_the_first_ones_keys_and_loses_nothing(context: BrowserContext, page: Page, office: Office) -> None:
    mac = mac_of(6)
    other = context.new_page()
    for each in (page, other):
        each.goto(f"/phones/{mac.colons}/keys")
    page.drag_and_drop('[data-person="1001"]', '[data-place="0.2"]')
    saved(page)
    other.drag_and_drop('[data-person="1002"]', '[data-place="0.2"]')
    other.drag_and_drop('[data-person="1003"]', '[data-place="0.3"]')
    other.get_by_role("button", name="Save the keys").click()
    expect(other.get_by_text("Nothing is lost.")).to_be_visible()
    expect(other.get_by_text("theirs is BLF 1001")).to_be_visible()
    saved(other)
    record = office.installation.store.phone(mac)
    assert record is not None
    assert {key.key: key.value for key in record.keys} == {2: "1002", 3: "1003"}


def test_user_lays_out_the_keys_of_the_own_phone_and_sees_no_other(context: BrowserContext) -> None:
    page = signed_in(context, "hoa")
    page.goto("/you")
    page.get_by_role("link", name=mac_of(1).colons).click()
    page.locator('[data-place="0.10"]').click()
    page.locator("#f-panel-value").fill("1004")  # other people are not listed for them
    expect(page.get_by_text("These keys fit.")).to_be_visible()
    saved(page)
    assert mistakes(page, "own keys") == []
    answer = page.goto(f"/phones/{mac_of(0).colons}/keys")
    assert answer is not None and answer.status == 404
