"""Reads of phone books: what they are made of, which there are, and what a phone is given."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.core.phonebook import SETTING, Contact, allowed_scope, book_of, concerns_books
from provisioner.models import change, extension, phone, phone_group, phone_line, site
from provisioner.models_phonebook import phone_phonebook, phonebook
from provisioner.records import BookRecord
from provisioner.store.base import StoreBase, in_chunks


class BookSource(NamedTuple):
    """What books are made of."""

    contacts: list[Contact]
    numbers_at: dict[str, set[str]]
    """Site -> the extensions that a phone there has on a line."""
    book_of: dict[Mac, str]
    """The book of each phone that has one."""
    vendor_of: dict[Mac, str]


_MOST_CHANGES = 200


class PhonebookReads(StoreBase):
    """What making and serving phone books needs."""

    def last_change(self) -> int:
        """Returns the number of the newest change; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(change.c.id))).scalar() or 0)

    def concerns_books(self, since: int, newest: int) -> bool:
        """Returns whether any change with a number above ``since``, up to ``newest``, may concern a book; so may more than can be looked at."""
        columns = (change.c.action, change.c.before, change.c.after)
        query = sa.select(*columns).where(change.c.id > since, change.c.id <= newest).order_by(change.c.id).limit(_MOST_CHANGES + 1)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return len(rows) > _MOST_CHANGES or any(concerns_books(*row) for row in rows)

    def book_source(self, most: int) -> Generator[None, None, BookSource]:
        """Returns what all books are made of, as of one moment; pauses after every ``most`` rows."""
        lines = sa.select(phone_line.c.extension, phone_line.c.mac, phone.c.site, extension.c.department)
        lines = lines.join(phone, phone.c.mac == phone_line.c.mac).join(extension, extension.c.number == phone_line.c.extension)
        people = sa.select(extension.c.number, extension.c.display_name, extension.c.department)
        phones = sa.select(phone.c.mac, phone.c.model, phone.c.site, phone.c.group, phone.c.settings)
        source, first_department = BookSource([], {}, {}, {}), dict[str, str]()
        with self.database.read() as connection:
            sites, groups = (
                {row.name: row.settings for row in connection.execute(sa.select(table.c.name, table.c.settings))}
                for table in (site, phone_group)
            )
            for part in _parts(connection, people, most):
                source.contacts.extend(Contact(*row) for row in part)
                yield
            for part in _parts(connection, lines.order_by(phone_line.c.mac, phone_line.c.line), most):
                for number, mac, place, department in part:
                    source.numbers_at.setdefault(place, set()).add(number)
                    first_department.setdefault(mac, department)
                yield
            for part in _parts(connection, phones, most):
                for row in part:
                    self._add_reader(source, row, sites, groups.get(row.group, {}), first_department.get(row.mac, ""))
                yield
        return source

    def _add_reader(self, source: BookSource, row: Any, sites: Mapping[str, Any], of_group: Mapping[str, Any], department: str) -> None:
        of_site = sites.get(row.site, {})
        scope = allowed_scope(self._scope(row, of_site, of_group), of_site.get(SETTING), is_only_site=len(sites) == 1)
        source.vendor_of[Mac(row.mac)] = row.model.partition("/")[0]
        if book := book_of(scope, row.site, department):
            source.book_of[Mac(row.mac)] = book

    def books_made(self) -> dict[tuple[str, str], str]:
        """Returns (vendor, book) -> hash of what it was made of, of the books that are there."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(phonebook.c.vendor, phonebook.c.book, phonebook.c.source))
            return {(row.vendor, row.book): row.source for row in rows}

    def books_of_phones(self, macs: Iterable[Mac] | None = None) -> dict[Mac, str]:
        """Returns the book that each phone, or each of those named, may read; phones without are left out."""
        with self.database.read() as connection:
            rows = in_chunks(connection, sa.select(phone_phonebook), phone_phonebook.c.mac, macs)
            return {Mac(row.mac): row.book for row in rows}

    def book_hash(self, vendor: str, book: str) -> str | None:
        """Returns the hash of a book as it is now, or None where there is none: one indexed read."""
        query = sa.select(phonebook.c.sha256).where(phonebook.c.vendor == vendor, phonebook.c.book == book)
        with self.database.read() as connection:
            return connection.execute(query).scalar()

    def book(self, vendor: str, book: str) -> BookRecord | None:
        """Returns a book with its bytes in clear, or None."""
        query = sa.select(phonebook).where(phonebook.c.vendor == vendor, phonebook.c.book == book)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        body = self.box.open(row.body, f"phonebook:{vendor}:{book}")
        return BookRecord(vendor, book, row.contacts, row.sha256, row.content_type, body)

    def _scope(self, row: Any, of_site: Mapping[str, Any], of_group: Mapping[str, Any]) -> str:
        """Returns the phone's setting ``phonebook``, merged over its layers as rendering does; ``off`` where its model cannot follow it."""
        model = self.catalogue.model(row.model)
        if model is None or SETTING in model.unsupported:
            return "off"
        vendor = self.catalogue.vendors[model.vendor]
        layers = (row.settings, model.settings, of_group, of_site, vendor.settings)
        default = self.catalogue.settings[SETTING].default if SETTING in self.catalogue.settings else "off"
        return str(next((layer[SETTING] for layer in layers if SETTING in layer), default))


def _parts(connection: sa.Connection, query: sa.Select[Any], most: int) -> Iterator[Sequence[Any]]:
    """Yields the rows in parts of ``most``: whoever asks may do something else in between."""
    return connection.execution_options(yield_per=most).execute(query).partitions()
