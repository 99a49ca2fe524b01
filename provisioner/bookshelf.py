"""Phone books as a serving process has them: each read once and kept until it is another one, in a bounded memory."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Protocol

from provisioner.core.catalogue import FileRule
from provisioner.core.phonebook import searched, typed_search
from provisioner.core.values import FileAnswer, Reason
from provisioner.records import BookRecord

KEPT_BYTES = 32 * 1024 * 1024


class BookReads(Protocol):
    """The reads of the store that a shelf needs."""

    def book_hash(self, vendor: str, book: str) -> str | None: ...

    def book(self, vendor: str, book: str) -> BookRecord | None: ...


class Bookshelf:
    """Finds books. Which phone may read which is not decided here."""

    def __init__(self, store: BookReads, kept_bytes: int = KEPT_BYTES) -> None:
        self._store = store
        self._kept_bytes = kept_bytes
        self._size = 0
        self._books: OrderedDict[tuple[str, str], BookRecord] = OrderedDict()

    def answer(self, vendor: str, book_id: str | None, rule: FileRule, path: str, missing: FileAnswer) -> FileAnswer:
        """Returns ``missing`` with the book in it; where ``path`` has ``?search=`` after it, with what was searched for in the book."""
        book = self.book(vendor, book_id)
        if book is None:
            return missing
        answer = missing._replace(reason=Reason.SERVED, body=book.body, content_type=book.content_type, sha256=book.sha256, secret=True)
        typed = typed_search(path) if rule.search_line else ""
        if not typed:
            return answer
        body = searched(book.body, rule.search_line, typed)
        return answer._replace(body=body, sha256=hashlib.sha256(body).hexdigest())

    def book(self, vendor: str, book: str | None) -> BookRecord | None:
        """Returns the book as it is now, or None: one indexed read, and another one where it changed."""
        if book is None:
            return None
        sha256 = self._store.book_hash(vendor, book)
        known = self._books.pop((vendor, book), None)
        self._size -= len(known.body) if known else 0
        if known is None or known.sha256 != sha256:
            known = self._store.book(vendor, book) if sha256 else None
        if known is not None:
            self._keep(known)
        return known

    def _keep(self, record: BookRecord) -> None:
        self._books[record.vendor, record.book] = record
        self._size += len(record.body)
        while self._size > self._kept_bytes:
            _, oldest = self._books.popitem(last=False)
            self._size -= len(oldest.body)
