"""Directories that server and phone both write, as they are served: merged once for each pair of files, and then remembered.

The merging itself is ``core.directories``. Here: for which files it was done already, in a bounded memory.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from provisioner.core.directories import joined_directories, merged_contacts
from provisioner.core.values import FileAnswer, Reason
from provisioner.records import BookRecord, UploadRecord

KEPT_BYTES = 16 * 1024 * 1024
"""Merged directories kept; a phone asks for its own once at a boot, so that more would be of little use."""

Part = tuple[str, bytes]
"""A file with its hash."""


class MergedDirectories:
    """Merges, and remembers what came out."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._size = 0
        self._merged: OrderedDict[tuple[str, ...], Part] = OrderedDict()

    def answer(
        self, ours_from: int, live: tuple[bytes, str], book: BookRecord | None, sent: tuple[UploadRecord, bytes] | None
    ) -> FileAnswer:
        """Returns the phone's live directory with the contacts of its book, and with those that its user added."""
        ours = [(live[1], live[0]), *([(book.sha256, book.body)] if book else [])]
        theirs = (sent[0].sha256, sent[1]) if sent else None
        sha256, body = self.merged(ours, theirs, ours_from)
        return FileAnswer(Reason.SERVED, body, "application/xml", sha256, secret=True, made_from=live[1])

    def merged(self, ours: Sequence[Part], sent: Part | None, ours_from: int) -> Part:
        """Returns the directory to serve and its hash: every entry of ``ours`` in their order, then the phone's own of ``sent``."""
        key = (str(ours_from), sent[0] if sent else "", *(sha256 for sha256, _ in ours))
        found = self._merged.get(key)
        if found is None:
            body = joined_directories([body for _, body in ours])
            body = merged_contacts(body, sent[1], ours_from) if sent else body
            found = hashlib.sha256(body).hexdigest(), body
            self._keep(key, found)
        return found

    def _keep(self, key: tuple[str, ...], part: Part) -> None:
        self._merged[key] = part
        self._size += len(part[1])
        while self._size > self._kept_bytes:
            _, (_, body) = self._merged.popitem(last=False)
            self._size -= len(body)
