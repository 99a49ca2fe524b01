"""One-time codes that people set up themselves, recovery codes, and roles that cannot do without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from provisioner.accounts import Accounts, Caller, Refused, SignedIn, totp
from provisioner.wiring import Installation
from tests.accounts.conftest import HERE, PASSWORD, signed_in
from tests.engines import Clock


def code_now(secret: bytes, clock: Clock) -> str:
    return totp.code_at(secret, int(clock.now // 30))


@pytest.fixture
def alice(accounts: Accounts) -> Caller:
    return signed_in(accounts).caller


def turned_on(accounts: Accounts, who: Caller, clock: Clock) -> tuple[bytes, list[str]]:
    """Returns the secret and the recovery codes of somebody who turned one-time codes on."""
    secret = accounts.codes.begin(who)
    assert secret is not None
    codes = accounts.codes.turn_on(who, code_now(secret, clock), PASSWORD)
    assert isinstance(codes, list), codes
    return secret, codes


def test_a_set_up_counts_for_nothing_before_its_first_code(accounts: Accounts, alice: Caller, clock: Clock) -> None:
    secret = accounts.codes.begin(alice)
    assert secret is not None and accounts.codes.begin(alice) == secret == accounts.codes.secret(alice)
    signed_in(accounts)
    assert accounts.codes.turn_on(alice, "000000", PASSWORD) == "code"
    assert accounts.codes.turn_on(alice, code_now(secret, clock), "wrong") == "present"
    signed_in(accounts)
    clock.now += 30 * 60 + 1
    assert accounts.codes.secret(alice) is None
    assert accounts.codes.turn_on(alice, code_now(secret, clock), PASSWORD) == "nothing"
    assert accounts.codes.begin(alice) != secret


def test_turning_on_ends_the_sessions_that_no_code_opened(accounts: Accounts, alice: Caller, clock: Clock) -> None:
    other = signed_in(accounts).cookie
    secret, _ = turned_on(accounts, alice, clock)
    assert accounts.session(other) is None
    assert [row.digest for row in accounts.sessions(alice)] == [alice.session]
    assert accounts.sign_in("alice", PASSWORD, "", HERE) == Refused("code_needed")
    assert accounts.sign_in("alice", PASSWORD, code_now(secret, clock), HERE) == Refused("wrong"), "the first code was used up"
    clock.now += 30
    assert isinstance(accounts.sign_in("alice", PASSWORD, code_now(secret, clock), HERE), SignedIn)
    assert accounts.codes.begin(alice) is None, "another secret needs turning off first"


def test_a_recovery_code_signs_in_once_however_it_is_typed(
    accounts: Accounts, alice: Caller, clock: Clock, installation: Installation
) -> None:
    _, codes = turned_on(accounts, alice, clock)
    assert len(set(codes)) == 10
    assert isinstance(accounts.sign_in("alice", PASSWORD, f" {codes[0].upper().replace('-', ' ')} ", HERE), SignedIn)
    assert accounts.sign_in("alice", PASSWORD, codes[0], HERE) == Refused("wrong")
    assert accounts.codes.left(alice) == 9
    by = [row.after["by"] for row in installation.store.changes(limit=5) if row.action == "session.open"]
    assert by == ["password and recovery code", "password"]
    dumped = repr(installation.store.changes(limit=50))
    assert not any(code in dumped or code.replace("-", "") in dumped for code in codes)


def test_recovery_codes_of_one_are_not_those_of_another(
    accounts: Accounts, alice: Caller, clock: Clock, installation: Installation
) -> None:
    installation.changes.create_user("tests", "bob", {"role": "admin", "password": PASSWORD})
    _, codes = turned_on(accounts, alice, clock)
    turned_on(accounts, signed_in(accounts, "bob").caller, clock)
    assert accounts.sign_in("bob", PASSWORD, codes[0], HERE) == Refused("wrong")
    assert accounts.codes.left(alice) == 10


def test_codes_are_guessed_at_slowly(accounts: Accounts, alice: Caller, clock: Clock) -> None:
    secret, codes = turned_on(accounts, alice, clock)
    clock.now += 60
    results = [accounts.sign_in("alice", PASSWORD, f"{number:06d}", HERE) for number in range(11)]
    assert [result.reason for result in results if isinstance(result, Refused)] == ["wrong"] * 10 + ["wait"]
    held_up = accounts.sign_in("alice", PASSWORD, codes[0], HERE)
    assert isinstance(held_up, Refused) and held_up.reason == "wait"
    assert [accounts.codes.turn_off(alice, "000000") for _ in range(11)] == ["code"] * 10 + ["wait"]
    assert accounts.codes.turn_off(alice, code_now(secret, clock)) == "wait"
    clock.now += 31
    assert accounts.codes.turn_off(alice, code_now(secret, clock)) is None


@pytest.mark.parametrize("shown", ["password", "code", "recovery"])
def test_turning_off_needs_the_password_or_a_code(accounts: Accounts, alice: Caller, clock: Clock, shown: str) -> None:
    secret, codes = turned_on(accounts, alice, clock)
    used_up = code_now(secret, clock)
    assert accounts.codes.turn_off(alice, used_up) == "code"
    clock.now += 30
    assert accounts.codes.turn_off(alice, {"password": PASSWORD, "code": code_now(secret, clock), "recovery": codes[3]}[shown]) is None
    assert accounts.codes.left(alice) == 0
    assert accounts.codes.turn_off(alice, PASSWORD) == "nothing"
    signed_in(accounts)


def test_new_recovery_codes_make_the_old_ones_worthless(accounts: Accounts, alice: Caller, clock: Clock) -> None:
    assert accounts.codes.renew_recovery(alice, PASSWORD) == "nothing"
    _, old = turned_on(accounts, alice, clock)
    assert accounts.codes.renew_recovery(alice, "wrong") == "code"
    fresh = accounts.codes.renew_recovery(alice, old[0])
    assert isinstance(fresh, list) and not set(fresh) & set(old)
    assert accounts.sign_in("alice", PASSWORD, old[1], HERE) == Refused("wrong")
    assert isinstance(accounts.sign_in("alice", PASSWORD, fresh[0], HERE), SignedIn)


def test_every_change_of_it_is_kept_with_who_did_it(accounts: Accounts, alice: Caller, clock: Clock, installation: Installation) -> None:
    turned_on(accounts, alice, clock)
    accounts.codes.renew_recovery(alice, PASSWORD)
    installation.changes.set_user_totp("user:root", "alice", None)
    rows = [(row.actor, row.action, row.after) for row in installation.store.changes(limit=3)]
    assert rows == [
        ("user:root", "user.totp", {"asked_for": False}),
        ("user:alice", "user.recovery_codes", {"recovery_codes": 10}),
        ("user:alice", "user.totp", {"asked_for": True, "recovery_codes": 10}),
    ]
    assert accounts.codes.left(alice) == 0


def test_whoever_removes_a_user_removes_the_codes(accounts: Accounts, alice: Caller, clock: Clock, installation: Installation) -> None:
    turned_on(accounts, alice, clock)
    installation.changes.delete_user("tests", "alice")
    installation.changes.create_user("tests", "alice", {"role": "viewer", "password": PASSWORD})
    assert accounts.codes.left(signed_in(accounts).caller) == 0


@pytest.mark.parametrize(("setting", "owing"), [("nobody", []), ("admins", ["root"]), ("everybody", ["alice", "root"])])
def test_roles_that_need_codes_owe_them_until_they_are_on(
    installation: Installation, clock: Clock, setting: str, owing: list[str], tmp_path: Path
) -> None:
    installation.changes.create_user("tests", "root", {"role": "admin", "password": PASSWORD})
    installation.changes.create_user("tests", "elsewhere", {"role": "admin", "password": None})
    settings = replace(installation.settings, second_factor=setting, data_dir=tmp_path)
    accounts = Accounts(installation.store, installation.changes, settings, monotonic=clock)
    people = [signed_in(accounts, name) for name in ("alice", "root")]
    assert [each.caller.user for each in people if each.caller.owes_codes] == owing
    vouched = accounts.sign_in_as("elsewhere", HERE)
    assert vouched is not None and not vouched.caller.owes_codes
    for each in people:
        turned_on(accounts, each.caller, clock)
        known = accounts.session(each.cookie)
        assert known is not None and not known.owes_codes
