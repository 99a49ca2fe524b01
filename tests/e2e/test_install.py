"""Phones that come in beside the bundled Asterisk, in a browser.

A technician with a mobile phone in one hand: four taps from signing in to a registered phone, and nothing of another site. An admin at a
desk: an extension, a phone that was seen, ten keys by mouse and by keyboard, until the phone is in lockstep on the open page.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from pbx_sync.asterisk.install import install_asterisk
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import sighting
from tests.conftest import BUILD
from tests.contract.world import wait_until
from tests.e2e.conftest import PATIENCE_MS, SCREENSHOTS, signed_in
from tests.e2e.office import PASSWORD
from tests.e2e.test_every_page import mistakes
from tests.phones.calls import State
from tests.phones.device import Device
from tests.phones.office import PATIENCE_S, Office, office, wait_state

pytestmark = pytest.mark.asterisk
PHONE, THEIRS, SEEN_THERE = Mac("805ec0e00001"), Mac("805ec0e00077"), Mac("805ec0e00088")
BARCODE = """
  const canvas = document.createElement("canvas");
  const drawing = canvas.getContext("2d");
  const picture = canvas.captureStream(10);
  setInterval(() => { drawing.fillStyle = `hsl(${Date.now() % 360} 50% 50%)`; drawing.fillRect(0, 0, 300, 150); }, 50);
  Object.defineProperty(navigator.mediaDevices, "getUserMedia", { value: async () => picture });
  window.BarcodeDetector = class { async detect() { return [{ rawValue: "SN 3146019031602345" }, { rawValue: "805EC0E00002" }]; } };
"""
"""A camera that sees a label with two barcodes: this browser has no reader of its own."""


@pytest.fixture(scope="module")
def firm() -> Iterator[Office]:
    """Two sites that take in what a technician claims, each with people, and a phone of the other one that nobody listed."""
    with office(install_asterisk(BUILD, lambda what, share: None)) as made:
        changes = made.world.installation.changes
        for site, networks in (("Hanoi", ["127.0.9.0/24"]), ("Zebra", ["127.0.8.0/24"])):
            changes.create_site("test", site, {"trusted_networks": networks})
            made.api("PATCH", f"/sites/{site}", {"enrolment": "claim"})
        for number, name, site in (("3001", "Sok Dara", "Hanoi"), ("3002", "Nguyen Hoa", "Hanoi"), ("7701", "Zebra One", "Zebra")):
            changes.create_extension("test", number, display_name=name, site=site)
        changes.create_phone("test", THEIRS, PhoneInput("yealink/t46u", "Zebra", lines=[LineInput(1, "7701")]))
        changes.create_user("test", "tech", {"role": "technician", "password": PASSWORD, "sites": ["Hanoi"]})
        changes.create_user("test", "lan", {"role": "admin", "password": PASSWORD})
        insert_sighting(made, SEEN_THERE, "127.0.8.7")
        yield made


def insert_sighting(firm: Office, mac: Mac, peer: str) -> None:
    now = time.time()
    row = {"vendor": "yealink", "model": "T46U", "firmware": "108.86.0.90", "peer": peer}
    with firm.world.installation.database.write() as connection:
        connection.execute(sighting.insert().values(mac=mac, **row, first_seen=now, last_seen=now, count=1, conflict=""))


def address(firm: Office) -> str:
    return f"http://127.0.0.1:{firm.world.installation.settings.admin_bind.port}"


@pytest.fixture
def hand(browser: Browser, firm: Office) -> Iterator[Page]:
    """The technician's mobile phone, signed in."""
    with browser.new_context(
        base_url=address(firm), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="en-GB"
    ) as context:
        context.set_default_timeout(PATIENCE_MS)
        yield signed_in(context, "tech")


@pytest.fixture
def desk(browser: Browser, firm: Office) -> Iterator[Page]:
    """The admin's browser, signed in."""
    with browser.new_context(base_url=address(firm), viewport={"width": 1280, "height": 900}, locale="en-GB") as context:
        context.set_default_timeout(PATIENCE_MS)
        yield signed_in(context, "lan")


@contextmanager
def plugged_in(firm: Office, mac: Mac, host: str) -> Iterator[Device]:
    """A phone out of its box that waits at the PBX."""
    device = Device(firm.network, "yealink/t46u", str(mac), firm.url, number=200 + int(mac[-2:], 16) % 50, host=host)

    def waits() -> bool:
        if not device.agents:  # the listener hears of the site a moment after it was made
            device.boot()
        return device.is_registered

    wait_until(waits, PATIENCE_S, f"{mac} in the waiting room ({device.failures[-3:]})")
    try:
        yield device
    finally:
        device.power_off()


def light(page: Page, name: str, state: str) -> None:
    expect(page.locator(".light").filter(has_text=name)).to_contain_class(state, timeout=PATIENCE_MS)


def test_four_taps_from_signing_in_to_a_registered_phone(hand: Page, firm: Office) -> None:
    with plugged_in(firm, SEEN_THERE, "127.0.8.7"), plugged_in(firm, PHONE, "127.0.9.7") as device:
        hand.get_by_role("link", name="Install a phone").tap()
        hand.get_by_role("link", name="3001").tap()
        expect(hand.locator(f"#p-{PHONE}")).to_be_visible(timeout=PATIENCE_MS)
        assert mistakes(hand, "which phone") == []
        hand.screenshot(path=SCREENSHOTS / "install-find-hand-live.png", full_page=True)
        assert SEEN_THERE.colons not in hand.content()
        hand.locator(f"#p-{PHONE}").tap()
        hand.get_by_role("button", name="Install").tap()
        expect(hand.get_by_role("heading", name="Four lights")).to_be_visible(timeout=PATIENCE_MS)
        hand.evaluate("window.notReloaded = true")
        for name in ("Seen", "Fetched", "Registered"):
            light(hand, name, "on")
        assert hand.evaluate("window.notReloaded")
        assert [line.number for line in device.config.lines] == ["3001"]
        hand.get_by_role("button", name="Test call").tap()
        wait_until(device.agent.ringing, PATIENCE_S, "ringing")
        call = device.agent.ringing()
        assert call is not None
        expect(hand.get_by_text("It rings: lift the receiver.")).to_be_visible(timeout=PATIENCE_MS)
        firm.answer(call)
        light(hand, "Test call", "on")
        wait_state(call, State.ENDED)
        assert mistakes(hand, "lights") == []
        hand.screenshot(path=SCREENSHOTS / "installed-hand-live.png", full_page=True)


def test_barcode_of_a_phone_that_was_never_seen_installs_it(hand: Page, firm: Office) -> None:
    hand.goto("/install/3002")
    expect(hand.get_by_text("Barcodes cannot be scanned here")).to_be_visible()
    hand.add_init_script(BARCODE)
    hand.goto("/install/3002")
    expect(hand.get_by_text("Barcodes cannot be scanned here")).to_be_hidden()
    hand.get_by_role("button", name="Scan the barcode").tap()
    expect(hand.get_by_role("heading", name="80:5e:c0:e0:00:02")).to_be_visible(timeout=PATIENCE_MS)
    hand.get_by_label("Model").select_option("yealink/t46u")
    hand.get_by_role("button", name="Install").tap()
    expect(hand.get_by_text("It has not asked yet")).to_be_visible(timeout=PATIENCE_MS)
    record = firm.world.installation.store.phone(Mac("805ec0e00002"))
    assert record is not None and record.site == "Hanoi" and [line.extension for line in record.lines] == ["3002"]


def test_code_that_is_dialled_brings_the_page_to_the_lights(hand: Page, firm: Office) -> None:
    mac = Mac("805ec0e00003")
    firm.world.installation.changes.create_extension("test", "3003", site="Hanoi")
    with plugged_in(firm, mac, "127.0.9.8") as device:
        hand.goto("/install/3003")
        hand.get_by_role("button", name="Make a code").tap()
        dial = hand.locator(".dial").inner_text().replace(" ", "")
        hand.screenshot(path=SCREENSHOTS / "install-code-hand-live.png", full_page=True)
        assert mistakes(hand, "code") == []
        call = firm.network.run(device.agent.call(dial))
        wait_state(call, State.CONFIRMED)
        expect(hand.get_by_role("heading", name="Four lights")).to_be_visible(timeout=PATIENCE_MS)
        light(hand, "Registered", "on")


def test_technician_sees_nothing_of_another_site(hand: Page, firm: Office) -> None:
    assert [row.mac for row in firm.world.installation.store.sightings(mac=SEEN_THERE)] == [SEEN_THERE]
    for path in (
        "/",
        "/install",
        "/install?search=77",
        "/install?search=Zebra",
        "/install/3001?phone=e00077",
        "/phones",
        "/seen",
        "/extensions",
    ):
        hand.goto(path)
        text = hand.locator("main").inner_text()
        assert not [word for word in ("Zebra", "7701", THEIRS.colons, SEEN_THERE.colons) if word in text], path
    for path in ("/install/7701", f"/install/3001/{THEIRS.colons}", f"/phones/{THEIRS.colons}/install", "/install/next?site=Zebra"):
        answer = hand.goto(path)
        assert answer is not None and answer.status in (200, 404), path
        assert not [word for word in ("Zebra One", "· Zebra", "Zebra<") if word in hand.content()], path


def test_admin_takes_in_a_phone_and_lays_out_ten_keys_until_it_is_in_lockstep(desk: Page, firm: Office) -> None:
    mac = Mac("805ec0e00004")
    for number in range(3005, 3010):
        firm.world.installation.changes.create_extension("test", str(number), display_name=f"Person {number}")
    add_extension(desk, "3004", "Chan Bopha")
    with plugged_in(firm, mac, "127.0.9.9") as device:
        take_on(desk, mac, "3004")
        expect(desk.locator("#live .badge").first).to_have_text("In lockstep", timeout=PATIENCE_MS)
        desk.get_by_role("link", name="Keys", exact=True).click()
        lay_out_ten_keys(desk)
        with firm.paused_worker():  # the page is there before the phone is
            desk.get_by_role("button", name="Save the keys").click()
            expect(desk.get_by_text("The keys are saved.")).to_be_visible()
            desk.get_by_role("link", name="State", exact=True).click()
            expect(desk.locator("#live .badge").first).to_have_text("Making files", timeout=PATIENCE_MS)
            desk.evaluate("window.notReloaded = true")
        expect(desk.locator("#live .badge").first).to_have_text("In lockstep", timeout=PATIENCE_MS)
        assert desk.evaluate("window.notReloaded")
        assert mistakes(desk, "in lockstep") == []
        desk.screenshot(path=SCREENSHOTS / "in-lockstep-desk-live.png", full_page=True)
        assert [line.number for line in device.config.lines] == ["3004"]
        assert {watched.number for watched in device.config.watched} == {"3001", "3002", "3005", "3006", "3007", "3008", "7701", "3009"}
        expect(desk.locator("ul.keys li")).to_have_count(10)
        expect(desk.locator("ul.keys")).to_contain_text("Sok Dara")


def add_extension(page: Page, number: str, name: str) -> None:
    page.get_by_role("link", name="Extensions").click()
    page.get_by_role("link", name="Add an extension").click()
    page.get_by_label("Number").fill(number)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Site").select_option("Hanoi")
    page.get_by_role("button", name="Add the extension").click()
    expect(page.get_by_text(f"Extension {number} is made.")).to_be_visible()


def take_on(page: Page, mac: Mac, number: str) -> None:
    """Adopts the phone with what is known of it: its model by what it said, its site by where it was seen."""
    page.get_by_role("link", name="Seen", exact=True).click()
    page.get_by_role("row", name=mac.colons).get_by_role("link", name="Take on").click()
    expect(page.get_by_label("Model")).to_have_value("yealink/t46u")
    page.get_by_label("Line 1: extension").fill(number)
    page.get_by_role("button", name="Take it on").click()
    expect(page.get_by_text(f"{mac.colons} is taken on.")).to_be_visible()


def lay_out_ten_keys(page: Page) -> None:
    """Five with the mouse, among them one that is moved; five without it: two people, two speed dials, one on the second page."""
    for key, number in ((2, "3001"), (3, "3002"), (4, "3005"), (6, "3006"), (9, "3007")):
        page.drag_and_drop(f'[data-person="{number}"]', f'[data-place="0.{key}"]')
    page.drag_and_drop('[data-place="0.9"]', '[data-place="0.5"]')
    for number in ("3008", "7701"):
        page.locator(f'[data-person="{number}"]').focus()
        page.keyboard.press("Enter")
        expect(page.locator("[data-said]")).to_contain_text(f"is on key {7 if number == '3008' else 8}")
    type_key(page, "s", "0800123", "Help desk", "0.9")
    page.keyboard.press("PageDown")
    type_key(page, "s", "0800124", "Taxi")  # where the page turned to: the last place of the second page
    page.keyboard.press("ArrowUp")
    type_key(page, "b", "3009", "Colleague")
    expect(page.get_by_text("These keys fit.")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "ten-keys-desk.png", full_page=True)


def type_key(page: Page, kind: str, value: str, label: str, place: str = "") -> None:
    """Fills a key by the keyboard alone, the one in focus where no place is named: ``kind`` is the first letter of its type."""
    if place:
        page.locator(f'[data-place="{place}"]').focus()
    page.keyboard.press("Enter")
    page.keyboard.press(kind)
    for text in (value, label):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Escape")
    expect(page.locator(":focus")).to_contain_text(label)
