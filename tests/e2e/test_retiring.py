"""Taking a phone out of service, and seeing when it is empty, in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.office import Office, mac_of
from tests.e2e.test_changing import look

PHONE = mac_of(3)


def test_phone_is_emptied_seen_to_be_and_taken_back(admin: Page, office: Office) -> None:
    where = f"/phones/{PHONE.colons}"
    admin.goto(f"{where}/more")
    expect(admin.get_by_text("Its extensions stay, with new SIP passwords")).to_be_hidden()
    admin.get_by_text("Empty it", exact=True).click()
    expect(admin.get_by_text("Its extensions stay, with new SIP passwords")).to_be_visible()
    look(admin, "phone-retire")
    admin.get_by_role("button", name="Yes, empty it").click()
    expect(admin.get_by_text("It is taken out of service: it is emptied at its next fetch.")).to_be_visible()
    expect(admin.locator(".badge", has_text="Being emptied").first).to_be_visible()
    office.drain()
    look(admin, "phone-retiring")
    assert "1004" not in "".join(file.body.decode() for file in office.installation.store.live_files([PHONE]))
    office.fetched(PHONE)
    admin.goto(where)
    expect(admin.locator(".badge", has_text="Out of service").first).to_be_visible()
    expect(admin.get_by_text("It can go.")).to_be_visible()
    look(admin, "phone-retired")
    admin.goto(f"{where}/more")
    look(admin, "phone-retired-more")
    admin.goto(where)
    admin.get_by_role("button", name="Take it back").click()
    expect(admin.get_by_text("It is back in service, as it was before.")).to_be_visible()
    record = office.installation.store.phone(PHONE)
    assert record is not None and record.retired_at is None and [line.extension for line in record.lines] == ["1004"]
