"""Encrypts a phone's own file as it goes out, in the form that its maker's phones read, and remembers what came of it.

Whatever renders, stores, compares or shows a file has it in clear (ADR 0012). The same file under the same key gives the same bytes, so an
entity tag, a range and a second process all mean the same file. Where each form is from: ``SOURCES.md`` of the vendors that name it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from provisioner.core.encoders import EncoderName
from provisioner.core.values import FileAnswer

KEPT_BYTES = 16 * 1024 * 1024
"""Encrypted files kept: a phone asks for its own a few times at a boot, so that more would be of little use."""
CONTENT_TYPE = "application/octet-stream"
_BLOCK_BYTES = 16
_LINE_FEED = 0x0A
_SALT_BYTES = 8


class EncipheredFiles:
    """Encrypts, and remembers what came out."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._size = 0
        self._made: OrderedDict[tuple[str, str], tuple[bytes, str]] = OrderedDict()

    def answer(self, clear: FileAnswer, encoder: EncoderName, key: str) -> FileAnswer:
        """Returns the answer with its file encrypted; ``made_from`` keeps the hash of the one in clear, which lockstep compares."""
        found = self._made.get((clear.sha256, key))
        if found is None:
            body = encoded(encoder, clear.body, key)
            found = body, hashlib.sha256(body).hexdigest()
            self._keep((clear.sha256, key), found)
        return clear._replace(body=found[0], sha256=found[1], content_type=CONTENT_TYPE, made_from=clear.noted_hash)

    def _keep(self, which: tuple[str, str], made: tuple[bytes, str]) -> None:
        self._made[which] = made
        self._size += len(made[0])
        while self._size > self._kept_bytes:
            _, (body, _) = self._made.popitem(last=False)
            self._size -= len(body)


def encoded(encoder: EncoderName, clear: bytes, key: str) -> bytes:
    """Returns the file as phones that know ``key`` read it; the same for the same file and key, always."""
    return _ENCODERS[encoder](clear, key.encode("ascii"))


def _aes_128_ecb(clear: bytes, key: bytes) -> bytes:
    """Returns the text encrypted block by block (AES-128, ECB); the key's sixteen characters are the key's sixteen bytes.

    Sources tell the padding in two ways: blanks that belong to the text, or PKCS#7, to be taken off. Lines are filled up so that PKCS#7
    pads with ten bytes of ten, which are line feeds: taken off or not, the text says the same.
    """
    to_fill = -(len(clear) + _LINE_FEED) % _BLOCK_BYTES
    padder = PKCS7(8 * _BLOCK_BYTES).padder()
    padded = padder.update(clear + b"\n" * to_fill) + padder.finalize()
    # ECB is what these phones read, not a choice: equal blocks stay visible (docs/explain/threat-model.md).
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(padded) + encryptor.finalize()


def _openssl_aes_256_cbc(clear: bytes, key: bytes) -> bytes:
    """Returns what ``openssl enc -aes-256-cbc -md md5 -k KEY`` writes, but with a salt that follows from key and text.

    OpenSSL derives key and first block from password and salt. A salt that is a keyed hash of the text is another one for every other
    text, as a random one would be, and the same for the same: what SIV (RFC 5297) does with its first block.
    """
    salt = hmac.digest(key, b"provisioner salt\0" + clear, hashlib.sha256)[:_SALT_BYTES]
    derived = _bytes_to_key(key, salt, 48)
    padder = PKCS7(8 * _BLOCK_BYTES).padder()
    encryptor = Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[32:])).encryptor()
    padded = padder.update(clear) + padder.finalize()
    return b"Salted__" + salt + encryptor.update(padded) + encryptor.finalize()


def _bytes_to_key(password: bytes, salt: bytes, length: int) -> bytes:
    """Returns the first bytes of OpenSSL's EVP_BytesToKey with MD5 and one round (openssl manual, EVP_BytesToKey(3))."""
    derived = block = b""
    while len(derived) < length:
        # MD5 stretches a key of 184 random bits here: nobody can find another that gives the same, and a phone reads no other.
        block = hashlib.md5(block + password + salt, usedforsecurity=False).digest()
        derived += block
    return derived[:length]


_ENCODERS: Mapping[EncoderName, Callable[[bytes, bytes], bytes]] = {
    "aes_128_ecb": _aes_128_ecb,
    "openssl_aes_256_cbc": _openssl_aes_256_cbc,
}
