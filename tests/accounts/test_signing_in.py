"""Signing in, sessions and their ends, guessing and one-time codes."""

from __future__ import annotations

import pytest

from provisioner.accounts import Accounts, Refused, SignedIn, totp
from provisioner.errors import InputError
from provisioner.passwords import LONGEST_TYPED
from provisioner.wiring import Installation
from tests.accounts.conftest import HERE, PASSWORD, signed_in
from tests.engines import Clock

WRONG = Refused("wrong")


def test_a_session_stands_for_who_signed_in(accounts: Accounts) -> None:
    result = signed_in(accounts)
    caller = accounts.session(result.cookie)
    assert caller == result.caller
    assert caller is not None
    assert (caller.name, caller.user, caller.role, caller.sites) == ("user:alice", "alice", "technician", None)
    assert accounts.session("") is None
    assert accounts.session(result.cookie[:-1]) is None


def test_the_cookie_is_not_in_the_database(accounts: Accounts, installation: Installation) -> None:
    cookie = signed_in(accounts).cookie
    rows = installation.store.sessions_of("alice", 0)
    assert len(rows) == 1
    assert cookie not in repr(rows)
    assert PASSWORD not in str(installation.store.user_password("alice"))


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("alice", ""), ("nobody", PASSWORD), ("", ""), ("a" * 5000, PASSWORD), ("alice", "x" * 5000)]
)
def test_whatever_does_not_fit_is_refused_alike(accounts: Accounts, name: str, password: str) -> None:
    assert accounts.sign_in(name, password, "", HERE) == WRONG


def test_a_disabled_user_is_refused_like_a_wrong_password_and_loses_the_session(accounts: Accounts, installation: Installation) -> None:
    cookie = signed_in(accounts).cookie
    installation.changes.update_user("tests", "alice", {"disabled": True})
    assert accounts.session(cookie) is None
    assert accounts.sign_in("alice", PASSWORD, "", HERE) == WRONG
    installation.changes.update_user("tests", "alice", {"disabled": False})
    assert accounts.session(cookie) is None
    signed_in(accounts)


def test_an_unknown_name_is_compared_with_a_hash_like_a_known_one(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    from provisioner.accounts import signing_in

    seen: list[str | None] = []
    real = signing_in.password_fits
    monkeypatch.setattr(signing_in, "password_fits", lambda hashed, password: [seen.append(hashed), real(hashed, password)][1])
    accounts.sign_in("nobody", PASSWORD, "", HERE)
    accounts.sign_in("alice", "wrong", "", HERE)
    assert seen[0] is None
    assert str(seen[1]).startswith("$argon2id$")


def test_a_session_ends_when_nothing_is_done_and_at_the_latest_moment(accounts: Accounts, clock: Clock, installation: Installation) -> None:
    idle_s, longest_s = installation.settings.session_idle_minutes * 60, installation.settings.session_hours * 3600
    cookie = signed_in(accounts).cookie
    clock.now += idle_s + 1
    assert accounts.session(cookie) is None
    cookie, began = signed_in(accounts).cookie, clock.now
    while clock.now + idle_s / 2 < began + longest_s:
        clock.now += idle_s / 2
        assert accounts.session(cookie) is not None
    clock.now = began + longest_s
    assert accounts.session(cookie) is None


def test_signing_out_ends_one_session_and_everywhere_all_others(accounts: Accounts) -> None:
    one, two, three = (signed_in(accounts) for _ in range(3))
    accounts.sign_out(one.caller)
    assert [accounts.session(each.cookie) is not None for each in (one, two, three)] == [False, True, True]
    assert accounts.sign_out_everywhere(two.caller, but_here=True) == 1
    assert [accounts.session(each.cookie) is not None for each in (one, two, three)] == [False, True, False]
    assert [row.digest for row in accounts.sessions(two.caller)] == [two.caller.session]


def test_a_new_password_ends_the_other_sessions_and_the_old_password(accounts: Accounts) -> None:
    mine, other = signed_in(accounts), signed_in(accounts)
    assert not accounts.change_own_password(mine.caller, "wrong", "another horse, another")
    assert accounts.session(other.cookie) is not None
    assert accounts.change_own_password(mine.caller, PASSWORD, "another horse, another")
    assert accounts.session(mine.cookie) is not None
    assert accounts.session(other.cookie) is None
    assert accounts.sign_in("alice", PASSWORD, "", HERE) == WRONG
    assert isinstance(accounts.sign_in("alice", "another horse, another", "", HERE), SignedIn)


def test_ones_own_password_is_guessed_at_slowly_and_tries_meanwhile_count_for_nothing(accounts: Accounts, clock: Clock) -> None:
    mine = signed_in(accounts).caller

    def change(present: str) -> bool:
        return accounts.change_own_password(mine, present, PASSWORD)

    assert not any(change("wrong") for _ in range(10))
    assert not any(change(PASSWORD) for _ in range(20)), "the delay refuses whatever is tried"
    clock.now += 1.1
    assert change(PASSWORD), "what was tried during the delay has not made it longer"
    assert not change("wrong")
    assert change(PASSWORD), "the right one forgave the ten before"


def test_a_fixed_password_signs_in_however_long_it_is(installation: Installation, accounts: Accounts) -> None:
    fixed = "".join(f"{number:04d}" for number in range(LONGEST_TYPED // 4))
    installation.changes.create_user("tests", "fixed", {"role": "admin", "password": fixed}, weak_password=True)
    for wrong in (fixed[:-1], f"{fixed}x", f"{fixed[:200]}x{fixed[201:]}"):
        assert accounts.sign_in("fixed", wrong, "", HERE) == WRONG
    assert isinstance(accounts.sign_in("fixed", fixed, "", HERE), SignedIn)
    with pytest.raises(InputError) as caught:
        installation.changes.create_user("tests", "longer", {"role": "admin", "password": f"{fixed}x"}, weak_password=True)
    assert caught.value.fields == {"password": "at most 1024 characters are taken"}


@pytest.mark.parametrize("password", ["short", "alice12345", "aaaaaaaaaaaa", "x" * 129])
def test_a_weak_password_is_refused_in_words(accounts: Accounts, password: str) -> None:
    with pytest.raises(InputError) as caught:
        accounts.change_own_password(signed_in(accounts).caller, PASSWORD, password)
    assert list(caught.value.fields) == ["password"]


def test_guessing_from_one_address_is_slowed_more_and_more(accounts: Accounts, clock: Clock) -> None:
    waits = []
    for turn in range(16):
        result = accounts.sign_in(f"name{turn}", "x", "", HERE)
        assert isinstance(result, Refused)
        waits.append(result.wait_s)
        clock.now += result.wait_s
        if result.reason == "wait":
            assert accounts.sign_in(f"name{turn}", "x", "", HERE) == WRONG
    assert [wait for wait in waits if wait] == [1, 2, 4, 8, 16, 32]


def test_strangers_who_guess_at_a_name_do_not_keep_its_owner_out(accounts: Accounts, clock: Clock) -> None:
    signed_in(accounts)
    for turn in range(40):
        accounts.sign_in("alice", "guess", "", f"198.51.100.{turn}")
        clock.now += 0.1
    assert accounts.sign_in("alice", "guess", "", "198.51.100.200").reason == "wait"
    signed_in(accounts)  # from where she is known
    clock.now += 31  # the longest that a name has to wait, and refused attempts do not make it longer
    signed_in(accounts, address="203.0.113.9")


def test_an_attempt_while_waiting_is_not_looked_at(accounts: Accounts, clock: Clock) -> None:
    for _ in range(10):
        accounts.sign_in("alice", "guess", "", HERE)
    assert accounts.sign_in("alice", PASSWORD, "", HERE).reason == "wait"
    clock.now += 1.1
    signed_in(accounts)


def test_codes_are_asked_for_and_each_is_taken_once(accounts: Accounts, installation: Installation, clock: Clock) -> None:
    secret = totp.new_secret()
    installation.changes.set_user_totp("tests", "alice", secret)
    assert accounts.sign_in("alice", PASSWORD, "", HERE) == Refused("code_needed")
    assert accounts.sign_in("alice", "wrong", "", HERE) == WRONG  # a code is asked for only after the password
    assert accounts.sign_in("alice", PASSWORD, "000000x", HERE) == WRONG
    code = totp.code_at(secret, int(clock.now // 30))
    assert isinstance(accounts.sign_in("alice", PASSWORD, code, HERE), SignedIn)
    assert accounts.sign_in("alice", PASSWORD, code, HERE) == WRONG
    clock.now += 30
    assert isinstance(accounts.sign_in("alice", PASSWORD, totp.code_at(secret, int(clock.now // 30)), HERE), SignedIn)
    installation.changes.set_user_totp("tests", "alice", None)
    signed_in(accounts)


def test_sign_ins_and_their_ends_are_in_the_changes(accounts: Accounts, installation: Installation) -> None:
    result = signed_in(accounts)
    accounts.sign_out(result.caller)
    rows = [(row.actor, row.action, row.subject) for row in installation.store.changes(limit=2)]
    assert rows == [("user:alice", "session.end", "alice"), ("user:alice", "session.open", "alice")]


def test_old_sessions_are_forgotten(accounts: Accounts, installation: Installation, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provisioner.changes.sessions.KEPT_OF_ONE", 3)
    for _ in range(6):
        clock.now += 1
        signed_in(accounts)
    assert len(installation.store.sessions_of("alice", 0)) == 3
    clock.now += 400 * 86_400
    signed_in(accounts)
    assert len(installation.store.sessions_of("alice", 0)) == 1


def test_a_page_that_asks_by_itself_keeps_no_session(accounts: Accounts, clock: Clock, installation: Installation) -> None:
    cookie, idle_s = signed_in(accounts).cookie, installation.settings.session_idle_minutes * 60
    for _ in range(3):
        clock.now += idle_s * 0.3
        assert accounts.session(cookie, is_use=False) is not None
    clock.now += idle_s * 0.3
    assert accounts.session(cookie, is_use=False) is None
