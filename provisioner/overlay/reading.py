"""Reads the overlay folder: which of its files the catalogue reads, their bytes, and what about the folder is not as it should be.

The folder is a person's, and whoever may write it decides what phones get: links that lead out of it are refused, as is what is no
file; names, sizes and their number are bounded; what others of the machine can write is told.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from provisioner.errors import InputError

MAX_FILE_BYTES = 1024 * 1024
"""The largest shipped file has 0.3 MB: the makers' list of parameters."""
MAX_FILES = 2000
MAX_BYTES = 32 * 1024 * 1024
MAX_ENTRIES = 20_000
"""Names looked at, read or not: a folder named by mistake may be a home directory."""
SIDE_ENDING = ".merged"
"""Of files that a merge writes beside those of one's own."""

_VENDOR = r"[a-z0-9][a-z0-9_\-]{0,31}"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79}"
_READ = re.compile(
    rf"(?:settings|other_makers)\.toml|{_VENDOR}/(?:(?:vendor|sheet)\.toml|SOURCES\.md|{_NAME}\.txt|"
    rf"(?:series|models)/{_NAME}\.toml|templates/{_NAME}\.j2)"
)


@dataclass
class Overlay:
    """What was read of an overlay folder."""

    files: dict[str, bytes] = field(default_factory=dict)
    """Path below the catalogue -> content."""
    refused: list[str] = field(default_factory=list)
    """Why it cannot be taken into use, each with its file."""
    warnings: list[str] = field(default_factory=list)
    """What somebody should look at; it is used all the same."""

    @property
    def hashes(self) -> Mapping[str, str]:
        return {name: sha256(body) for name, body in self.files.items()}


def checked_name(name: str) -> str:
    """Returns a path below the catalogue that may be one's own. Raises ``InputError``."""
    name = name.removeprefix("./")
    if not _READ.fullmatch(name):
        raise InputError({
            "path": f"'{name[:120]}' is no file that the catalogue reads: name it from the vendor on, such as yealink/templates/device.cfg.j2, "
            "<vendor>/vendor.toml, <vendor>/models/<model>.toml, <vendor>/series/<series>.toml or settings.toml"
        })  # fmt: skip
    return name


def sha256(body: bytes) -> str:
    import hashlib

    return hashlib.sha256(body).hexdigest()


def read_overlay(folder: Path) -> Overlay:
    """Returns the files of an overlay folder; nothing where there is no folder."""
    found = Overlay()
    if not folder.is_dir():
        return found
    root, left = folder.resolve(), MAX_BYTES
    _note_rights(folder, root, found)
    for at, (path, name) in enumerate(_walk(folder, "", found)):
        if at >= MAX_ENTRIES or len(found.files) >= MAX_FILES:
            found.refused.append(f"{folder}:1: holds more than {MAX_FILES} files: name a folder that holds what differs from the catalogue")
            return found
        if not _READ.fullmatch(name):
            if not name.endswith(SIDE_ENDING):
                found.warnings.append(f"{path}: nothing reads a file of this name")
            continue
        body = _body(path, root, found)
        if body is not None:
            left -= len(body)
            found.files[name] = body
        if left < 0:
            found.refused.append(f"{folder}:1: its files have more than {MAX_BYTES // 1024**2} MB together")
            return found
    return found


def _walk(folder: Path, prefix: str, found: Overlay) -> Iterator[tuple[Path, str]]:
    """Yields every file below, by name. What begins with a dot belongs to an editor or to version control."""
    with os.scandir(folder) as entries:
        listed = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in listed:
        path, name = folder / entry.name, f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if prefix.count("/") < 2:
                _note_rights(path, folder, found)
                yield from _walk(path, f"{name}/", found)
        elif entry.is_symlink() and entry.is_dir():
            found.refused.append(f"{path}:1: is a link to a folder: put the files themselves here")
        else:
            yield path, name


def _body(path: Path, root: Path, found: Overlay) -> bytes | None:
    """Returns a file's content, or None after saying what is wrong with it."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root):
            found.refused.append(f"{path}:1: is a link that leads out of {root}: put the file itself here")
            return None
        # A pipe must not hold up the start, and what was looked at must be what is read.
        with os.fdopen(os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                found.refused.append(f"{path}:1: is no file")
                return None
            body = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        found.refused.append(f"{path}:1: cannot be read: {error.strerror}")
        return None
    if len(body) > MAX_FILE_BYTES:
        found.refused.append(f"{path}:1: has more than {MAX_FILE_BYTES // 1024**2} MB")
        return None
    _note_rights(path, root, found)
    return body


def _note_rights(path: Path, root: Path, found: Overlay) -> None:
    about = path.stat()
    if about.st_mode & stat.S_IWOTH and not about.st_mode & stat.S_ISVTX:
        found.warnings.append(f"{path}: every user of this machine can change what phones get: chmod o-w {path}")
    elif about.st_uid not in {0, os.geteuid(), root.stat().st_uid}:
        found.warnings.append(f"{path}: belongs to user {about.st_uid}, who can change what phones get: chown it to the user that serves")
