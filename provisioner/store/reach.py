"""How far a scope reaches, as conditions of queries."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import change, extension, phone, phone_line
from provisioner.models_calls import call_party
from provisioner.models_changes import change_part
from provisioner.scope import Scope
from provisioner.store.calls import took_part


def phones_within(scope: Scope) -> sa.ColumnElement[bool]:
    """Returns the condition that a row of ``phone`` is within the scope."""
    condition: sa.ColumnElement[bool] = sa.true()
    if scope.sites is not None:
        condition = condition & phone.c.site.in_(scope.sites)
    if scope.extensions is not None:
        condition = condition & phone.c.mac.in_(sa.select(phone_line.c.mac).where(phone_line.c.extension.in_(scope.extensions)))
    return condition


def extensions_within(scope: Scope) -> sa.ColumnElement[bool]:
    """Returns the condition that a row of ``extension`` is within the scope: of a site of it, or on a line of a phone there."""
    if scope.extensions is not None:
        return extension.c.number.in_(scope.extensions)
    if scope.sites is None:
        return sa.true()
    on_line = sa.select(phone_line.c.extension).join(phone, phone.c.mac == phone_line.c.mac).where(phones_within(scope))
    return extension.c.site.in_(scope.sites) | extension.c.number.in_(on_line)


def calls_within(scope: Scope) -> sa.ColumnElement[bool]:
    """Returns the condition that an extension within the scope took part in a row of ``call``."""
    return took_part(call_party.c.number.in_(sa.select(extension.c.number).where(extensions_within(scope))))


def changes_within(scope: Scope) -> sa.ColumnElement[bool]:
    """Returns the condition that a row of ``change`` is of a phone, an extension or a site within the scope."""
    macs = sa.select(phone.c.mac).where(phones_within(scope))
    numbers = sa.select(extension.c.number).where(extensions_within(scope))
    return sa.or_(
        change.c.action.like("phone.%") & change.c.subject.in_(macs),
        change.c.action.like("extension.%") & change.c.subject.in_(numbers),
        change.c.action.like("claim_code.%") & change.c.subject.in_(numbers),
        change.c.action.like("site.%") & change.c.subject.in_(scope.sites or ()),
        change.c.action.like("window.%") & change.c.subject.in_(scope.sites or ()),
        (change.c.action == "phone.swap") & change.c.id.in_(sa.select(change_part.c.change).where(change_part.c.subject.in_(macs))),
        change.c.action.like("layout.%") & _whole_within(macs),
    )


def _whole_within(macs: sa.Select[tuple[str]]) -> sa.ColumnElement[bool]:
    """Returns the condition that a change was of phones within the scope, and of no other: its row names all of them."""
    of_it = sa.select(change_part.c.change).where(change_part.c.change == change.c.id)
    return of_it.where(change_part.c.subject.in_(macs)).exists() & ~of_it.where(change_part.c.subject.not_in(macs)).exists()


def parts_within(scope: Scope, subject: str) -> sa.ColumnElement[bool]:
    """Returns the condition that a change of many things was of ``subject``, where that is within the scope: of the others nothing is told."""
    macs = sa.select(phone.c.mac).where(phones_within(scope))
    numbers = sa.select(extension.c.number).where(extensions_within(scope))
    seen = sa.or_(
        (change_part.c.noun == "phone") & change_part.c.subject.in_(macs),
        (change_part.c.noun == "extension") & change_part.c.subject.in_(numbers),
    )
    return change.c.id.in_(sa.select(change_part.c.change).where(change_part.c.subject == subject, seen)) if subject else sa.false()
