"""One's own second factor: set up, confirmed, turned off again. What proves it is guessed at as slowly as one's own password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from provisioner.accounts.attempts import Attempts
from provisioner.accounts.caller import Caller
from provisioner.accounts.proofs import Proof, judged, new_recovery_codes
from provisioner.accounts.totp import matching_step, new_secret
from provisioner.changes import Changes
from provisioner.passwords import password_fits
from provisioner.store import Store

SETUP_S = 30 * 60
"""How long a set-up may wait for its first code."""
Wrong = Literal["code", "present", "wait", "nothing"]
"""What does not fit: the code; the password; neither is looked at for a while; there is nothing to confirm."""


class OwnCodes:
    """What people do about their one-time codes themselves. One for each process, as ``Accounts``, whose count of guesses it shares."""

    def __init__(self, store: Store, changes: Changes, attempts: Attempts) -> None:
        self._store = store
        self._changes = changes
        self._attempts = attempts

    def begin(self, who: Caller) -> bytes | None:
        """Returns the secret of a new set-up, or of one that waits already: a page that is loaded again shows the same.

        None where one-time codes are asked for already: they are turned off first, which needs a proof.
        """
        if self.are_on(who):
            return None
        found = self.secret(who)
        if found is None:
            found = new_secret()
            self._changes.keep_codes_setup(who.user, found)
        return found

    def secret(self, who: Caller) -> bytes | None:
        """Returns the secret of the set-up that waits for its first code; None where none does."""
        return self._store.codes_setup(who.user, self._changes.clock() - SETUP_S)

    def turn_on(self, who: Caller, code: str, present: str) -> list[str] | Wrong:
        """Returns the recovery codes, shown this once: from now on one-time codes are asked for. Else what does not fit.

        ``present`` is the present password, asked of who has one: somebody at an open screen must not bind the account to a device of
        theirs. Every other session ends, for it was opened without a code.
        """
        secret = self.secret(who)
        if secret is None:
            return "nothing"
        step = matching_step(secret, code, self._changes.clock(), 0)
        wrong = self._tried(who, lambda: self._setup_mistake(who, step, present))
        if wrong is not None or step is None:
            return wrong or "code"
        shown, digests = new_recovery_codes(self._store, who.user)
        self._changes.turn_codes_on(who.name, who.user, secret, step, digests, keep_session=who.session)
        return shown

    def renew_recovery(self, who: Caller, shown: str) -> list[str] | Wrong:
        """Returns new recovery codes, in place of those before. ``shown`` is the password or a code."""
        wrong = self._proven(who, shown)
        if wrong is not None:
            return wrong
        codes, digests = new_recovery_codes(self._store, who.user)
        self._changes.renew_recovery_codes(who.name, who.user, digests)
        return codes

    def turn_off(self, who: Caller, shown: str) -> Wrong | None:
        """Asks for one-time codes no longer; returns what does not fit. ``shown`` is the password or a code."""
        wrong = self._proven(who, shown)
        if wrong is None:
            self._changes.set_user_totp(who.name, who.user, None)
        return wrong

    def are_on(self, who: Caller) -> bool:
        """Returns whether somebody is asked for one-time codes."""
        return self._store.user_totp(who.user) is not None

    def needs_password(self, who: Caller) -> bool:
        """Returns whether turning them on asks for the password too: somebody who signs in elsewhere has none."""
        return self._store.user_password(who.user) is not None

    def left(self, who: Caller) -> int:
        """Returns how many recovery codes are left."""
        return self._store.recovery_codes_left(who.user)

    def _setup_mistake(self, who: Caller, step: int | None, present: str) -> Wrong | None:
        hashed = self._store.user_password(who.user)
        if hashed is not None and not password_fits(hashed, present):
            return "present"
        return "code" if step is None else None

    def _proven(self, who: Caller, shown: str) -> Wrong | None:
        if not self.are_on(who):
            return "nothing"
        return self._tried(who, lambda: None if self._fits(who, shown) else "code")

    def _fits(self, who: Caller, shown: str) -> bool:
        proof: Proof | None = judged(self._store, who.user, shown[:24], self._changes.clock())
        if proof is not None:
            return self._changes.use_code(who.user, step=proof.step, recovery=proof.recovery)
        return password_fits(self._store.user_password(who.user), shown)

    def _tried(self, who: Caller, look: Callable[[], Wrong | None]) -> Wrong | None:
        """Looks at what was shown, unless there were too many tries; counts one that does not fit."""
        key = f"own:{who.user}"
        if self._attempts.wait_s(key):
            return "wait"
        wrong = look()
        if wrong is None:
            self._attempts.succeeded(key)
        else:
            self._attempts.failed(key)
        return wrong
