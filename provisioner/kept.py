"""What can be made again and takes long to make, kept where Python keeps compiled modules, and by its rules.

As with modules nothing is kept where the folder may not be written, and whoever may write there decides what this program does. What was
made from something else, or was cut short, is made again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path

log = logging.getLogger("provisioner.kept")

_DIGEST_BYTES = hashlib.sha256().digest_size


def kept_beside(module: str) -> Path:
    """Returns the folder in which Python keeps the compiled form of a module's file."""
    return Path(cache_from_source(module)).parent


def read_kept(path: Path, made_from: bytes) -> bytes | None:
    """Returns what was kept; None where it is not there, not for us to read, or was not made from that."""
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    content = kept[_DIGEST_BYTES:]
    return content if kept[:_DIGEST_BYTES] == _digest(made_from, content) else None


def keep(path: Path, made_from: bytes, content: bytes) -> None:
    """Keeps ``content``, unless Python is told to keep nothing. A folder that takes no file is done without."""
    if sys.dont_write_bytecode:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, _digest(made_from, content) + content)
    except OSError as error:
        log.debug("event=not_kept detail=%s", error)


def _digest(made_from: bytes, content: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(made_from).digest() + content).digest()


def _write(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, for everybody to read as compiled modules are: root may install what another account runs."""
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        partial.chmod(0o644)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
