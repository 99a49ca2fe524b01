"""Opens encrypted files of phones with the ``openssl`` program: an implementation that is not ours."""

from __future__ import annotations

import subprocess


class Unopened(ValueError):
    """Not with this key."""


def opened_ecb(body: bytes, key: str, *, keep_padding: bool = False) -> bytes:
    """Returns the text of an AES-128-ECB file; with ``keep_padding`` as a phone that takes no padding off would read it."""
    return _run(["-aes-128-ecb", "-K", key.encode().hex(), *(["-nopad"] if keep_padding else [])], body)


def opened_cbc(body: bytes, key: str, digest: str = "md5") -> bytes:
    """Returns the text of what ``openssl enc -aes-256-cbc`` wrote."""
    return _run(["-aes-256-cbc", "-md", digest, "-k", key], body)


def _run(options: list[str], body: bytes) -> bytes:
    done = subprocess.run(["openssl", "enc", "-d", *options], input=body, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise Unopened(done.stderr.decode(errors="replace"))
    return done.stdout
