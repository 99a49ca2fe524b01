"""Files of one's own as one text, as a backup holds them, and back into a folder."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path

from provisioner.errors import ProvisionerError
from provisioner.overlay.reading import MAX_BYTES, MAX_FILES, checked_name, read_overlay

PACKED = "own-files.json"
MOST_PACKED = 2 * MAX_BYTES
"""Bytes of the text: a third more than what is in it, and the names."""


def packed(folder: Path) -> bytes | None:
    """Returns the files of an overlay folder that the catalogue can read; None where there are none."""
    files = read_overlay(folder).files
    if not files:
        return None
    return json.dumps({name: base64.b64encode(body).decode("ascii") for name, body in sorted(files.items())}, indent=1).encode()


def unpack_into(folder: Path, text: bytes) -> None:
    """Makes the folder, with the files of a text. Raises ``ProvisionerError``, and has written nothing, for a text that holds anything else."""
    try:
        said = json.loads(text)
        files = {checked_name(name): base64.b64decode(body, validate=True) for name, body in said.items()}
    except (ValueError, AttributeError, TypeError, binascii.Error) as error:
        raise ProvisionerError(f"{PACKED} in the backup cannot be read") from error
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise ProvisionerError(f"{PACKED} in the backup holds more than files of one's own may have")
    folder.mkdir(mode=0o750)
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        (folder / name).write_bytes(body)
