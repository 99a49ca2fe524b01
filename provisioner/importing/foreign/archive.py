"""Reads the files of a ZIP in memory: nothing of it is written anywhere, and no name of it is used as a path.

Bounded in all that a stranger could make large: entries, bytes of one, bytes of all, and how much an entry may have been squeezed.
"""

from __future__ import annotations

import io
import itertools
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from provisioner.importing.reading import refused

MAX_ENTRIES = 5_000
MAX_ENTRY_BYTES = 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
"""Of all entries together, unpacked."""
MAX_RATIO = 200
"""Unpacked to packed; files of phones come to 20."""
_TOLERATED_BYTES = 65_536
"""So much may come of however little: an empty form packs very well."""
MAGIC = b"PK\x03\x04"
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError, OSError, struct.error,
)  # fmt: skip
"""What reading an archive raises that somebody broke: by its structure, its checksums, a packing or a password that is not known."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    content: bytes


def members(content: bytes) -> tuple[list[Member], list[str]]:
    """Returns the files of an archive in the order of their names, and the names of those that are too large to be of a phone.

    Raises ``UnreadableFileError`` where it cannot be read, or is more than the bounds take.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read(archive)
    except _BROKEN as error:
        raise refused(1, "this ZIP cannot be read", "pack the files anew, without a password") from error


def _read(archive: zipfile.ZipFile) -> tuple[list[Member], list[str]]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_ENTRIES:
        raise refused(1, f"the ZIP has {len(entries)} files; at most {MAX_ENTRIES} are taken", "import it in parts")
    found: list[Member] = []
    large: list[str] = []
    left = MAX_BYTES
    for entry in sorted(entries, key=lambda each: (len(each.filename), each.filename)):
        most = min(MAX_ENTRY_BYTES, left, max(_TOLERATED_BYTES, entry.compress_size * MAX_RATIO))
        body = _body(archive, entry, most + 1)
        if len(body) <= most:
            found.append(Member(entry.filename, body))
            left -= len(body)
        elif most == left:
            raise refused(1, f"the files of the ZIP have more than {MAX_BYTES} bytes", "import it in parts")
        else:
            large.append(entry.filename)
    return found, large


def _body(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    with archive.open(entry) as file:
        return file.read(most)


def packed_folder(folder: Path) -> bytes:
    """Returns a ZIP of the files below a folder that could be of phones: no links, nothing that is too large, as many as are taken."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in itertools.islice(_small_files(folder), MAX_ENTRIES + 1):
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _small_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_ENTRY_BYTES:
            yield path
