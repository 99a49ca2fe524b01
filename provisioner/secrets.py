"""Secrets at rest, and the secrets that are derived rather than stored.

One random key of 32 bytes lies in ``secret.key`` beside the database, never in it. From it come, by HKDF (RFC 5869), the key that
seals columns (AES-256-GCM), the phones' capability tokens, their digest passwords and the phones' own web passwords: a copy
of the database alone opens nothing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets as _random
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from provisioner.core.mac import Mac
from provisioner.errors import SecretError

KEY_FILE = "secret.key"
_PASSWORD_ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_NONCE_BYTES = 12


class SecretBox:
    """Seals and opens columns, and derives what need not be stored. Safe to share between threads."""

    def __init__(self, master: bytes) -> None:
        if len(master) != 32:
            raise SecretError(f"{KEY_FILE} must hold 32 bytes; it holds {len(master)}")
        self._cipher = AESGCM(_derived(master, b"columns"))
        self._token_key = _derived(master, b"tokens")
        self._password_key = _derived(master, b"passwords")
        self._code_key = _derived(master, b"codes")
        self._file_key = _derived(master, b"file keys")
        self.mark = _derived(master, b"mark").hex()[:32]
        """Tells this key from others; nothing follows from it."""

    def seal(self, plain: bytes, label: str) -> bytes:
        """Returns ``plain`` encrypted; ``label`` (table and row) must be the same when it is opened."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, label.encode())

    def open(self, sealed: bytes, label: str) -> bytes:
        """Returns what was sealed under ``label``. Raises ``SecretError`` where the key or the label is another."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], label.encode())
        except (InvalidTag, ValueError) as error:  # ValueError: too short to hold even the nonce
            raise SecretError(f"{KEY_FILE} does not fit this database: restore the one that belongs to it") from error

    def token(self, mac: Mac, epoch: int) -> str:
        """Returns the capability token of a phone: 24 letters and digits (120 bits). Another ``epoch``, another token."""
        digest = hmac.digest(self._token_key, f"{mac}:{epoch}".encode(), hashlib.sha256)
        return base64.b32encode(digest[:15]).decode("ascii").lower()

    def code_digest(self, mac: Mac, code: str) -> str:
        """Returns what is stored of a phone's install code: 50 bits could be tried out against a plain hash, not under a key."""
        return hmac.digest(self._code_key, f"{mac}:{code}".encode(), hashlib.sha256).hex()

    def recovery_digest(self, name: str, code: str) -> str:
        """Returns what is stored of a user's recovery code, under the same key for the same reason."""
        return hmac.digest(self._code_key, f"recovery:{name}:{code}".encode("utf-8", "replace"), hashlib.sha256).hex()

    def phone_password(self, mac: Mac, purpose: str) -> str:
        """Returns a phone's own password of 12 characters for ``purpose`` (``admin``, ``user``, ``digest``)."""
        digest = hmac.digest(self._password_key, f"{purpose}:{mac}".encode(), hashlib.sha256)
        return "".join(_PASSWORD_ALPHABET[byte % len(_PASSWORD_ALPHABET)] for byte in digest[:12])

    def file_key(self, mac: Mac, epoch: int, characters: int) -> str:
        """Returns the key that a phone reads beside the address of ``epoch``, for what it fetches there: letters and digits, at most 32.

        Sixteen are 92 bits, 32 are 184; each comes of the whole digest, so that no letter is likelier than another by more than 2^-70.
        """
        number = int.from_bytes(hmac.digest(self._file_key, f"{mac}:{epoch}".encode(), hashlib.sha256))
        letters = ""
        for _ in range(characters):
            number, at = divmod(number, len(_PASSWORD_ALPHABET))
            letters += _PASSWORD_ALPHABET[at]
        return letters

    def waiting_code(self, mac: Mac) -> str:
        """Returns the six digits that a phone in the waiting room shows on its display: they name it to a technician, and open nothing."""
        digest = hmac.digest(self._password_key, f"waiting-code:{mac}".encode(), hashlib.sha256)
        return f"{int.from_bytes(digest[:8]) % 1_000_000:06d}"


def load_secret_box(data_dir: Path, *, create: bool) -> SecretBox:
    """Returns the box of an installation. With ``create`` the key is made where there is none, readable by its owner alone."""
    path = data_dir / KEY_FILE
    if create and not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        _make_key(path)
    try:
        return SecretBox(path.read_bytes())
    except OSError as error:
        raise SecretError(f"{path} cannot be read ({error.strerror}); run 'provisioner init' or restore it from the backup") from error


def _make_key(path: Path) -> None:
    """Makes the key whole or not at all, readable by its owner alone; where another process is first, that one's key holds."""
    descriptor, partial = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600, and a name that nobody else has
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # a key that is gone after a power cut opens nothing that was sealed with it before
        finally:
            os.close(folder)
    finally:
        Path(partial).unlink()


def new_sip_secret() -> str:
    """Returns a SIP password of 20 characters that any phone's keypad, URL and configuration file can carry."""
    return "".join(_random.choice(_PASSWORD_ALPHABET) for _ in range(20))


def new_install_code() -> str:
    """Returns a code of 10 small letters and digits (50 bits) that a person can type, none of them a 0, 1, 8 or 9."""
    return base64.b32encode(os.urandom(7)).decode("ascii").lower()[:10]


def token_digest(token: str) -> str:
    """Returns what is stored of an API token: it is long and random, so one round of SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _derived(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"provisioner " + purpose).derive(master)
