"""Writes of sessions: observations rather than desired state, so that only signing in and out is appended to the changes."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.changes.second_factor import code_used
from provisioner.changes.unit import UnitMaker
from provisioner.models_accounts import user, user_session

SEEN_EVERY_S = 60
KEPT_S = 30 * 86_400
"""How long an ended session is kept: it says from which addresses a user is known to sign in."""
KEPT_OF_ONE = 200
"""Sessions kept of one user; the oldest go first."""


class SessionWrites(UnitMaker):
    """Open, touch and end sessions."""

    def open_session(
        self,
        name: str,
        digest: str,
        *,
        expires_at: float,
        address: str,
        user_agent: str,
        by: str,
        totp_step: int | None = None,
        recovery: str | None = None,
        rehashed: str | None = None,
    ) -> bool:
        """Notes a sign-in (``by``: with what), and what was learnt with it: the code that it used up, a password hashed at today's cost.

        Returns False, with nothing written, where that one-time or recovery code was used meanwhile.
        """
        with self.unit(f"user:{name}") as unit:
            if not code_used(unit.connection, name, step=totp_step, recovery=recovery):
                return False
            if rehashed is not None:
                unit.connection.execute(user.update().where(user.c.name == name).values(password=rehashed))
            row = {"digest": digest, "name": name, "created_at": unit.at, "last_seen_at": unit.at, "expires_at": expires_at}
            unit.connection.execute(user_session.insert().values(**row, address=address[:45], user_agent=user_agent[:200]))
            self._forget(unit.connection, name, unit.at)
            unit.log("session.open", name, None, {"address": address[:45], "by": by})
            return True

    def touch_session(self, digest: str) -> None:
        """Notes that a session is in use, at most once a minute."""
        now = self.clock()
        stale = (user_session.c.digest == digest) & (user_session.c.last_seen_at < now - SEEN_EVERY_S)
        with self.store.database.write() as connection:
            connection.execute(user_session.update().where(stale).values(last_seen_at=now))

    def end_session(self, actor: str, name: str, digest: str) -> bool:
        """Ends one session of a user; False where there is none that holds."""
        return self._end(actor, name, user_session.c.digest == digest) > 0

    def end_sessions(self, actor: str, name: str, *, but: str = "") -> int:
        """Signs a user out everywhere (``but``: a digest that stays). Returns how many sessions that were."""
        return self._end(actor, name, user_session.c.digest != but)

    def _end(self, actor: str, name: str, which: sa.ColumnElement[bool]) -> int:
        with self.unit(actor) as unit:
            holds = which & (user_session.c.name == name) & user_session.c.ended_at.is_(None)
            count = int(unit.connection.execute(user_session.update().where(holds).values(ended_at=unit.at)).rowcount)
            if count:
                unit.log("session.end", name, None, {"sessions": count})
            return count

    def _forget(self, connection: sa.Connection, name: str, now: float) -> None:
        connection.execute(user_session.delete().where(user_session.c.expires_at < now - KEPT_S))
        mine = sa.select(user_session.c.digest).where(user_session.c.name == name).order_by(user_session.c.created_at.desc())
        oldest = connection.execute(mine.offset(KEPT_OF_ONE)).scalars().all()
        if oldest:
            connection.execute(user_session.delete().where(user_session.c.digest.in_(oldest)))
