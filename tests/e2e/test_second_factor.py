"""Somebody sets one-time codes up in a browser, signs in with one, loses the device, and signs in with a recovery code."""

from __future__ import annotations

import base64
import time

from playwright.sync_api import BrowserContext, Page, expect

from provisioner.accounts import totp
from tests.e2e.conftest import SCREENSHOTS, signed_in
from tests.e2e.office import PASSWORD
from tests.e2e.test_every_page import mistakes


def code_of(page: Page, steps: int = 0) -> str:
    """Returns the code that an app would show which was told the secret that stands on the page."""
    secret = base64.b32decode(page.locator("[data-secret]").inner_text().replace(" ", ""))
    return totp.code_at(secret, int(time.time() // totp.STEP_S) + steps)


def sign_in_with(page: Page, code: str) -> None:
    page.goto("/sign-in")
    for text in ("", code):
        page.get_by_label("Name").fill("hoa")
        page.get_by_label("Password").fill(PASSWORD)
        if text:
            page.get_by_label("One-time code").fill(text)
        page.get_by_role("button", name="Sign in").click()
        if not text:
            expect(page.get_by_role("alert")).to_contain_text("one-time code of your authenticator app")


def test_one_time_codes_are_set_up_and_asked_for(context: BrowserContext) -> None:
    page = signed_in(context, "hoa")
    page.goto("/you")
    page.get_by_role("button", name="Set up").click()
    expect(page.locator("figure.qr svg")).to_be_visible()
    now, later = code_of(page), code_of(page, 1)  # both are taken half a minute later as well
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("Code that the app shows now").fill(now)
    page.get_by_role("button", name="Turn one-time codes on").click()
    expect(page.locator("ul.recovery li")).to_have_count(10)
    recovery = page.locator("ul.recovery li").all_inner_texts()
    assert mistakes(page, "recovery codes") == []
    page.screenshot(path=SCREENSHOTS / "recovery-codes-desk-light.png", full_page=True)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("#codes")).to_contain_text("10 recovery codes are left")
    assert mistakes(page, "codes on") == []
    page.screenshot(path=SCREENSHOTS / "you-codes-desk-light.png", full_page=True)
    page.get_by_role("button", name="Sign out").click()
    sign_in_with(page, later)
    page.wait_for_selector("nav.side", state="attached")
    page.get_by_role("button", name="Sign out").click()
    sign_in_with(page, recovery[0])
    page.wait_for_selector("nav.side", state="attached")
    page.goto("/you")
    expect(page.locator("#codes")).to_contain_text("9 recovery codes are left")
    page.get_by_label("Your password, or a code").fill(PASSWORD)
    page.get_by_role("button", name="Turn one-time codes off").click()
    expect(page.locator("#codes")).to_contain_text("Turned off")
