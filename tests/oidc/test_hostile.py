"""Nobody is signed in by an answer that breaks one rule, and nothing of a token is told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from provisioner.oidc import exchange
from tests.oidc.conftest import Office
from tests.oidc.standin import OTHER_KEY, Standin, huge, saying, slow, unsigned

UNTRUE, STALE, AWAY = "could not be proven to be its word", "too old, or was used already", "does not answer at the moment"
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "https://elsewhere.example"},
    "another audience": {"aud": "another client"},
    "no audience": {"aud": []},
    "several audiences and no azp": {"aud": ["provisioner here", "another"]},
    "another azp": {"azp": "another client"},
    "expired": {"exp": int(time.time()) - 3600},
    "never expires": {"exp": None},
    "an expiry that is no number": {"exp": "tomorrow"},
    "made in the future": {"iat": int(time.time()) + 86_400},
    "not yet": {"nbf": int(time.time()) + 86_400},
    "no subject": {"sub": None},
    "an endless subject": {"sub": "x" * 256},
    "a subject that is no text": {"sub": 1},
}


@pytest.fixture(autouse=True)
def _nothing_is_told(office: Office, caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.DEBUG)
    yield
    assert office.user() == ""
    told = caplog.text + repr(office.installation.store.changes(limit=50))
    assert not any(secret in told for secret in ("s3cret/of:ours", "access-token-1", "eyJ", "code-0"))


def refused(office: Office, provider: Standin, words: str) -> None:
    office.installation.accounts.by_address.succeeded("127.0.0.1")  # one hostile answer after the other, without the delay
    answer = office.sign_in(provider)
    assert answer.status_code in {401, 503} and words in answer.text
    assert "provisioner_session" not in "".join(answer.headers.getlist("Set-Cookie"))


def test_wrong_claim_signs_nobody_in(office: Office, provider: Standin) -> None:
    for wrong, changed in WRONG_CLAIMS.items():

        def claims(true: dict[str, Any], changed: dict[str, Any] = changed) -> dict[str, Any]:
            return {name: value for name, value in {**true, **changed}.items() if value is not None}

        provider.claims = claims
        refused(office, provider, UNTRUE)
        assert office.user() == "", wrong


def _other_key(provider: Standin) -> None:
    provider.key = OTHER_KEY


def _none(provider: Standin) -> None:
    provider.token = unsigned


def _public_key_as_password(provider: Standin) -> None:
    provider.algorithm = "HS256"


def _cut(provider: Standin) -> None:
    provider.token = lambda token: token[:-8]


def _too_long(provider: Standin) -> None:
    provider.claims = lambda claims: {**claims, "more": "x" * 40_000}


def _no_token(provider: Standin) -> None:
    provider.token = lambda _token: ""


FORGERIES = [_other_key, _none, _public_key_as_password, _cut, _too_long, _no_token]


@pytest.mark.parametrize("forge", FORGERIES)
def test_token_without_the_providers_signature_signs_nobody_in(office: Office, provider: Standin, forge: Callable[[Standin], None]) -> None:
    forge(provider)
    refused(office, provider, UNTRUE)


def test_answer_counts_once_in_the_browser_that_began_with_its_state_for_a_while(
    office: Office, provider: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert STALE in office.come_back(provider.authorize(office.begin()) + "x").text, "another state"
    assert STALE in office.come_back("state=x&code=y").text, "the cookie went with the first answer"
    query = provider.authorize(office.begin())
    stranger = office.app.test_client()
    assert STALE in stranger.get(f"/sign-in/return?{query}").text, "another browser"
    stranger.set_cookie("provisioner_oidc", "AAAA", path="/sign-in")
    assert STALE in stranger.get(f"/sign-in/return?{query}").text, "a cookie that we did not make"
    clock = office.installation.changes.clock
    query = provider.authorize(office.begin())
    monkeypatch.setattr("provisioner.oidc.flow.BEGUN_S", -1)
    assert STALE in office.come_back(query).text and clock() > 0, "too long ago"


def test_answer_is_not_taken_twice_whatever_the_provider_does(office: Office, provider: Standin) -> None:
    provider.is_generous = True
    query = provider.authorize(office.begin())
    begun = office.browser.get_cookie("provisioner_oidc", path="/sign-in")
    assert begun is not None
    assert "Go on" in office.come_back(query).text
    again = office.app.test_client()
    again.set_cookie("provisioner_oidc", begun.value, path="/sign-in")
    assert STALE in again.get(f"/sign-in/return?{query}").text
    office.browser = again


def test_code_that_the_provider_refuses_signs_nobody_in(office: Office, provider: Standin) -> None:
    office.come_back(provider.authorize(office.begin()).replace("code-0", "code-of-another"))
    assert "Example did not sign you in." in office.come_back(provider.authorize(office.begin()).replace("code-1", "code-0x")).text
    assert "Example did not sign you in." in office.come_back(f"error=access_denied&{provider.authorize(office.begin())}").text
    answer = office.come_back(provider.authorize(office.begin(), iss="https://elsewhere.example"))
    assert UNTRUE in answer.text, "another issuer answers (RFC 9207)"


NONSENSE = [huge, slow, saying(302, b"{}"), saying(500, b"{}"), saying(200, b"[]"), saying(200, b"{" * 5000), saying(200, b"")]


def test_provider_that_answers_nonsense_for_a_code_is_away(office: Office, provider: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange.exchanged, "__defaults__", (None, None, 1.0))
    for answer in NONSENSE:
        provider.answers["/token"] = answer
        refused(office, provider, AWAY)


KEYS = [huge, saying(200, b'{"keys": [{"kty": "RSA", "n": 1}]}'), saying(200, b'{"keys": 1}')]
ELSEWHERE: list[dict[str, Any]] = [
    {"issuer": "https://elsewhere.example"},
    {"token_endpoint": None},
    {"token_endpoint": "http://elsewhere.example/token"},
    {"jwks_uri": "file:///etc/passwd"},
    {"userinfo_endpoint": "http://elsewhere.example/"},
]


def test_provider_whose_keys_are_nonsense_is_away(office: Office, provider: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.oidc.provider.AWAY_S", 0.0)
    for answer in KEYS:
        provider.answers["/keys"] = answer
        refused(office, provider, AWAY)


def test_discovery_that_leads_elsewhere_is_not_followed(office: Office, provider: Standin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.oidc.provider.AWAY_S", 0.0)
    for said in ELSEWHERE:
        provider.metadata = said
        answer = office.browser.get("/sign-in/provider")
        assert answer.status_code == 503 and AWAY in answer.text, said


def test_userinfo_of_another_subject_signs_nobody_in(office: Office, provider: Standin) -> None:
    provider.person = {"sub": "subject-1"}
    provider.userinfo = {"sub": "subject-2", "email": "alice", "email_verified": True}
    refused(office, provider, UNTRUE)


def test_failures_are_slowed_like_wrong_passwords(office: Office) -> None:
    answers = [office.come_back("state=x&code=y").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


NOBODY: list[dict[str, Any]] = [
    {"sub": "1", "email": "nobody@example.com", "email_verified": True},
    {"sub": "1", "email": "alice", "email_verified": False},
    {"sub": "1", "email": "alice"},
    {"sub": "1", "email": ["alice"], "email_verified": True},
    {"sub": "1", "email": "x" * 49, "email_verified": True},
    {"sub": "1"},
]


def test_person_who_is_not_known_here_is_told_so(office: Office, provider: Standin) -> None:
    for person in NOBODY:
        provider.person = person
        refused(office, provider, "you have no place here")
    assert [who.name for who in office.installation.store.users()] == ["alice", "root"]
