"""A file sealed with a passphrase: for an archive that leaves the machine, and holds the key to every secret.

Form: the header (``PROVSEAL``, version 1, log2 of scrypt's cost, 16 bytes of salt), 16 bytes by which a wrong passphrase is told from a
damaged file, then chunks of 64 KiB, each sealed with AES-256-GCM (NIST SP 800-38D) under a nonce of its number and whether it is the last, with the
header as additional data. This is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance, 2015): a chunk that was changed, moved, repeated, left out or cut off is refused, and so is what follows the last.
The key is scrypt's (RFC 7914) of passphrase and salt; no two files share one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from provisioner.errors import ProvisionerError

SUFFIX = ".sealed"
MAGIC = b"PROVSEAL"
SHORTEST, LONGEST = 12, 1024
COST = 17
"""log2 of N; with r=8 and p=1 as OWASP's Password Storage Cheat Sheet gives it: 128 MiB and half a second for each guess."""
MOST_COST = 20
"""What a file may ask for to be opened: its header is anybody's until the passphrase fits it."""
CHUNK = 64 * 1024
_TAG = 16
_SALT = 16
_CHECK = 16
_HEADER = len(MAGIC) + 2 + _SALT
_ONE_AT_A_TIME = threading.Lock()


def passphrase_mistake(passphrase: str) -> str:
    """Returns the sentence that says why a passphrase cannot be taken; empty where it can. A file that is stolen can be guessed at for years."""
    if not SHORTEST <= len(passphrase) <= LONGEST:
        return f"{SHORTEST} to {LONGEST} characters are needed"
    if len(set(passphrase)) < 6:
        return "at least six different characters are needed"
    return ""


def is_sealed(path: Path) -> bool:
    """Returns whether a file begins as a sealed one."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def sealed_size(size: int) -> int:
    """Returns how many bytes so many become."""
    return _HEADER + _CHECK + size + _TAG * max(1, -(-size // CHUNK))


def sealed(source: IO[bytes], passphrase: str, *, cost: int = COST) -> Iterator[bytes]:
    """Yields the sealed form of what ``source`` has."""
    header = MAGIC + bytes([1, cost]) + os.urandom(_SALT)
    box, check = _opened(header, passphrase)
    yield header + check
    number, chunk = 0, source.read(CHUNK)
    while True:
        following = source.read(CHUNK)
        yield box.encrypt(_nonce(number, is_last=not following), chunk, header)
        if not following:
            return
        number, chunk = number + 1, following


def unsealed(source: IO[bytes], passphrase: str) -> Iterator[bytes]:
    """Yields what was sealed, each chunk once it is known to be as it was written.

    Raises ``ProvisionerError`` for a wrong passphrase, and for whatever is not the whole file in its order: what was yielded before is to
    be thrown away.
    """
    header, check = source.read(_HEADER), source.read(_CHECK)
    if header[: len(MAGIC)] != MAGIC or len(header) < _HEADER or len(check) < _CHECK:
        raise ProvisionerError("this is no sealed backup, or only the beginning of one")
    if header[len(MAGIC)] != 1 or not 1 <= header[len(MAGIC) + 1] <= MOST_COST:
        raise ProvisionerError("this backup was sealed in a form that this version does not read")
    box, expected = _opened(header, passphrase)
    if not hmac.compare_digest(check, expected):
        raise ProvisionerError("the passphrase does not open this backup")
    number, chunk = 0, source.read(CHUNK + _TAG)
    while True:
        following = source.read(CHUNK + _TAG)
        try:
            yield box.decrypt(_nonce(number, is_last=not following), chunk, header)
        except InvalidTag as error:
            raise ProvisionerError(f"this backup is damaged, cut or changed in its part {number + 1}: take another copy of it") from error
        if not following:
            return
        number, chunk = number + 1, following


def _opened(header: bytes, passphrase: str) -> tuple[AESGCM, bytes]:
    """Returns what seals the chunks below a header, and the bytes that show that the passphrase is the one.

    One at a time: each takes a hundred megabytes and more.
    """
    text = unicodedata.normalize("NFC", passphrase).encode()
    cost = 2 ** header[len(MAGIC) + 1]
    with _ONE_AT_A_TIME:
        derived = hashlib.scrypt(text, salt=header[-_SALT:], n=cost, r=8, p=1, maxmem=cost * 8 * 128 + 1024**2, dklen=64)
    return AESGCM(derived[:32]), hmac.digest(derived[32:], header, "sha256")[:_CHECK]


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
