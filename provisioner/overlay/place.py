"""Where the files of one's own are, and what is kept of them in the data folder: the set in use, versions, and what they began from.

Everything is written whole or not at all: a reader finds the state before or after. One writer at a time, by a lock.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from provisioner import __version__
from provisioner.catalog.layers import Layers
from provisioner.overlay.reading import sha256
from provisioner.settings import Settings

log = logging.getLogger("provisioner.overlay")

KEPT = "catalogue.kept"
VERSIONS_KEPT = 20
"""Of each file; the one in use stays, however old."""
SETS_KEPT = 2
"""Whole sets of files: the one in use, and the one before it for a process that is just reading it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a file of one's own. ``why``: what brought it here."""

    version: int
    sha256: str
    at: float
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Base:
    """The shipped file that one's own began from."""

    sha256: str
    release: str
    at: float


@dataclass
class State:
    """What is kept. ``files`` is the set in use: path -> SHA-256."""

    set_id: str = ""
    at: float = 0.0
    by: str = ""
    files: dict[str, str] = field(default_factory=dict)
    bases: dict[str, Base] = field(default_factory=dict)
    merging: dict[str, str] = field(default_factory=dict)
    """Path -> SHA-256 of the shipped file that a merge, not yet taken, was made with."""
    versions: dict[str, list[Version]] = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    """Why the overlay, as it was at the last start, was not taken into use."""

    def versions_in_use(self) -> dict[str, str]:
        """Returns what is in use of each file, as ``version 3``."""
        numbers = {name: {row.sha256: row.version for row in rows} for name, rows in self.versions.items()}
        return {name: f"version {numbers.get(name, {}).get(digest, '?')}" for name, digest in self.files.items()}

    def note(self, name: str, digest: str, at: float, by: str, why: str) -> None:
        """Adds a version of a file, unless it is the newest already; the oldest go."""
        rows = self.versions.setdefault(name, [])
        if rows and rows[-1].sha256 == digest:
            return
        rows.append(Version(rows[-1].version + 1 if rows else 1, digest, at, by, why))
        used = self.files.get(name)
        kept = [row for row in rows[:-VERSIONS_KEPT] if row.sha256 == used][-1:]
        self.versions[name] = [*kept, *rows[-VERSIONS_KEPT:]]


@dataclass(frozen=True, slots=True)
class OverlayPlace:
    """The folders of one installation. ``own`` None: there is no overlay."""

    shipped: Path
    own: Path | None
    kept: Path
    release: str = __version__

    @classmethod
    def of(cls, settings: Settings) -> OverlayPlace:
        return cls(settings.catalogue_dir, settings.overlay_dir, settings.data_dir / KEPT)

    def state(self) -> State:
        """Returns what is kept; an empty state where there is none yet, or where it cannot be read."""
        path = self.kept / "state.json"
        try:
            return _state(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return State()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("event=catalogue_state_unreadable file=%s detail=%s", path, type(error).__name__)
            return State()

    def set_in_use(self) -> str:
        """Returns the id of the set in use, from a small file of its own: it is looked at every second."""
        try:
            return (self.kept / "in-use").read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def in_use(self) -> Layers:
        """Returns the shipped catalogue with the files of one's own that are in use."""
        if self.own is None:
            return Layers(self.shipped)
        state = self.state()
        return Layers(self.shipped, {name: self.set_folder(state.set_id) / name for name in state.files})

    def set_folder(self, set_id: str) -> Path:
        return self.kept / "sets" / (set_id or "none")

    def shipped_file(self, name: str) -> bytes | None:
        """Returns the shipped file of this path as it is now, or None."""
        path = self.shipped / name
        return path.read_bytes() if path.is_file() else None

    def body(self, digest: str) -> bytes:
        """Returns the bytes kept under their hash. Raises ``OSError``."""
        return (self.kept / "bodies" / digest).read_bytes()

    def keep(self, body: bytes) -> str:
        """Keeps bytes under their hash, which it returns."""
        digest = sha256(body)
        path = self.kept / "bodies" / digest
        if not path.exists():
            self._write(path, body)
        return digest

    def write_set(self, files: Mapping[str, bytes]) -> str:
        """Writes a whole set of files; returns its id, which follows from what is in it."""
        set_id = sha256(json.dumps(sorted((name, sha256(body)) for name, body in files.items())).encode())[:16]
        folder = self.set_folder(set_id)
        shutil.rmtree(folder, ignore_errors=True)
        for name, body in files.items():
            self._write(folder / name, body)
        return set_id

    def save(self, state: State) -> None:
        """Writes the state, then forgets what nothing in it names any more."""
        for name in [name for name in state.bases if name not in state.files and not (self.own and (self.own / name).exists())]:
            del state.bases[name]
        self._write(self.kept / "state.json", json.dumps(asdict(state), indent=1).encode())
        if state.set_id:
            self._write(self.kept / "in-use", f"{state.set_id}\n".encode())
        named = {row.sha256 for rows in state.versions.values() for row in rows} | {base.sha256 for base in state.bases.values()}
        for path in (self.kept / "bodies").glob("*"):
            if path.name not in named | set(state.files.values()) | set(state.merging.values()):
                path.unlink(missing_ok=True)
        others = [path for path in (self.kept / "sets").glob("*") if path.name != state.set_id]
        for path in sorted(others, key=lambda path: path.stat().st_mtime)[: -(SETS_KEPT - 1)]:
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def lock(self) -> Iterator[State]:
        """Keeps other writers away; yields the state."""
        self.kept.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._make(self.kept)
        with (self.kept / "lock").open("w") as file:
            self._give(self.kept / "lock")
            fcntl.flock(file, fcntl.LOCK_EX)
            yield self.state()

    def _write(self, path: Path, body: bytes) -> None:
        self._make(path.parent)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        with partial.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        self._give(partial)
        partial.replace(path)

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            if folder != self.kept:
                self._make(folder.parent)
            folder.mkdir(parents=True, exist_ok=True)
            self._give(folder)

    def _give(self, path: Path) -> None:
        """Gives what root wrote by a command to the user that serves, who owns the data folder."""
        if os.geteuid() == 0:
            owner = self.kept.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _state(said: Mapping[str, Any]) -> State:
    bases = {str(name): Base(**row) for name, row in said["bases"].items()}
    versions = {str(name): [Version(**row) for row in rows] for name, rows in said["versions"].items()}
    return State(**{**said, "bases": bases, "versions": versions})
