"""Who is told, in the browser: a person is added and removed, and a webhook reaches a program of the test; the page follows by itself."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

from playwright.sync_api import Page, expect

from provisioner.webhooks import Webhooks
from tests.e2e.conftest import SCREENSHOTS
from tests.e2e.office import Office
from tests.webhooks.test_webhooks import LOOPBACK, Receiver, receiver

__all__ = ["receiver"]
ADDRESS = "reception@example.com"


def test_a_person_is_added_seen_paused_and_removed(admin: Page) -> None:
    admin.goto("/")
    admin.get_by_role("navigation", name="Main").get_by_role("link", name="Notices").click()
    expect(admin.get_by_text("No mail server is set: nobody is told by e-mail yet.")).to_be_visible()
    admin.get_by_role("link", name="Add a person").click()
    expect(admin.get_by_label("The disk is nearly full")).to_be_checked()
    admin.get_by_label("E-mail address").fill(ADDRESS)
    admin.get_by_label("Where").select_option("Hanoi")
    admin.get_by_label("The disk is nearly full").uncheck()
    admin.get_by_role("button", name="Save").click()
    row = admin.get_by_role("row", name=ADDRESS)
    expect(row).to_contain_text("Only at Hanoi")
    expect(row).to_contain_text("and 8 more")
    row.get_by_role("button", name="Pause").click()
    expect(row.get_by_text("Paused")).to_be_visible()
    row.get_by_role("link", name=ADDRESS).click()
    expect(admin.get_by_label("The disk is nearly full")).not_to_be_checked()
    expect(admin.get_by_label("Paused: told nothing")).to_be_checked()
    admin.get_by_text("Remove this person from the notices").click()
    admin.get_by_role("button", name="Yes, remove").click()
    expect(admin.get_by_text(f"{ADDRESS} is told no more.")).to_be_visible()
    expect(row).to_have_count(0)


def test_a_webhook_is_made_and_delivers_while_the_page_is_looked_at(admin: Page, office: Office, receiver: Receiver) -> None:
    installation = office.installation
    rounds = Webhooks(installation.store, installation.changes, LOOPBACK)
    for hook in installation.store.webhooks():  # those of the office lead nowhere
        installation.changes.delete_webhook("tests", hook.name)
    admin.goto("/notices")
    admin.get_by_role("link", name="Add a webhook").click()
    admin.get_by_label("Name").fill("switchboard")
    admin.get_by_label("Address", exact=True).fill(receiver.url)
    admin.get_by_label("Everything, whatever else is ticked").uncheck()
    admin.get_by_label("Extensions: made, changed, deleted").check()
    admin.get_by_role("button", name="Make the webhook").click()
    secret = admin.locator(".once").inner_text()
    admin.screenshot(path=SCREENSHOTS / "webhook-made.png", full_page=True)
    admin.get_by_role("button", name="Send a test").click()
    expect(admin.locator(".once")).to_have_count(0)
    row = admin.get_by_role("row", name="webhook.test")
    expect(row.get_by_text("On its way")).to_be_visible()
    admin.evaluate("window.notReloaded = true")
    assert rounds.round() == 1
    expect(row.get_by_text("Taken")).to_be_visible()
    receiver.status = 500
    installation.changes.update_extension("tests", "1004", {"display_name": "Aino Korhonen"})
    assert rounds.round() == 1
    expect(admin.get_by_role("row", name="extension.update")).to_contain_text("It answered 500.")
    assert admin.evaluate("window.notReloaded")
    headers, body = receiver.got[0]
    signed = f"{headers['Webhook-Id']}.{headers['Webhook-Timestamp']}.".encode() + body
    assert headers["Webhook-Signature"] == "v1," + b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
    admin.get_by_text("Remove this webhook").click()
    admin.get_by_role("button", name="Yes, remove").click()
    expect(admin.get_by_text("switchboard is told no more.")).to_be_visible()
    expect(admin.get_by_text("No program is told.")).to_be_visible()
