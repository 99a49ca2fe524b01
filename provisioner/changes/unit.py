"""One transaction of desired state, with what every change in it needs: log, touch, proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.errors import InputError, StaleWrite
from provisioner.models import change, index_log, phone, site
from provisioner.models_changes import change_part
from provisioner.records import PhoneRecord
from provisioner.records_changes import ChangePart
from provisioner.store import CHUNK, IndexPart, Store

MOST_PHONES = 2000
"""Phones in one change: it holds up every other writer until it is done."""


@dataclass(frozen=True, slots=True)
class Unit:
    """An open transaction by ``actor`` at ``at`` (seconds since the epoch)."""

    connection: Connection
    store: Store
    renderer: Renderer
    actor: str
    at: float

    def log(self, action: str, subject: str, before: Any, after: Any, phones: int = 0, parts: Sequence[ChangePart] = ()) -> None:
        """Appends the change row: audit and outbox in one. ``before`` and ``after`` carry no secret.

        ``parts`` say of a change of many things what it made of each: what undoing it has to know.
        """
        row = {"at": self.at, "actor": self.actor, "action": action, "subject": subject, "before": before, "after": after, "phones": phones}
        made = self.connection.execute(change.insert().values(**row))
        if parts:
            [number] = made.inserted_primary_key or [None]
            rows = [{"noun": part.noun, "subject": part.subject, "before": part.before, "after": part.after} for part in parts]
            self.connection.execute(change_part.insert(), [{"change": number, **each} for each in rows])

    def phones(self, macs: Sequence[Mac]) -> list[PhoneRecord]:
        """Returns the phones named that are listed, in the order of their MAC. Raises ``InputError`` for too many."""
        if len(macs) > MOST_PHONES:
            raise InputError({"phones": f"at most {MOST_PHONES} phones go into one change; these are {len(macs)}"})
        wanted = sorted(set(macs))
        chunks = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
        return [record for chunk in chunks for record in self.store.phones_named(chunk, self.connection)]

    def rerender(self, macs: Iterable[Mac], *, proven: bool = True) -> int:
        """Makes the files of the phones unknown, so that the worker renders them; proof-renders one of each model first.

        Raises ``RenderError``, and with it rolls everything back, where a template fails for the new facts; without ``proven`` such a
        phone is held instead. Returns how many phones.
        """
        wanted = sorted(set(macs))
        if proven:
            self._proof(wanted)
        for start in range(0, len(wanted), CHUNK):
            self.connection.execute(_unknown().where(phone.c.mac.in_(wanted[start : start + CHUNK])))
        return len(wanted)

    def rerender_where(self, condition: sa.ColumnElement[bool]) -> int:
        """As ``rerender`` for every phone that fits ``condition``, however many."""
        samples = self.connection.execute(sa.select(sa.func.min(phone.c.mac)).where(condition).group_by(phone.c.model)).scalars()
        self._proof([Mac(mac) for mac in samples])
        return int(self.connection.execute(_unknown().where(condition)).rowcount)

    def reindex(self, *macs: Mac) -> None:
        """Tells the serving processes to read the records of these phones again, and nothing else."""
        if macs:
            self.connection.execute(index_log.insert(), [{"mac": mac, "at": self.at} for mac in macs])

    def reindex_part(self, part: IndexPart) -> None:
        """Tells the serving processes to read this part again, and no phone."""
        self.connection.execute(index_log.insert().values(part=part, at=self.at))

    def reindex_everything(self) -> None:
        """Tells the serving processes to read all phones again: for a change of very many."""
        self.connection.execute(index_log.insert().values(at=self.at))

    def expect(self, revision: int, expected: int | None) -> None:
        """Raises ``StaleWrite`` where the row was changed since the writer read it."""
        if expected is not None and revision != expected:
            raise StaleWrite("somebody else changed this since you read it: read it again, then repeat your change")

    def _proof(self, macs: Sequence[Mac]) -> None:
        models = {row.mac: row.model for start in range(0, len(macs), CHUNK) for row in self._models(macs[start : start + CHUNK])}
        samples = {model: Mac(mac) for mac, model in models.items()}
        for job in self.store.render_jobs(sorted(samples.values()), self.connection) if samples else ():
            self.renderer.phone_files(job.config)

    def _models(self, macs: Sequence[Mac]) -> Sequence[Any]:
        return self.connection.execute(sa.select(phone.c.mac, phone.c.model).where(phone.c.mac.in_(macs))).all()


def _unknown() -> sa.Update:
    return phone.update().values(wanted_hash=None, error="", error_at=None, render_revision=phone.c.render_revision + 1)


class UnitMaker:
    """Opens units. The base of everything that writes desired state."""

    def __init__(self, store: Store, renderer: Renderer, clock: Callable[[], float]) -> None:
        self.store = store
        self.renderer = renderer
        self.clock = clock

    @contextmanager
    def unit(self, actor: str) -> Iterator[Unit]:
        """A transaction; committed at the end, rolled back by any exception."""
        with self.store.database.write() as connection:
            yield Unit(connection, self.store, self.renderer, actor, self.clock())


def ensure_default_site(connection: Connection, *, access: str, networks: Sequence[str], enrolment: str) -> None:
    """Makes the site ``default`` where there is none."""
    if connection.execute(sa.select(site.c.name).where(site.c.name == "default")).first() is None:
        row = {"name": "default", "access": access, "trusted_networks": list(networks), "enrolment": enrolment, "settings": {}}
        connection.execute(site.insert().values(**row))
