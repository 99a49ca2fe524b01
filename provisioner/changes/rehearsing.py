"""Rehearsing: does a write to its end, looks at what the phones would get, and takes all of it back.

So a preview cannot differ from the write: it is the write. The database's one write lock is held meanwhile, hence facts alone are read
there; the files are rendered by whoever shows them, when the write is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

import sqlalchemy as sa

from provisioner.changes.unit import Unit
from provisioner.changes.writer import Changes
from provisioner.core.mac import Mac
from provisioner.core.values import PhoneConfig
from provisioner.models import phone
from provisioner.records import ChangeRecord
from provisioner.records_changes import ChangePart
from provisioner.scope import Scope
from provisioner.store.scoped import ScopedStore

LOOKED_AT = 50
"""Phones that are to be rendered before and after, at some milliseconds each."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a phone's files come of, as it is and as it would be; None: it is not there."""

    mac: Mac
    before: PhoneConfig | None
    after: PhoneConfig | None


@dataclass(slots=True)
class Outcome:
    """What a write came to, as far as its writer sees: the phones whose files are made anew, and those looked at closely."""

    touched: int = 0
    phones: list[Rehearsed] = field(default_factory=list)
    changes: list[ChangeRecord] = field(default_factory=list)
    """What the write would have kept of itself, with what was before and after."""
    parts: list[ChangePart] = field(default_factory=list)
    """The same of each thing, where it is a write of many."""


class TakenBack(Exception):
    """Rolls a rehearsal back, and carries what came of it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class _Watched(Unit):
    """A unit that remembers which phones it has made anew, and what it kept of its changes."""

    macs: set[Mac] = field(default_factory=set)
    changes: list[ChangeRecord] = field(default_factory=list)
    parts: list[ChangePart] = field(default_factory=list)

    def log(self, action: str, subject: str, before: Any, after: Any, phones: int = 0, parts: Sequence[ChangePart] = ()) -> None:
        self.changes.append(ChangeRecord(0, self.at, self.actor, action, subject, before, after, phones))
        self.parts.extend(parts)
        Unit.log(self, action, subject, before, after, phones, parts)

    def rerender(self, macs: Iterable[Mac], *, proven: bool = True) -> int:
        wanted = set(macs)
        self.macs.update(wanted)
        return Unit.rerender(self, wanted, proven=proven)

    def rerender_where(self, condition: sa.ColumnElement[bool]) -> int:
        self.macs.update(Mac(mac) for mac in self.connection.execute(sa.select(phone.c.mac).where(condition)).scalars())
        return Unit.rerender_where(self, condition)

    def reindex(self, *macs: Mac) -> None:
        self.macs.update(macs)
        Unit.reindex(self, *macs)


class Rehearsal(Changes):
    """Writes that raise ``TakenBack`` at their end instead of staying. ``scope`` is the writer's; None sees everything."""

    def __init__(self, whole: Changes, scope: Scope | None) -> None:
        vars(self).update(vars(whole))
        self._scope = scope

    @contextmanager
    def unit(self, actor: str) -> Iterator[Unit]:
        with super().unit(actor) as opened:
            watched = _Watched(**{each.name: getattr(opened, each.name) for each in fields(opened)})
            yield watched
            raise TakenBack(self._outcome(watched))

    def _outcome(self, unit: _Watched) -> Outcome:
        wanted = sorted(unit.macs - self._beyond(unit.macs))
        looked_at = wanted[:LOOKED_AT]
        after = {job.config.mac: job.config for job in self.store.render_jobs(looked_at, unit.connection)}
        before = {job.config.mac: job.config for job in self.store.render_jobs(looked_at)}  # another connection: it sees what is committed
        return Outcome(len(wanted), [Rehearsed(mac, before.get(mac), after.get(mac)) for mac in looked_at], unit.changes, unit.parts)

    def _beyond(self, macs: Collection[Mac]) -> set[Mac]:
        """Returns the phones that the writer does not see, as they are committed: one that is not there yet is of their own making."""
        return set() if self._scope is None else ScopedStore(self.store, self._scope).beyond(macs)
