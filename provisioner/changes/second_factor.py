"""Writes of the second factor of people: setting one-time codes up, turning them on and off, recovery codes."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from provisioner.changes.users import UserWrites, end_sessions
from provisioner.models_accounts import user
from provisioner.models_second_factor import codes_setup, recovery_code


class SecondFactorWrites(UserWrites):
    """One-time codes and what stands in for them."""

    def keep_codes_setup(self, name: str, secret: bytes) -> None:
        """Keeps the secret that a user is setting one-time codes up with, in place of an earlier one. It counts for nothing yet."""
        with self.unit(f"user:{name}") as unit:
            row = {"name": name, "secret": self.store.box.seal(secret, f"codes_setup:{name}"), "made_at": unit.at}
            unit.connection.execute(codes_setup.delete().where(codes_setup.c.name == name))
            unit.connection.execute(codes_setup.insert().values(**row))

    def turn_codes_on(self, actor: str, name: str, secret: bytes, step: int, recovery: Sequence[str], *, keep_session: str) -> None:
        """Asks a user for codes of ``secret`` from now on; sessions that were opened without one end, but ``keep_session``.

        ``step`` is that of the code that proved it, which is used up by that; ``recovery`` are the digests of the recovery codes.
        """
        with self.unit(actor) as unit:
            self._user(unit, name)
            self._set_secret(unit.connection, name, secret, step)
            _set_recovery_codes(unit.connection, name, recovery)
            end_sessions(unit, name, but=keep_session)
            unit.log("user.totp", name, None, {"asked_for": True, "recovery_codes": len(recovery)})

    def set_user_totp(self, actor: str, name: str, secret: bytes | None, step: int = 0) -> None:
        """Asks a user for one-time codes of ``secret`` from now on; None: no longer. Recovery codes go in either case."""
        with self.unit(actor) as unit:
            self._user(unit, name)
            self._set_secret(unit.connection, name, secret, step)
            _set_recovery_codes(unit.connection, name, ())
            unit.log("user.totp", name, None, {"asked_for": secret is not None})

    def renew_recovery_codes(self, actor: str, name: str, recovery: Sequence[str]) -> None:
        """Gives a user other recovery codes (their digests); those before are worth nothing."""
        with self.unit(actor) as unit:
            self._user(unit, name)
            _set_recovery_codes(unit.connection, name, recovery)
            unit.log("user.recovery_codes", name, None, {"recovery_codes": len(recovery)})

    def use_code(self, name: str, *, step: int | None = None, recovery: str | None = None) -> bool:
        """Uses up a code: that of a time step, or a recovery code by its digest. False where it was used meanwhile."""
        with self.unit(f"user:{name}") as unit:
            return code_used(unit.connection, name, step=step, recovery=recovery)

    def _set_secret(self, connection: sa.Connection, name: str, secret: bytes | None, step: int) -> None:
        sealed = None if secret is None else self.store.box.seal(secret, f"totp:{name}")
        connection.execute(user.update().where(user.c.name == name).values(totp=sealed, totp_step=step, revision=user.c.revision + 1))
        connection.execute(codes_setup.delete().where(codes_setup.c.name == name))


def code_used(connection: sa.Connection, name: str, *, step: int | None, recovery: str | None) -> bool:
    """Uses up a code within a transaction; returns False where it was used before. Neither of them: there is nothing to use up."""
    if step is not None:
        taken = user.update().where(user.c.name == name, user.c.totp_step < step).values(totp_step=step)
        return connection.execute(taken).rowcount > 0
    if recovery is not None:
        gone = recovery_code.delete().where(recovery_code.c.name == name, recovery_code.c.digest == recovery)
        return connection.execute(gone).rowcount > 0
    return True


def _set_recovery_codes(connection: sa.Connection, name: str, digests: Sequence[str]) -> None:
    connection.execute(recovery_code.delete().where(recovery_code.c.name == name))
    if digests:
        connection.execute(recovery_code.insert(), [{"name": name, "digest": digest} for digest in digests])
