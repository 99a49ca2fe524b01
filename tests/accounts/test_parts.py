"""One-time codes, delays, CSRF tokens, addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.accounts import Caller, totp
from provisioner.accounts.attempts import KEYS, Attempts
from provisioner.accounts.cookies import csrf_fits, csrf_token, new_cookie
from provisioner.passwords import new_password, password_fits, password_hash, password_mistake
from provisioner.records import ROLES
from tests.engines import Clock

SEED = b"12345678901234567890"
# RFC 6238, appendix B, the SHA-1 rows; six digits are the last six of its eight.
RFC_6238 = [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"), (2000000000, "69279037")]


@pytest.mark.parametrize(("at", "code"), RFC_6238)
def test_codes_are_those_of_the_rfc(at: int, code: str) -> None:
    assert totp.code_at(SEED, at // 30) == code[-6:]


def test_a_code_fits_one_step_either_way_and_never_again() -> None:
    at = 1_000_000 * 30
    for step in (999_999, 1_000_000, 1_000_001):
        assert totp.matching_step(SEED, totp.code_at(SEED, step), at, 0) == step
        assert totp.matching_step(SEED, totp.code_at(SEED, step), at, step) is None
    for step in (999_998, 1_000_002):
        assert totp.matching_step(SEED, totp.code_at(SEED, step), at, 0) is None


@given(st.text())
def test_any_text_as_a_code_is_judged(text: str) -> None:
    assert totp.matching_step(SEED, text, 1_000_000, 10**9) is None


def test_the_address_names_user_and_secret() -> None:
    assert totp.address_of(b"\0" * 20, "a b") == (
        "otpauth://totp/Provisioner%3Aa%20b?secret=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&issuer=Provisioner&digits=6&period=30"
    )


def test_attempts_are_bounded_and_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.accounts.attempts.KEYS", 100)
    clock = Clock()
    attempts = Attempts(free=1, longest_s=8, clock=clock)
    for turn in range(300):
        attempts.failed(f"key{turn}")
    assert len(attempts) == 100 < KEYS
    for _ in range(20):
        attempts.failed("mine")
    assert attempts.wait_s("mine") == 8
    attempts.succeeded("mine")
    assert attempts.wait_s("mine") == 0
    attempts.failed("mine")
    clock.now += Attempts.FORGOTTEN_S
    assert attempts.wait_s("mine") == 0


@given(st.text())
def test_no_other_text_is_the_csrf_token(text: str) -> None:
    cookie = new_cookie()
    assert csrf_fits(cookie, csrf_token(cookie))
    assert not csrf_fits(cookie, text)


def test_a_role_may_what_those_before_it_may() -> None:
    for at, role in enumerate(ROLES):
        assert [Caller("x", role).may(needed) for needed in ROLES] == [wanted <= at for wanted in range(len(ROLES))]
    assert not Caller("x", "admin").may("emperor")


def test_a_made_password_is_good_and_fits() -> None:
    password = new_password()
    assert password_mistake(password, "admin") == ""
    hashed = password_hash(password)
    assert password_fits(hashed, password)
    assert not password_fits(hashed, password + "x")
    assert not password_fits("no hash", password)
    assert not password_fits(None, password)
