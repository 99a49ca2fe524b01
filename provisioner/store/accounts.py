"""Reads of the people who sign in, of their sessions and of API tokens."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.models import api_token
from provisioner.models_accounts import user, user_session
from provisioner.records import SessionRecord, TokenRecord, UserRecord
from provisioner.store.base import StoreBase

_TOKEN = (api_token.c.name, api_token.c.role, api_token.c.created_at, api_token.c.last_used_at, api_token.c.sites)
_SESSION = (
    user_session.c.digest, user_session.c.name, user_session.c.created_at, user_session.c.last_seen_at, user_session.c.expires_at,
    user_session.c.address, user_session.c.user_agent,
)  # fmt: skip
SESSIONS = 100
"""Sessions of one user that are shown, the newest first."""


class AccountReads(StoreBase):
    """Users, sessions and tokens."""

    def users(self, connection: Connection | None = None) -> list[UserRecord]:
        """Returns every user in the order of the names; there are as many as people who look after phones, not as phones."""
        if connection is None:
            with self.database.read() as own:
                return self.users(own)
        return [_user(row) for row in connection.execute(sa.select(user).order_by(user.c.name))]

    def user(self, name: str, connection: Connection | None = None) -> UserRecord | None:
        if connection is None:
            with self.database.read() as own:
                return self.user(name, own)
        row = connection.execute(sa.select(user).where(user.c.name == name)).first()
        return _user(row) if row else None

    def user_of_subject(self, subject: str) -> UserRecord | None:
        """Returns the user who is ``subject`` at the OpenID Connect provider."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(user).where(user.c.subject == subject)).first()
        return _user(row) if row else None

    def user_password(self, name: str) -> str | None:
        """Returns the hash of a user's password, None where there is no such user or no password."""
        with self.database.read() as connection:
            hashed: str | None = connection.execute(sa.select(user.c.password).where(user.c.name == name)).scalar()
        return hashed

    def user_totp(self, name: str) -> tuple[bytes, int] | None:
        """Returns the secret of a user's one-time codes in clear and the step of the last one taken; None where none are asked for."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(user.c.totp, user.c.totp_step).where(user.c.name == name)).first()
        return (self.box.open(row.totp, f"totp:{name}"), int(row.totp_step)) if row and row.totp else None

    def session(self, digest: str) -> tuple[SessionRecord, UserRecord] | None:
        """Returns a session that was not ended, with its user; whether it has expired, the caller judges."""
        with self.database.read() as connection:
            found = connection.execute(
                sa.select(*_SESSION).where(user_session.c.digest == digest, user_session.c.ended_at.is_(None))
            ).first()
            who = self.user(found.name, connection) if found else None
        return (SessionRecord(**found._mapping), who) if found and who else None

    def sessions_of(self, name: str, now: float) -> list[SessionRecord]:
        """Returns a user's sessions that hold, the newest first."""
        query = sa.select(*_SESSION).where(user_session.c.name == name, user_session.c.ended_at.is_(None), user_session.c.expires_at > now)
        with self.database.read() as connection:
            return [
                SessionRecord(**row._mapping)
                for row in connection.execute(query.order_by(user_session.c.created_at.desc()).limit(SESSIONS))
            ]

    def has_signed_in_from(self, name: str, address: str) -> bool:
        """Returns whether a user signed in from an address, as far back as sessions are kept."""
        query = sa.select(sa.literal(1)).where(user_session.c.name == name, user_session.c.address == address).limit(1)
        with self.database.read() as connection:
            return connection.execute(query).first() is not None

    def api_tokens(self, connection: Connection | None = None) -> list[TokenRecord]:
        if connection is None:
            with self.database.read() as own:
                return self.api_tokens(own)
        return [_token(row) for row in connection.execute(sa.select(*_TOKEN).order_by(api_token.c.name))]

    def api_token_by_digest(self, digest: str) -> TokenRecord | None:
        with self.database.read() as connection:
            row = connection.execute(sa.select(*_TOKEN).where(api_token.c.digest == digest)).first()
        return _token(row) if row else None


def _token(row: Any) -> TokenRecord:
    return TokenRecord(row.name, row.role, row.created_at, row.last_used_at, _names(row.sites))


def _user(row: Any) -> UserRecord:
    return UserRecord(
        name=row.name,
        role=row.role,
        sites=_names(row.sites),
        extensions=tuple(row.extensions),
        language=row.language,
        disabled=row.disabled,
        has_password=row.password is not None,
        has_totp=row.totp is not None,
        subject=row.subject,
        created_at=row.created_at,
        revision=row.revision,
    )


def _names(stored: list[str] | None) -> tuple[str, ...] | None:
    return None if stored is None else tuple(stored)
