"""The folder of recordings: Asterisk writes them, one file for each call, named after it. Nothing outside the folder is ever opened."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import BinaryIO

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._\-]{0,63}\.wav\Z")


class Recordings:
    """Recordings by the name of their file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of_call(self, uid: str) -> tuple[str, int]:
        """Returns name and size of a call's recording, and makes it its owner's alone; an empty name where there is none."""
        name = f"{uid}.wav"
        if not _NAME.match(name):
            return "", 0
        try:
            with self._opened(name) as file:
                os.fchmod(file.fileno(), 0o600)
                return name, os.fstat(file.fileno()).st_size
        except OSError:
            return "", 0

    def open(self, name: str) -> BinaryIO:
        """Returns a recording, open for reading. Raises ``OSError``, also for a name that is none of a recording, and for a link."""
        return self._opened(name)

    def remove(self, name: str) -> None:
        """Removes a recording; one that is gone already is no mistake."""
        if _NAME.match(name):
            (self.folder / name).unlink(missing_ok=True)

    def strays_before(self, at: float) -> list[str]:
        """Returns the names of files that were last written before ``at``."""
        found = []
        with contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if _NAME.match(entry.name) and entry.stat(follow_symlinks=False).st_mtime < at:
                    found.append(entry.name)
        return sorted(found)

    def _opened(self, name: str) -> BinaryIO:
        if not _NAME.match(name):
            raise FileNotFoundError(f"{name!r} is no recording's name")
        return os.fdopen(os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW), "rb")
