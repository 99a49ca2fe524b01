"""Reads of phone books: what they are made of, which there are, and what a phone is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.core.phonebook import SETTING, Contact, allowed_scope, book_of
from provisioner.models import change, extension, phone, phone_group, phone_line, site
from provisioner.models_phonebook import phone_phonebook, phonebook
from provisioner.records import BookRecord
from provisioner.store.base import StoreBase, in_chunks


class BookSource(NamedTuple):
    """What books are made of."""

    contacts: list[Contact]
    numbers_at: dict[str, frozenset[str]]
    """Site -> the extensions that a phone there has on a line."""
    book_of: dict[Mac, str]
    """The book of each phone that has one."""
    vendor_of: dict[Mac, str]


class PhonebookReads(StoreBase):
    """What making and serving phone books needs."""

    def last_change(self) -> int:
        """Returns the number of the newest change; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(change.c.id))).scalar() or 0)

    def book_source(self) -> BookSource:
        """Returns what all books are made of, in five statements."""
        lines = sa.select(phone_line.c.extension, phone_line.c.mac, phone.c.site, extension.c.department)
        lines = lines.join(phone, phone.c.mac == phone_line.c.mac).join(extension, extension.c.number == phone_line.c.extension)
        columns = (extension.c.number, extension.c.display_name, extension.c.department)
        with self.database.read() as connection:
            contacts = [Contact(*row) for row in connection.execute(sa.select(*columns))]
            on_lines = connection.execute(lines.order_by(phone_line.c.mac, phone_line.c.line.desc())).all()
            phones = connection.execute(sa.select(phone.c.mac, phone.c.model, phone.c.site, phone.c.group, phone.c.settings)).all()
            shared = [connection.execute(sa.select(table.c.name, table.c.settings)).all() for table in (site, phone_group)]
        numbers_at: dict[str, set[str]] = {}
        for row in on_lines:
            numbers_at.setdefault(row.site, set()).add(row.extension)
        first_department = {row.mac: row.department for row in on_lines}
        sites, groups = ({row.name: row.settings for row in rows} for rows in shared)
        scopes = {
            Mac(row.mac): allowed_scope(
                self._scope(row, sites.get(row.site, {}), groups.get(row.group, {})),
                sites.get(row.site, {}).get(SETTING),
                is_only_site=len(sites) == 1,
            )
            for row in phones
        }
        chosen = {Mac(row.mac): book_of(scopes[row.mac], row.site, first_department.get(row.mac, "")) for row in phones}
        return BookSource(
            contacts,
            {name: frozenset(numbers) for name, numbers in numbers_at.items()},
            {mac: book for mac, book in chosen.items() if book},
            {Mac(row.mac): row.model.partition("/")[0] for row in phones},
        )

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
