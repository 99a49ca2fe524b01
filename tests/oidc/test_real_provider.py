"""Against a provider of others (oidc-provider-mock, which stands on Authlib), in a process of its own."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.oidc.conftest import Opening
from tests.ports import free_port

PERSON = {"sub": "8f1c", "email": "alice", "email_verified": True}


@pytest.fixture
def issuer() -> Iterator[str]:
    port = free_port()
    command = [str(Path(sys.executable).with_name("oidc-provider-mock")), "--port", str(port), "--user-claims", json.dumps(PERSON)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, f"http://127.0.0.1:{port}/.well-known/openid-configuration")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "oidc-provider-mock did not start"
        try:
            with urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("oidc-provider-mock did not answer within a minute")


def consented(address: str) -> str:
    """The person says yes at the provider: returns the query that the browser is sent back with."""
    parts = urlsplit(address)
    with closing(HTTPConnection(parts.netloc, timeout=20)) as connection:
        connection.request("POST", f"{parts.path}?{parts.query}", b"sub=8f1c", {"Content-Type": "application/x-www-form-urlencoded"})
        return urlsplit(connection.getresponse().headers["Location"]).query


def test_person_signs_in_once_for_each_yes(opening: Opening, issuer: str) -> None:
    office = opening(oidc_issuer=issuer, oidc_client_id="provisioner", oidc_client_secret="secret-of-ours")
    query = consented(office.begin())
    answer = office.come_back(query)
    assert answer.status_code == 200, answer.text
    assert office.user() == "alice"
    alice = office.installation.store.user("alice")
    assert alice is not None and alice.subject == "8f1c"
    office.browser = office.app.test_client()
    code = query.partition("code=")[2].partition("&")[0]
    state = office.begin().partition("state=")[2].partition("&")[0]
    refused = office.come_back(f"code={code}&state={state}")
    assert refused.status_code == 401 and "did not sign you in" in refused.text, "the provider takes a code once"


def test_provider_takes_the_way_out(opening: Opening, issuer: str) -> None:
    office = opening(oidc_issuer=issuer, oidc_client_id="provisioner", oidc_client_secret="secret-of-ours")
    office.come_back(consented(office.begin()))
    token = office.browser.get("/api/v1/session").get_json()["csrf_token"]
    office.browser.post("/sign-out", data={"csrf_token": token})
    found = re.search(r'href="(http[^"]+)" rel="noreferrer"', office.browser.get("/sign-out").text)
    assert found
    with urlopen(html.unescape(found[1]), timeout=20) as answer:
        text = answer.read().decode()
    assert "<code>id_token_hint</code>" in text
    assert "not set" not in text, "it says so of what it misses"
