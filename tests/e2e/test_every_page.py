"""Every page in both themes, on a desk and in a hand: it renders, loads nothing from elsewhere, and axe finds nothing serious."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, Page

from tests.e2e.conftest import SCREENSHOTS, signed_in
from tests.e2e.office import BACKUP, Office, mac_of

PHONE, NOT_HERE = f"/phones/{mac_of(0).colons}", "not-here"
PAGES = {
    "overview": "/", "phones": "/phones", "phones-held": "/phones?stage=held", "phone": PHONE, "phone-files": f"{PHONE}/files",
    "phone-fetches": f"{PHONE}/fetches", "phone-settings": f"{PHONE}/settings", "phone-changes": f"{PHONE}/changes", "phone-more": f"{PHONE}/more", "phone-keys": f"{PHONE}/keys",
    "phone-keys-hanoi": f"/phones/{mac_of(1).colons}/keys", "phone-keys-copy": f"{PHONE}/keys/copy", "layouts": "/layouts", "layout": "/layouts/Sales",
    "phone-edit": f"{PHONE}/edit", "phone-new": "/phones/new", "seen": "/seen", "seen-one": "/seen/80:5e:c0:bb:cc:dd", "extensions": "/extensions",
    "extension": "/extensions/1001", "extension-new": "/extensions/new", "departments": "/departments", "sites": "/sites", "site": "/sites/Hanoi",
    "group": "/groups/Reception", "models": "/models", "model": "/models/yealink/t46u", "import": "/import", "pbx": "/pbx", "changes": "/changes",
    "install": "/install", "install-find": "/install/1005", "install-sure": "/install/1005/80:5e:c0:bb:cc:dd", "installed": f"/install/1001/{mac_of(0).colons}",
    "enrolment": "/enrolment", "phone-install": f"{PHONE}/install", "phone-redirect": f"{PHONE}/redirect", "redirects": "/redirects", "calls": "/calls", "people": "/people", "person": "/people/tech", "person-new": "/people/new", "notices": "/notices", "recipient": "/notices/recipients/2", "recipient-new": "/notices/new-recipient", "webhook": "/notices/webhooks/billing", "webhook-new": "/notices/new-webhook", "backups": "/backups", "backup": f"/backups/{BACKUP}", "help": "/help", "you": "/you", "own-codes": "/you/codes", NOT_HERE: "/nowhere",
}  # fmt: skip
SIZES = {"desk": (1280, 900), "hand": (390, 844)}
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
GRAVE = ("serious", "critical")
RUN_AXE = "axe.run({resultTypes: ['violations']}).then(found => found.violations)"


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return signed_in(context, "admin")


@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_sound(page: Page, office: Office, size: str) -> None:
    """Colours are the same at both sizes, so axe looks at the dark theme on the desk only."""
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    wrong: list[str] = []
    page.on(
        "console",
        lambda message: wrong.append(f"{page.url}: {message.text}") if message.type == "error" and "404" not in message.text else None,
    )
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on(
        "request",
        lambda request: wrong.append(f"{page.url} asks {request.url}") if not request.url.startswith((page.url[:20], "data:")) else None,
    )
    listing = office.installation.store.changes(subject=mac_of(0), actions=["phone.create"])[0]
    newest = office.installation.store.calls(limit=1)[0]
    for name, path in {**PAGES, "undo-listing": f"/changes/{listing.id}/undo", "call": f"/calls/{newest.number}"}.items():
        answer = page.goto(path)
        assert answer is not None and answer.status == (404 if name == NOT_HERE else 200), name
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            wrong += mistakes(page, f"{name}, {theme}") if (size, theme) != ("hand", "dark") else []
            page.screenshot(path=SCREENSHOTS / f"{name}-{size}-{theme}.png", full_page=True)
    assert wrong == []


def test_sign_in_page_is_sound(context: BrowserContext) -> None:
    page = context.new_page()
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.goto("/sign-in")
            assert mistakes(page, "sign-in") == []
            page.screenshot(path=SCREENSHOTS / f"sign-in-{size}-{theme}.png")


def mistakes(page: Page, name: str) -> list[str]:
    """Returns what axe finds that is serious, and whether the page is wider than its window."""
    if not page.evaluate("'axe' in window"):  # half a megabyte, which a document is given once
        page.evaluate(AXE_SCRIPT)
    found = [
        f"{name}: {item['id']} {item['help']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for item in page.evaluate(RUN_AXE)
        if item["impact"] in GRAVE
        for node in item["nodes"][:3]
    ]
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*found, *([f"{name}: {too_wide} px too wide"] if too_wide > 0 else [])]
