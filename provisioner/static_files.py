"""``StaticFiles.find``: which regular file below the static root a name means. What is sent of it is the transports' affair."""

from __future__ import annotations

import os
import stat
from pathlib import Path

REMEMBERED = 4096
"""Resolved names kept; one file has many spellings and strangers choose them, so the memory is bounded and then dropped whole."""

_Found = tuple[int, int, int]
"""Device, inode and ctime of what a name led to."""


class StaticFiles:
    """The files below one folder, there or in its ``firmware/``; hidden ones and what leads outside do not exist."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._resolved: dict[str, tuple[_Found, Path]] = {}

    def find(self, rest: str) -> Path | None:
        """Returns the regular file that ``rest`` names, without links in its path; None for anything else."""
        if rest[-1:] in {"", "/"}:
            return None
        return self._file(rest) or self._file(f"firmware/{rest.rpartition('/')[2]}")

    def _file(self, name: str) -> Path | None:
        """Returns the file at ``name``. One look at the disk says that it is not there, or still the one that was resolved before."""
        try:
            status = os.stat(f"{self._root}/{name}")  # noqa: PTH116 - a Path costs twice as much as the look itself (measured)
            if not stat.S_ISREG(status.st_mode):
                return None
            found = (status.st_dev, status.st_ino, status.st_ctime_ns)
            known = self._resolved.get(name)
            if known is not None and known[0] == found:
                return known[1]
            path = self._checked(name)
        except (OSError, ValueError, RuntimeError):  # no such file, NUL in the name, links in a circle
            return None
        if path is not None:
            self._remember(name, found, path)
        return path

    def _checked(self, name: str) -> Path | None:
        """Returns the path with every link followed; None where it leads outside or is hidden."""
        path = (self._root / name.lstrip("/")).resolve()
        if not path.is_relative_to(self._root) or not path.is_file():
            return None
        return None if any(part.startswith(".") for part in path.relative_to(self._root).parts) else path

    def _remember(self, name: str, found: _Found, path: Path) -> None:
        if len(self._resolved) >= REMEMBERED:
            self._resolved.clear()
        self._resolved[name] = (found, path)
