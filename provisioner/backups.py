"""Backups: one archive with everything that an installation on SQLite is made of, and the way back.

What lives here: the archive (a gzipped tar of at most five files) and the exchange of files on disk. What does not: asking the person.
Everything about an archive is checked, hashes first, before one file of the installation is touched; what is replaced is kept.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import sqlalchemy as sa

from provisioner import __version__
from provisioner.backup_copy import copy_database, counted_in, read_back
from provisioner.db import Database
from provisioner.errors import ProvisionerError
from provisioner.migrate import upgrade
from provisioner.overlay import OverlayPlace
from provisioner.overlay.packing import MOST_PACKED, PACKED, packed, unpack_into
from provisioner.secrets import KEY_FILE, SecretBox
from provisioner.settings import Settings

FORMAT = "provisioner-backup-1"
MANIFEST = "manifest.json"
DATABASE_FILE = "provisioner.sqlite3"
SETTINGS_FILE = "provisioner.toml"
MOST_BYTES: Mapping[str, int] = {
    MANIFEST: 65_536,
    KEY_FILE: 1024,
    SETTINGS_FILE: 1_048_576,
    PACKED: MOST_PACKED,
    DATABASE_FILE: 64 * 1024**3,
}
"""The only names that an archive may hold, and how large each may be: an archive is anybody's file until its hashes are checked."""
_UNPACKED = "own-files"
_BLOCK = 1024 * 1024
_BROKEN = (tarfile.TarError, EOFError, ValueError, zlib.error)
"""What reading an archive raises that was cut or changed."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself. ``files`` maps each name to its SHA-256; archives of the first version do not count phones."""

    version: str
    created_at: str
    files: Mapping[str, str]
    phones: int | None = None
    extensions: int | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``kept`` is the folder of what was there before, None where nothing was."""

    manifest: Manifest
    places: tuple[Path, ...]
    kept: Path | None


Told = Callable[[str, int], None]
"""Is told the step (copying, packing, checking) and the percent of the whole that is done."""


def write_backup(
    settings: Settings, settings_file: Path, target: Path, *, work: Path | None = None, told: Told = lambda _step, _percent: None
) -> Manifest:
    """Writes the archive, read back before it counts, whole or not at all, readable by its owner alone. The server may go on running.

    ``work`` is where the database is copied to on the way, the data folder unless said otherwise.
    """
    database = database_path(settings)
    key = settings.data_dir / KEY_FILE
    for path in (database, key):
        if not path.exists():
            raise ProvisionerError(f"{path} is not there: is this the data folder? ('provisioner init' makes an installation)")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=work or settings.data_dir) as folder:
        copy = Path(folder) / DATABASE_FILE
        told("copying", 0)
        copy_database(database, copy)
        phones, extensions = counted_in(copy)
        members = {DATABASE_FILE: copy, KEY_FILE: key}
        if settings_file.exists():
            members[SETTINGS_FILE] = settings_file
        own = packed(settings.overlay_dir) if settings.overlay_dir is not None else None
        if own is not None:
            members[PACKED] = Path(folder) / PACKED
            members[PACKED].write_bytes(own)
        created_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        hashes = {name: _sha256(path) for name, path in members.items()}
        manifest = Manifest(__version__, created_at, hashes, phones, extensions)
        _write_archive(target, manifest, members, told)
    return manifest


def restore_backup(settings: Settings, settings_file: Path, archive: Path, *, force: bool) -> Restored:
    """Puts an archive in place of the installation.

    Raises ``ProvisionerError``, and has changed nothing, where the archive is damaged or not one of ours, was written by a newer
    version, where its key does not fit its database, where an installation is there and not ``force``, or where a server uses it.
    """
    database = database_path(settings)
    places = {DATABASE_FILE: database, KEY_FILE: settings.data_dir / KEY_FILE, SETTINGS_FILE: settings_file}
    if settings.overlay_dir is not None:
        places[PACKED] = settings.overlay_dir
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
    database.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.data_dir) as folder:
        manifest = unpack(archive, Path(folder))
        _check_contents(Path(folder))
        if PACKED in manifest.files:
            unpack_into(Path(folder) / _UNPACKED, (Path(folder) / PACKED).read_bytes())
        names = [name for name in places if name in manifest.files]
        there = [places[name] for name in names if places[name].exists()]
        if there and not force:
            raise ProvisionerError(
                f"{', '.join(map(str, there))} would be replaced: give --force to do so (what is there is kept beside it)"
            )
        _refuse_in_use(database)
        sources = {name: Path(folder) / (_UNPACKED if name == PACKED else name) for name in names}
        gone = [database.with_name(database.name + end) for end in ("-wal", "-shm")]
        if PACKED in names:
            gone.append(OverlayPlace.of(settings).kept)  # what was in use of those that were there before
        kept = _exchange(settings.data_dir, {sources[name]: places[name] for name in names}, gone)
    return Restored(manifest, tuple(places[name] for name in names), kept)


def database_path(settings: Settings) -> Path:
    """Returns the file of the database. Raises ``ProvisionerError`` where it is none of ours to copy."""
    url = sa.make_url(settings.database)
    if url.get_backend_name() != "sqlite":
        raise ProvisionerError(
            "the database is PostgreSQL: its tool is pg_dump, for example 'pg_dump --format=custom --file=provisioner.dump DATABASE' "
            f"(back with pg_restore); copy besides {settings.data_dir / KEY_FILE}, without which the dump is worth nothing, "
            f"and {SETTINGS_FILE}"
        )
    return Path(url.database or "").resolve()


def settings_text(archive: Path) -> bytes | None:
    """Returns the settings file in an archive, not yet checked, or None where it has none."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.name == SETTINGS_FILE and member.isreg() and member.size <= MOST_BYTES[SETTINGS_FILE]:
                    source = tar.extractfile(member)
                    return source.read() if source else None
    except (*_BROKEN, OSError) as error:
        raise ProvisionerError(f"{archive} is not a whole backup: {error}") from error
    return None


def described(archive: Path) -> Manifest | None:
    """Returns what an archive says of itself, read from its beginning alone; None where that cannot be read."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            member = tar.next()
            source = tar.extractfile(member) if member and member.name == MANIFEST and member.size <= MOST_BYTES[MANIFEST] else None
            return _manifest_of(archive, source.read()) if source else None
    except (*_BROKEN, OSError, ProvisionerError):
        return None


def unpack(archive: Path, folder: Path) -> Manifest:
    """Unpacks the files that an archive may hold and checks each hash. Raises ``ProvisionerError`` for anything else in it."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _unpack_member(tar, member, folder)
    except _BROKEN as error:
        raise ProvisionerError(f"{archive} is not a whole backup: {error}") from error
    except OSError as error:
        raise ProvisionerError(f"{archive} cannot be read: {error.strerror or error}") from error
    manifest = _manifest(archive, folder / MANIFEST)
    found = {path.name for path in folder.iterdir()} - {MANIFEST}
    if found != set(manifest.files):
        raise ProvisionerError(f"{archive} does not hold what its list says: {', '.join(sorted(found ^ set(manifest.files)))}")
    for name, sha256 in manifest.files.items():
        if _sha256(folder / name) != sha256:
            raise ProvisionerError(f"{archive} is damaged: {name} is not as it was written")
    return manifest


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    # Names are compared, never joined: a path, a link or a device has no way in.
    if member.name not in MOST_BYTES or not member.isreg():
        raise ProvisionerError(f"'{member.name[:60]}' does not belong into a backup: nothing was restored")
    target = folder / member.name
    if target.exists() or not 0 <= member.size <= MOST_BYTES[member.name]:
        raise ProvisionerError(f"'{member.name}' is there twice or too large: nothing was restored")
    if member.size > shutil.disk_usage(folder).free:
        raise ProvisionerError(f"'{member.name}' needs {member.size} bytes, and there is less free in {folder.parent}")
    source = tar.extractfile(member)
    if source is None:
        raise ProvisionerError(f"'{member.name}' is no file: nothing was restored")
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        shutil.copyfileobj(source, out, _BLOCK)


def _manifest(archive: Path, path: Path) -> Manifest:
    return _manifest_of(archive, path.read_bytes() if path.exists() else b"")


def _manifest_of(archive: Path, text: bytes) -> Manifest:
    try:
        said: Any = json.loads(text)
        if said["format"] != FORMAT:
            raise ProvisionerError(f"{archive} has the format '{str(said['format'])[:40]}'; this version reads {FORMAT}")
        files = {str(name): str(row["sha256"]) for name, row in said["files"].items()}
        if not {DATABASE_FILE, KEY_FILE} <= files.keys():
            raise ProvisionerError(f"{archive} lacks the database or the key")
        phones, extensions = (int(said[name]) if name in said else None for name in ("phones", "extensions"))
        return Manifest(str(said["version"]), str(said["created_at"]), files, phones, extensions)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProvisionerError(f"{archive} is no backup of ours: its {MANIFEST} is missing or cannot be read") from error


def _check_contents(folder: Path) -> None:
    """Ensures that the database is whole, fits this version (its tables are brought up to it) and opens with its key."""
    path = folder / DATABASE_FILE
    try:
        with closing(sqlite3.connect(path)) as connection:
            state = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            sample = connection.execute("SELECT number, secret FROM extension LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise ProvisionerError(f"the database in the backup cannot be read: {error}") from error
    if state != "ok":
        raise ProvisionerError(f"the database in the backup is damaged: {state}")
    box = SecretBox((folder / KEY_FILE).read_bytes())
    if sample is not None:
        box.open(sample[1], f"extension:{sample[0]}")
    staged = Database(f"sqlite:///{path}")
    try:
        upgrade(staged)
    finally:
        staged.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # one file again: what lies in a log beside it would not be moved along


def _refuse_in_use(database: Path) -> None:
    """Raises where another process has the database open: it would go on writing into the file that was replaced."""
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database, timeout=0.2)) as connection:
            # Leaving WAL needs the file for oneself (SQLite, "PRAGMA journal_mode"); the next start goes back to WAL.
            mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if "locked" not in str(error):
            return  # it is damaged, which is why there is a restore
        mode = "locked"
    if mode != "delete":
        raise ProvisionerError(f"{database} is in use: stop the server first")


def _exchange(data_dir: Path, moves: Mapping[Path, Path], gone: Sequence[Path]) -> Path | None:
    """Moves what is there, and what is to be ``gone``, into a folder of its own and the new files in its place; undoes everything where one step fails."""
    kept = data_dir / time.strftime("replaced-%Y%m%dT%H%M%SZ", time.gmtime())
    old = [path for path in (*moves.values(), *gone) if path.exists()]
    moved: list[tuple[Path, Path]] = []
    placed: list[Path] = []
    try:
        if old:
            kept.mkdir(mode=0o700)
        for path in old:
            shutil.move(path, kept / path.name)
            moved.append((path, kept / path.name))
        for source, target in moves.items():
            _place(source, target)
            placed.append(target)
    except BaseException:
        for target in placed:
            _remove(target)
        for path, away in moved:
            shutil.move(away, path)
        if kept.is_dir() and not any(kept.iterdir()):
            kept.rmdir()
        raise
    return kept if moved else None


def _place(source: Path, target: Path) -> None:
    """Copies beside the target, then renames: the target may lie on another file system than the data folder."""
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if source.is_dir():
            shutil.copytree(source, partial)
            partial.replace(target)
            return
        with source.open("rb") as read, os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as write:
            shutil.copyfileobj(read, write, _BLOCK)
            write.flush()
            os.fsync(write.fileno())
        partial.replace(target)
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write_archive(target: Path, manifest: Manifest, members: Mapping[str, Path], told: Told) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    said = {
        "format": FORMAT,
        "version": manifest.version,
        "created_at": manifest.created_at,
        "phones": manifest.phones,
        "extensions": manifest.extensions,
        "files": {name: {"sha256": manifest.files[name], "bytes": path.stat().st_size} for name, path in members.items()},
    }
    text = (json.dumps(said, indent=2) + "\n").encode()
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6) as tar:
                tar.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
                for name, path in members.items():
                    with path.open("rb") as source:
                        tar.addfile(_member(name, path.stat().st_size), cast("IO[bytes]", _Read(source, path.stat().st_size, told)))
            out.flush()
            os.fsync(out.fileno())
        told("checking", 80)
        read_back(partial, manifest.files)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


class _Read:
    """A file that tells how far it was read: the database is all but the whole of an archive."""

    def __init__(self, source: IO[bytes], size: int, told: Told) -> None:
        self._source, self._size, self._told = source, max(size, 1), told
        self._done = self._last = 0

    def read(self, size: int) -> bytes:
        block = self._source.read(size)
        self._done += len(block)
        percent = 20 + 60 * self._done // self._size
        if percent >= self._last + 10:
            self._last = percent
            self._told("packing", min(percent, 80))
        return block


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
