"""Directories that server and phone both write, as they are served: merged once for each pair of files, and then remembered.

The merging itself is ``core.directories``. Here: for which files it was done already, in a bounded memory.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from provisioner.core.directories import joined_directories, merged_contacts

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
