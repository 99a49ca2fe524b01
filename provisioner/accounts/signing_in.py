"""Signing in, knowing a session again, signing out. The seam that pages and API stand on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from provisioner.accounts.attempts import Attempts
from provisioner.accounts.caller import Caller
from provisioner.accounts.cookies import cookie_digest, new_cookie
from provisioner.accounts.own_codes import OwnCodes
from provisioner.accounts.proofs import Proof, judged
from provisioner.changes import Changes
from provisioner.changes.sessions import SEEN_EVERY_S
from provisioner.core.peers import group_of
from provisioner.passwords import is_outdated, password_fits, password_hash
from provisioner.records import ROLES, Role, SessionRecord, UserRecord
from provisioner.settings import Settings
from provisioner.store import Store

log = logging.getLogger("provisioner.accounts")

Reason = Literal["wrong", "code_needed", "wait"]
OWING: Mapping[str, tuple[Role, ...]] = {"nobody": (), "admins": ("admin",), "everybody": ROLES}
"""Value of ``SECOND_FACTOR`` -> the roles that may sign in with a password only together with a one-time code."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody signed in; ``cookie`` goes to the browser and nowhere else."""

    cookie: str
    caller: Caller
    expires_at: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody signed in. ``wrong``: name, password or code do not fit (which of them is not said); ``code_needed``: the one-time code is
    missing; ``wait``: too many attempts, ``wait_s`` seconds to go."""

    reason: Reason
    wait_s: float = 0.0


class Accounts:
    """Signs people in and out. One for each process; safe to share between threads."""

    def __init__(self, store: Store, changes: Changes, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._changes = changes
        self._idle_s = settings.session_idle_minutes * 60
        self._longest_s = settings.session_hours * 3600
        self.by_address = Attempts(free=10, longest_s=60, clock=monotonic)
        """What fails from an address, by whichever way of signing in."""
        self._by_name = Attempts(free=10, longest_s=30, clock=monotonic)
        self._owing = OWING[settings.second_factor]
        self.codes = OwnCodes(store, changes, self._by_name)
        """What people do about their own one-time codes."""

    def sign_in(self, name: str, password: str, code: str, address: str, user_agent: str = "") -> SignedIn | Refused:
        """Returns a new session, or why there is none. Takes as long for a name that nobody has.

        Guessing is slowed by address and, from addresses that the user has not signed in from before, by name: strangers
        who guess at a name keep its owner out of nothing.
        """
        key, at_name = group_of(address), self._name_key(name, address)
        wait_s = max(self.by_address.wait_s(key), self._by_name.wait_s(at_name))
        if wait_s:
            return Refused("wait", wait_s)
        who = self._store.user(name) if len(name) <= 48 else None
        hashed = self._store.user_password(name[:48])
        fits = password_fits(hashed, password)
        if who is None or not fits or who.disabled:
            return self._wrong(name, key, at_name, "disabled" if who is not None and fits else "password")
        if who.has_totp and not code:
            return Refused("code_needed")
        proof = judged(self._store, name, code, self._changes.clock()) if who.has_totp else Proof()
        if proof is None:
            return self._wrong(name, key, at_name, "code")
        rehashed = password_hash(password) if hashed and is_outdated(hashed) else None
        signed_in = self._open(who, address, user_agent, proof, proof.by, rehashed)
        if signed_in is None:
            return self._wrong(name, key, at_name, "code")
        self.by_address.succeeded(key)
        self._by_name.succeeded(at_name)
        return signed_in

    def sign_in_as(self, name: str, address: str, user_agent: str = "") -> SignedIn | None:
        """Returns a new session of somebody whom an OpenID Connect provider vouches for; None where they may not sign in."""
        who = self._store.user(name)
        return None if who is None or who.disabled else self._open(who, address, user_agent, Proof(), "OpenID Connect", None)

    def session(self, cookie: str, *, is_use: bool = True) -> Caller | None:
        """Returns who a cookie stands for; None where it holds no longer, or never did.

        ``is_use`` False: a page asks by itself, which keeps no session from ending idle.
        """
        found = self._store.session(cookie_digest(cookie)) if cookie else None
        if found is None:
            return None
        session, who = found
        now = self._changes.clock()
        if who.disabled or now >= session.expires_at or now - session.last_seen_at >= self._idle_s:
            return None
        if is_use and now - session.last_seen_at >= SEEN_EVERY_S:
            self._changes.touch_session(session.digest)
        return self._caller_of(who, session.digest)

    def sessions(self, caller: Caller) -> list[SessionRecord]:
        """Returns where somebody is signed in, the newest first."""
        now = self._changes.clock()
        return [row for row in self._store.sessions_of(caller.user, now) if now - row.last_seen_at < self._idle_s]

    def sign_out(self, caller: Caller) -> None:
        """Ends the session that somebody asks with."""
        self._changes.end_session(caller.name, caller.user, caller.session)

    def sign_out_everywhere(self, caller: Caller, *, but_here: bool = False) -> int:
        """Ends every session of somebody; returns how many."""
        return self._changes.end_sessions(caller.name, caller.user, but=caller.session if but_here else "")

    def change_own_password(self, caller: Caller, present: str, new: str) -> bool:
        """Gives somebody another password and signs them out everywhere else; False where ``present`` does not fit.

        Raises ``InputError`` where the new one cannot be taken.
        """
        key = f"own:{caller.user}"
        if self._by_name.wait_s(key):
            return False
        if not password_fits(self._store.user_password(caller.user), present):
            self._by_name.failed(key)
            return False
        self._by_name.succeeded(key)
        self._changes.set_user_password(caller.name, caller.user, new, keep_session=caller.session)
        return True

    def _open(self, who: UserRecord, address: str, user_agent: str, proof: Proof, by: str, rehashed: str | None) -> SignedIn | None:
        cookie, expires_at = new_cookie(), self._changes.clock() + self._longest_s
        opened = self._changes.open_session(
            who.name,
            cookie_digest(cookie),
            expires_at=expires_at,
            address=address,
            user_agent=user_agent,
            by=by,
            totp_step=proof.step,
            recovery=proof.recovery,
            rehashed=rehashed,
        )
        if not opened:
            return None
        log.info("event=signed_in user=%s address=%s by=%r", who.name, address, by)
        return SignedIn(cookie, self._caller_of(who, cookie_digest(cookie)), expires_at)

    def _name_key(self, name: str, address: str) -> str:
        known = len(name) <= 48 and self._store.has_signed_in_from(name, address[:45])
        return f"known:{name}:{address}" if known else f"name:{name[:48]}"

    def _caller_of(self, who: UserRecord, session: str) -> Caller:
        """Returns a user as the one who asks. Who signs in elsewhere alone owes no code here."""
        owes = who.role in self._owing and who.has_password and not who.has_totp
        return Caller(f"user:{who.name}", who.role, who.sites, who.name, who.extensions, who.language, session, owes_codes=owes)

    def _wrong(self, name: str, key: str, at_name: str, what: str) -> Refused:
        self.by_address.failed(key)
        self._by_name.failed(at_name)
        # The name is logged only where it is one of ours: what was typed into the field may be a password.
        log.warning("event=sign_in_refused user=%s address=%s what=%s", name if self._store.user(name[:48]) else "-", key, what)
        return Refused("wrong")
