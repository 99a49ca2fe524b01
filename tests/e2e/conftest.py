"""A browser, a server, and an office to look at. Screenshots go to ``build/screenshots``, which is not kept."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from provisioner.wiring import open_installation
from tests.e2e.office import PASSWORD, Office
from tests.e2e.serving import settings_of
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
PATIENCE_MS = 60_000
"""What anything may take on a machine that is busy with other tests."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. One that is missing fails the test, which then names it."""
    program = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    assert program, "chromium is missing. As root: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    installation = open_installation(settings_of(folder, free_port()), create=True)
    office = Office(installation)
    office.furnish()
    yield office
    installation.database.dispose()


class Server:
    """The admin listener of an office, as it runs in earnest."""

    def __init__(self, office: Office) -> None:
        settings = office.installation.settings
        self.port = settings.admin_bind.port
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "tests.e2e.serving", str(settings.data_dir), str(self.port)]
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._process = subprocess.Popen(self._command, cwd=ROOT, start_new_session=True)
        wait_for_server(self._process, self.port)

    def stop(self) -> None:
        """Ends it with all that it started."""
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture(scope="module")
def server(office: Office) -> Iterator[Server]:
    server = Server(office)
    yield server
    server.stop()


@pytest.fixture
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser that nobody signed in with."""
    context = browser.new_context(base_url=server.url, viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def admin(context: BrowserContext) -> Page:
    return signed_in(context, "admin")


def signed_in(context: BrowserContext, name: str) -> Page:
    """Returns a page of somebody who signed in by the form."""
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("nav.side", state="attached")
    return page


def wait_for_server(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the admin listener did not start"
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the admin listener did not answer within a minute")
