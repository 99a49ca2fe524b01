"""The step that makes phone books: anew whenever a change may concern one, and only those that came out different."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Generator, Mapping, Set

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.catalogue import FileRule, Vendor
from provisioner.core.mac import Mac
from provisioner.core.phonebook import Book, books
from provisioner.core.render import Renderer
from provisioner.errors import RenderError
from provisioner.models import index_log, phone
from provisioner.models_phonebook import phone_phonebook, phonebook
from provisioner.store import Store
from provisioner.store.phonebooks import BookSource

log = logging.getLogger("provisioner.worker")

EVERY_S = 1.0
"""However many edits there are, the books are made at most once a second."""
PIECE = 1000
"""Rows that are read, or assignments that are written, in one go: some milliseconds, however many extensions there are."""

Pieces = Generator[None, None, None]


class Phonebooks:
    """Keeps books and who reads which as the extensions, phones and settings say."""

    def __init__(self, store: Store, renderer: Renderer, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self._store = store
        self._renderer = renderer
        self._clock = clock
        self._timer = timer
        self._next = -1.0
        self._seen = -1
        self._written = 0
        self._under_way: Pieces | None = None
        self._rules = {vendor.id: (vendor, rule) for vendor in store.catalogue.vendors.values() if (rule := book_rule(vendor))}
        self._forms = {vendor.id: _form(vendor, rule) for vendor, rule in self._rules.values()}

    @property
    def is_under_way(self) -> bool:
        """Whether the last step gave way, and something of it is left."""
        return self._under_way is not None

    def step(self, gives_way: Callable[[], bool] = lambda: False) -> int:
        """Makes what has to be made; returns how many books and assignments were written.

        After each bounded piece ``gives_way`` is asked: where it says so, the rest is left for the next step, which goes on there.
        """
        pieces, self._under_way = self._under_way or self._begun(), None  # begun anew where a piece fails
        for _ in pieces:
            if gives_way():
                self._under_way = pieces
                return 0
        written, self._written = self._written, 0
        return written

    def drop(self) -> None:
        """Forgets what is under way: something was changed since, and is to be in the books as well. Those that are made stay."""
        if self._under_way is not None:
            self._under_way.close()
            self._under_way = None

    def _begun(self) -> Pieces:
        """Yields after each piece of what has to be made, if anything has."""
        newest = self._store.last_change()
        if not self._rules or newest == self._seen or self._timer() < self._next:
            return
        self._next = self._timer() + EVERY_S
        if self._seen < 0 or self._store.concerns_books(self._seen, newest):
            yield
            source = yield from self._store.book_source(PIECE)
            wanted = {(source.vendor_of[mac], book) for mac, book in source.book_of.items() if source.vendor_of[mac] in self._rules}
            there = self._store.books_made()
            yield from self._make(source, wanted, there)
            yield from self._assign(source)
            self._forget(there.keys() - wanted)
        self._seen = newest  # what was changed meanwhile has a higher number, and is looked at the next time

    def _make(self, source: BookSource, wanted: Set[tuple[str, str]], there: Mapping[tuple[str, str], str]) -> Pieces:
        found = {book.id: book for book in books((book for _, book in wanted), source.contacts, source.numbers_at)} if wanted else {}
        yield
        for vendor_id, book_id in sorted(wanted):
            digest = _digest(found[book_id], self._forms[vendor_id])
            if there.get((vendor_id, book_id)) != digest:
                yield
                yield from self._renew(vendor_id, found[book_id], digest)
            yield

    def _renew(self, vendor_id: str, book: Book, digest: str) -> Pieces:
        vendor, rule = self._rules[vendor_id]
        kept = book.cut(rule.max_contacts)
        if len(kept.contacts) < len(book.contacts):
            log.warning("event=phonebook_cut vendor=%s contacts=%d kept=%d", vendor_id, len(book.contacts), len(kept.contacts))
        try:
            file = yield from self._renderer.book_parts(vendor, rule, kept)
        except RenderError as error:  # the book that is there stays, as a phone's files do
            log.error("event=phonebook_held vendor=%s error=%s", vendor_id, error)
            return
        sealed = self._store.box.seal(file.body, f"phonebook:{vendor_id}:{book.id}")
        row = {
            "vendor": vendor_id, "book": book.id, "source": digest, "contacts": len(kept.contacts), "sha256": file.sha256,
            "content_type": file.content_type, "body": sealed,
        }  # fmt: skip
        with self._store.database.write() as connection:
            connection.execute(phonebook.delete().where(phonebook.c.vendor == vendor_id, phonebook.c.book == book.id))
            connection.execute(phonebook.insert(), row)
        self._written += 1

    def _forget(self, gone: Set[tuple[str, str]]) -> None:
        """Takes away books that no phone is assigned any more."""
        if gone:
            with self._store.database.write() as connection:
                for vendor, book in gone:
                    connection.execute(phonebook.delete().where(phonebook.c.vendor == vendor, phonebook.c.book == book))
            self._written += len(gone)

    def _assign(self, source: BookSource) -> Pieces:
        wanted = {mac: book for mac, book in source.book_of.items() if source.vendor_of[mac] in self._rules}
        there = self._store.books_of_phones()
        yield
        changed = sorted(mac for mac in wanted.keys() | there.keys() if wanted.get(mac) != there.get(mac))
        yield
        for start in range(0, len(changed), PIECE):
            part = changed[start : start + PIECE]
            with self._store.database.write() as connection:
                self._write(connection, part, wanted)
            self._written += len(part)
            yield

    def _write(self, connection: Connection, macs: list[Mac], wanted: Mapping[Mac, str]) -> None:
        which = sa.bindparam("which", type_=sa.String)
        connection.execute(phone_phonebook.delete().where(phone_phonebook.c.mac == which), [{"which": mac} for mac in macs])
        listed = sa.select(phone.c.mac, sa.bindparam("what", type_=sa.String)).where(phone.c.mac == which)
        rows = [{"which": mac, "what": wanted[mac]} for mac in macs if mac in wanted]
        if rows:  # from the phones that are still listed: one may have been deleted since
            connection.execute(phone_phonebook.insert().from_select(["mac", "book"], listed), rows)
        at = self._clock()
        connection.execute(index_log.insert(), [{"mac": mac, "at": at} for mac in macs])


def book_rule(vendor: Vendor) -> FileRule | None:
    """Returns the rule by which books are made for the vendor's phones, or None."""
    return next((rule for rule in vendor.files if rule.scope == "book" and rule.template), None)


def _form(vendor: Vendor, rule: FileRule) -> str:
    """Returns what a book depends on besides its contacts."""
    parts = (rule.name, rule.content_type, rule.max_contacts, rule.escape or vendor.escape, *sorted(vendor.templates.items()))
    return repr(parts)


def _digest(book: Book, form: str) -> str:
    digest = hashlib.sha256(form.encode())
    for contact in book.contacts:
        digest.update(f"{contact.number}\n{contact.name}\n{contact.department}\n".encode())
    return digest.hexdigest()
