"""Writes of the people who sign in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from provisioner.changes.unit import Unit, UnitMaker
from provisioner.core.languages import LANGUAGES
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import extension, site
from provisioner.models_accounts import user, user_session
from provisioner.passwords import LONGEST_TYPED, password_hash, password_mistake
from provisioner.records import ROLES, UserRecord

USER_NAME = re.compile(r"^[\w][\w.@\-]{0,47}\Z")
CHOICES_OF_LANGUAGE = ("", *LANGUAGES)
"""Empty for that of the browser."""
_PLAIN = ("role", "sites", "extensions", "language", "disabled", "subject")


class UserWrites(UnitMaker):
    """Make, change and remove users. Passwords are hashed before the transaction: it must not hold others up."""

    def create_user(self, actor: str, name: str, given: Mapping[str, Any], *, weak_password: bool = False) -> UserRecord:
        """Makes a user of ``role``, ``sites`` (None: all), ``extensions``, ``language``, ``subject`` and ``password`` (None: signs in elsewhere).

        ``weak_password`` takes any password: one that the operator fixed from outside.
        """
        if not USER_NAME.match(name):
            raise InputError({"name": "1 to 48 letters, digits, dots, dashes or @ are needed"})
        if "role" not in given:
            raise InputError({"role": f"one of {', '.join(ROLES)} is needed"})
        hashed = _hashed(given.get("password"), name, weak=weak_password)
        with self.unit(actor) as unit:
            if self.store.user(name, unit.connection):
                raise AlreadyExists({"name": f"a user {name} exists already"})
            defaults: dict[str, Any] = {"sites": None, "extensions": [], "language": "", "disabled": False, "subject": None}
            values = {**defaults, **_checked(unit, {field: given[field] for field in _PLAIN if field in given})}
            unit.connection.execute(user.insert().values(name=name, password=hashed, created_at=unit.at, **values))
            unit.log("user.create", name, None, values)
            return self._user(unit, name)

    def update_user(self, actor: str, name: str, given: Mapping[str, Any], expected: int | None = None) -> UserRecord:
        """Changes what is given. Another role, other sites, or being disabled hold from the next request on."""
        with self.unit(actor) as unit:
            before = self._user(unit, name)
            unit.expect(before.revision, expected)
            values = _checked(unit, {field: given[field] for field in _PLAIN if field in given})
            self._keep_an_admin(unit, before, values)
            unit.connection.execute(user.update().where(user.c.name == name).values(**values, revision=user.c.revision + 1))
            if values.get("disabled"):
                end_sessions(unit, name)
            unit.log("user.update", name, {field: _listed(getattr(before, field)) for field in values}, values)
            return self._user(unit, name)

    def set_user_password(self, actor: str, name: str, password: str, *, keep_session: str = "") -> None:
        """Gives a user another password and ends every session but ``keep_session`` (a digest)."""
        hashed = _hashed(password, name)
        with self.unit(actor) as unit:
            self._user(unit, name)
            unit.connection.execute(user.update().where(user.c.name == name).values(password=hashed))
            end_sessions(unit, name, but=keep_session)
            unit.log("user.password", name, None, None)

    def delete_user(self, actor: str, name: str, expected: int | None = None) -> None:
        """Removes a user and every session at once."""
        with self.unit(actor) as unit:
            before = self._user(unit, name)
            unit.expect(before.revision, expected)
            self._keep_an_admin(unit, before, {"disabled": True})
            unit.connection.execute(user.delete().where(user.c.name == name))
            unit.log("user.delete", name, {field: _listed(getattr(before, field)) for field in _PLAIN}, None)

    def _user(self, unit: Unit, name: str) -> UserRecord:
        record = self.store.user(name, unit.connection)
        if record is None:
            raise NotFound({"name": f"there is no user {name[:48]}"})
        return record

    def _keep_an_admin(self, unit: Unit, before: UserRecord, values: Mapping[str, Any]) -> None:
        """Refuses to take away the last user who may do everything."""
        after = {"role": before.role, "disabled": before.disabled, "sites": before.sites, **values}
        if not _is_full_admin(before.role, before.sites, disabled=before.disabled):
            return
        if _is_full_admin(after["role"], after["sites"], disabled=after["disabled"]):
            return
        others = [who for who in self.store.users(unit.connection) if who.name != before.name]
        if not any(_is_full_admin(who.role, who.sites, disabled=who.disabled) for who in others):
            raise InputError({"name": f"{before.name} is the last admin of all sites: make another one first"})


def _is_full_admin(role: str, sites: Any, *, disabled: bool) -> bool:
    return role == "admin" and sites is None and not disabled


def _hashed(password: str | None, name: str, *, weak: bool = False) -> str | None:
    if password is None:
        return None
    mistake = _fixed_mistake(password) if weak else password_mistake(password, name)
    if mistake:
        raise InputError({"password": mistake})
    return password_hash(password)


def _fixed_mistake(password: str) -> str:
    return f"at most {LONGEST_TYPED} characters are taken" if len(password) > LONGEST_TYPED else ""


def _checked(unit: Unit, given: dict[str, Any]) -> dict[str, Any]:
    mistakes: dict[str, str] = {}
    if given.get("role", "user") not in ROLES:
        mistakes["role"] = f"one of {', '.join(ROLES)} is needed"
    if given.get("language", "") not in CHOICES_OF_LANGUAGE:
        mistakes["language"] = f"one of {', '.join(LANGUAGES)} is needed"
    mistakes |= missing_sites(unit, given.get("sites"))
    numbers = given.get("extensions") or ()
    known = (
        set(unit.connection.execute(sa.select(extension.c.number).where(extension.c.number.in_(numbers))).scalars()) if numbers else set()
    )
    mistakes |= {f"extensions.{at}": f"there is no extension {number}" for at, number in enumerate(numbers) if number not in known}
    if mistakes:
        raise InputError(mistakes)
    return {field: _listed(value) for field, value in given.items()}


def missing_sites(unit: Unit, names: Any) -> dict[str, str]:
    """Returns the mistakes in a list of sites: those that are not there."""
    if names is None:
        return {}
    if not names:
        return {"sites": "name at least one site, or leave it out for all"}
    known = set(unit.connection.execute(sa.select(site.c.name)).scalars())
    return {f"sites.{at}": f"there is no site {name}" for at, name in enumerate(names) if name not in known}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def end_sessions(unit: Unit, name: str, *, but: str = "") -> None:
    """Ends every session of a user but one (a digest)."""
    open_ones = (user_session.c.name == name) & user_session.c.ended_at.is_(None) & (user_session.c.digest != but)
    unit.connection.execute(user_session.update().where(open_ones).values(ended_at=unit.at))
