"""Writes of API tokens."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import sqlalchemy as sa

from provisioner.changes.sites import NAME
from provisioner.changes.unit import UnitMaker
from provisioner.changes.users import missing_sites
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import api_token
from provisioner.records import TOKEN_ROLES
from provisioner.secrets import token_digest

TOUCH_EVERY_S = 60


class TokenWrites(UnitMaker):
    """Make, revoke and touch API tokens."""

    def create_token(self, actor: str, name: str, role: str, token: str | None = None, *, sites: Sequence[str] | None = None) -> str:
        """Makes an API token and returns it: it is shown this once, and only its hash is kept. ``sites`` None: it sees all of them."""
        if not NAME.match(name):
            raise InputError({"name": "1 to 64 letters, digits, blanks, dots or dashes are needed"})
        if role not in TOKEN_ROLES:
            raise InputError({"role": f"one of {', '.join(TOKEN_ROLES)} is needed"})
        if token is not None and len(token) < 20:
            raise InputError({"token": "a token needs at least 20 characters"})
        made = token or secrets.token_urlsafe(32)
        with self.unit(actor) as unit:
            if unit.connection.execute(sa.select(api_token.c.name).where(api_token.c.name == name)).first():
                raise AlreadyExists({"name": f"a token {name} exists already"})
            mistakes = missing_sites(unit, sites)
            if mistakes:
                raise InputError(mistakes)
            seen = None if sites is None else list(sites)
            row = {"name": name, "role": role, "digest": token_digest(made), "created_at": unit.at, "sites": seen}
            unit.connection.execute(api_token.insert().values(**row))
            unit.log("token.create", name, None, {"role": role, "sites": seen})
        return made

    def delete_token(self, actor: str, name: str) -> None:
        """Revokes an API token at once."""
        with self.unit(actor) as unit:
            if not unit.connection.execute(api_token.delete().where(api_token.c.name == name)).rowcount:
                raise NotFound({"name": f"there is no token {name[:64]}"})
            unit.log("token.delete", name, None, None)

    def touch_token(self, name: str) -> None:
        """Notes that an API token is in use, at most once a minute. An observation: nothing is appended to the changes."""
        now = self.clock()
        stale = api_token.c.last_used_at.is_(None) | (api_token.c.last_used_at < now - TOUCH_EVERY_S)
        with self.store.database.read() as connection:  # most requests write nothing, and so must not wait for a writer
            if connection.execute(sa.select(api_token.c.name).where(api_token.c.name == name, stale)).first() is None:
                return
        with self.store.database.write() as connection:
            connection.execute(api_token.update().where(api_token.c.name == name, stale).values(last_used_at=now))
