"""What happens shows without a reload, and a page that lost its connection is right again once it has it back."""

from __future__ import annotations

import io
import time
import wave

from playwright.sync_api import Page, expect

from provisioner.changes import PhoneInput
from tests.calls import add_call
from tests.e2e.conftest import PATIENCE_MS, Server
from tests.e2e.office import Office, mac_of

PLAYED = """player => {
  window.first = player;
  const heard = new Promise((done) => player.addEventListener("timeupdate", () => player.currentTime > 0.2 && done()));
  return Promise.all([player.play(), heard]);
}"""
"""Plays a recording until some of it was heard."""


def test_a_phone_that_comes_into_lockstep_turns_green_on_an_open_page(admin: Page, office: Office) -> None:
    mac = mac_of(1)
    admin.goto(f"/phones/{mac.colons}")
    admin.evaluate("window.notReloaded = true")
    expect(admin.locator("#live .badge").first).to_have_text("Waiting for registration")
    office.fetched(mac)
    office.register([1001, 1002, 1003, 1004])
    expect(admin.locator("#live .badge").first).to_have_text("In lockstep", timeout=PATIENCE_MS)
    assert admin.evaluate("window.notReloaded")


def test_ticks_and_focus_stay_while_the_list_changes(admin: Page, office: Office) -> None:
    admin.goto("/phones")
    box = admin.locator(f"#pick-{mac_of(2)}")
    box.check()
    office.installation.changes.update_phone("tests", mac_of(2), PhoneInput(firmware="6.4.0"))
    row = admin.get_by_role("row", name=mac_of(2).colons)
    expect(row.locator(".badge").first).to_have_text("Making files", timeout=PATIENCE_MS)
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    expect(admin.locator(".bulk [data-number]")).to_have_text("1")
    office.drain()


def test_a_page_that_lost_the_server_says_so_and_is_right_again_afterwards(admin: Page, office: Office, server: Server) -> None:
    admin.goto("/extensions")
    state = admin.locator("[data-live-state]")
    expect(state).to_have_text("Live", timeout=PATIENCE_MS, use_inner_text=True)
    server.stop()
    expect(state).to_contain_class("lost", timeout=PATIENCE_MS)
    office.installation.changes.update_extension("tests", "1005", {"display_name": "Chan Bopha"})
    server.start()
    expect(admin.get_by_role("cell", name="Chan Bopha")).to_be_visible(timeout=PATIENCE_MS)
    expect(state).to_have_text("Live", timeout=PATIENCE_MS, use_inner_text=True)


def test_recording_that_plays_is_not_cut_off_by_a_call_that_ended(admin: Page, office: Office) -> None:
    admin.route("**/api/v1/calls/*/recording", lambda route: route.fulfill(body=silence(300), content_type="audio/wav"))
    admin.goto("/calls")
    admin.get_by_text("Listen").click()
    player = admin.locator("audio")
    player.evaluate(PLAYED)
    admin.locator("#live-now").evaluate("part => { part.dataset.old = 'yes' }")
    add_call(office.installation.database, time.time(), caller="1005", called="4711", parties=("1005",))
    expect(admin.locator("#live-now:not([data-old])")).to_have_count(1, timeout=PATIENCE_MS)
    assert admin.evaluate("window.first.isConnected && !window.first.paused")
    expect(admin.get_by_role("cell", name="4711")).to_have_count(0)
    player.evaluate("player => player.pause()")
    expect(admin.get_by_role("cell", name="4711")).to_be_visible(timeout=PATIENCE_MS)
    assert player.evaluate("player => player !== window.first && player.currentTime > 0.2")


def silence(seconds: int) -> bytes:
    """Returns a recording as Asterisk writes it, of nobody."""
    body = io.BytesIO()
    with wave.open(body, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * 8000 * seconds))
    return body.getvalue()
