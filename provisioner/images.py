"""Firmware as a serving process gives it: the image that a phone is to run, by whatever name its maker has it ask."""

from __future__ import annotations

from typing import Protocol

from provisioner.core.catalogue import FileRule
from provisioner.core.mac import Mac
from provisioner.core.values import FileAnswer, Reason
from provisioner.static_files import StaticFiles
from provisioner.store.firmware import PinnedFile


class ImageReads(Protocol):
    """The read of the store that this needs."""

    def pinned_file(self, mac: Mac) -> PinnedFile | None: ...


class PinnedImages:
    """Finds images. What is sent of a file is the transports' affair: it is streamed, whatever its size."""

    def __init__(self, store: ImageReads, static: StaticFiles) -> None:
        self._store = store
        self._static = static

    def answer(self, rule: FileRule, missing: FileAnswer) -> FileAnswer:
        """Returns ``missing`` with the image of its phone; not where the name asks for other hardware than the image is for."""
        pinned = self._store.pinned_file(missing.mac) if missing.mac else None
        if pinned is None or (pinned.hardware and "{part}" in rule.name and pinned.hardware.lower() not in missing.name.lower()):
            return missing
        path = self._static.find(f"firmware/{pinned.file}")
        return missing._replace(reason=Reason.SERVED, static_path=path) if path is not None else missing
