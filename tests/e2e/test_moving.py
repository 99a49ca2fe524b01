"""Somebody brings phones over from another system: a ZIP is chosen, looked at and written, in the browser."""

from __future__ import annotations

import zipfile
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from provisioner.core.mac import Mac
from tests.e2e.conftest import SCREENSHOTS, signed_in
from tests.e2e.office import Office
from tests.e2e.test_every_page import SIZES, THEMES, mistakes

FILE = """#!version:1.0.0.1
account.1.user_name = 7401
account.1.display_name = Zoe Old
account.1.password = Sup3rSecret1
linekey.2.type = 16
linekey.2.value = 1002
linekey.2.label = Bob
linekey.3.type = 51
local_time.time_zone = +1
features.odd_thing = 1
"""


def test_phones_of_another_system_come_over_by_zip(context: BrowserContext, office: Office, tmp_path: Path) -> None:
    page = signed_in(context, "admin")
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as made:
        made.writestr("T46U/805ec07f0001.cfg", FILE)
        made.writestr("805ec07f0002.cfg", FILE.replace("7401", "7402"))
    page.goto("/import")
    page.screenshot(path=SCREENSHOTS / "import-form.png", full_page=True)
    page.get_by_label("CSV or ZIP file").set_input_files(tmp_path / "old.zip")
    page.get_by_role("button", name="Preview").first.click()
    expect(page.get_by_text("Read as files that another system wrote for its phones")).to_be_visible()
    page.locator("details.left summary").first.click()
    expect(page.get_by_text("features.odd_thing")).to_be_visible()
    wrong = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            wrong += mistakes(page, f"import of a ZIP, {size}, {theme}")
            page.screenshot(path=SCREENSHOTS / f"import-zip-{size}-{theme}.png", full_page=True)
    assert wrong == []
    page.get_by_label("good row").check()
    page.get_by_role("button", name="Write it").click()
    expect(page.get_by_text("Left out: 1")).to_be_visible()
    phone = office.installation.store.phone(Mac("805ec07f0001"))
    assert phone is not None and [key.value for key in phone.keys] == ["1002"]
    assert office.installation.store.phone(Mac("805ec07f0002")) is None
