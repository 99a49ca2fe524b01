"""Signing in by a provider on another site, in a real browser: it sends no ``SameSite=Strict`` cookie on the way back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from provisioner.wiring import open_installation
from tests.e2e.conftest import PATIENCE_MS, SCREENSHOTS, wait_for_server
from tests.e2e.serving import settings_of
from tests.oidc.test_real_provider import issuer
from tests.ports import free_port

__all__ = ["issuer"]


@contextmanager
def serving(folder: Path, issuer: str) -> Iterator[str]:
    """Yields the address of an admin listener whose people sign in by the provider."""
    port = free_port()
    installation = open_installation(settings_of(folder, port), create=True)
    for name, role in (("root", "admin"), ("alice", "technician")):
        installation.changes.create_user("tests", name, {"role": role})
    installation.database.dispose()
    provider = {"OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": "ours", "OIDC_CLIENT_SECRET": "secret-of-ours", "OIDC_NAME": "Example"}
    own = {"DATA_DIR": str(folder), "ADMIN_BIND": f"127.0.0.1:{port}", "PUBLIC_HOST": "192.0.2.10", "PBX": "fake"}
    env = os.environ | {f"PROVISIONER_{name}": value for name, value in (provider | own).items()}
    process = subprocess.Popen([str(Path(sys.executable).with_name("provisioner")), "serve", "admin"], env=env)
    try:
        wait_for_server(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_person_comes_back_signed_in_to_the_page_they_wanted(
    browser: Browser, issuer: str, tmp_path: Path, theme: Literal["light", "dark"]
) -> None:
    there = issuer.replace("127.0.0.1", "localhost")  # another site than ours
    with serving(tmp_path, there) as here, browser.new_context(base_url=here, color_scheme=theme) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto("/phones")
        expect(page.get_by_role("link", name="Example")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / f"sign-in-provider-{theme}.png", full_page=True)
        assert Axe().run(page).violations_count == 0
        page.get_by_role("link", name="Example").click()
        assert page.url.startswith(there)
        page.locator("input[name=sub]").fill("8f1c")
        page.get_by_role("button").first.click()
        page.wait_for_url("**/phones")
        expect(page.get_by_role("heading", level=1)).to_have_text("Phones")
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Phones")
