"""A provider, and an installation that people sign in to by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from werkzeug.test import Client, TestResponse

from provisioner.admin import create_app
from provisioner.wiring import Installation
from tests.installations import fresh_installation
from tests.oidc.standin import CLIENT_ID, CLIENT_SECRET, Standin, running


class Office:
    """An installation with its pages, and a browser."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        installation.changes.create_user("tests", "root", {"role": "admin"})
        installation.changes.create_user("tests", "alice", {"role": "technician"})
        self.app = create_app(installation)[0]
        self.browser: Client = self.app.test_client()

    def begin(self, where: str = "") -> str:
        """Returns the provider's address that the browser is sent to."""
        answer = self.browser.get(f"/sign-in/provider{where}")
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def come_back(self, query: str) -> TestResponse:
        return self.browser.get(f"/sign-in/return?{query}")

    def sign_in(self, provider: Standin, where: str = "") -> TestResponse:
        return self.come_back(provider.authorize(self.begin(where)))

    def user(self) -> str:
        """Returns who is signed in, empty where nobody is."""
        answer = self.browser.get("/api/v1/session")
        return str(answer.json["user"]) if answer.status_code == 200 and answer.json else ""


@pytest.fixture
def provider() -> Iterator[Standin]:
    with running(Standin()) as standin:
        yield standin


Opening = Callable[..., Office]


@pytest.fixture
def opening(provider: Standin, tmp_path: Path) -> Iterator[Opening]:
    """Opens an office with further settings."""
    with ExitStack() as stack:

        def open_office(**settings: object) -> Office:
            known = {
                "oidc_issuer": provider.issuer,
                "oidc_client_id": CLIENT_ID,
                "oidc_client_secret": CLIENT_SECRET,
                "oidc_name": "Example",
            }
            return Office(stack.enter_context(fresh_installation(tmp_path, **{**known, **settings})))

        yield open_office


@pytest.fixture
def office(opening: Opening) -> Office:
    return opening()
