"""Passwords of people: hashed with argon2id (RFC 9106), judged before they are taken.

The cost is the smaller of the two that OWASP's Password Storage Cheat Sheet gives (19 MiB, two passes), and only two are worked out at a
time: a flood of sign-ins must take neither the memory nor both cores of the machine that serves the phones.
"""

from __future__ import annotations

import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 10
LONGEST = 128
LONGEST_TYPED = 1024
"""A longer text fits no password, not even one that the operator fixed: nobody has megabytes hashed."""
_AT_ONCE = threading.BoundedSemaphore(2)
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def password_mistake(password: str, name: str) -> str:
    """Returns the sentence that says why a password cannot be taken; empty where it can (NIST SP 800-63B: length, not kinds of letters)."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"{SHORTEST} to {LONGEST} characters are needed"
    if name and name.casefold() in password.casefold() and len(password) < len(name) + SHORTEST:
        return "it may not be made of the user's name"
    if len(set(password)) < 4:
        return "at least four different characters are needed"
    return ""


def password_hash(password: str) -> str:
    """Returns what is stored of a password."""
    with _AT_ONCE:
        return _HASHER.hash(password)


def password_fits(hashed: str | None, password: str) -> bool:
    """Returns whether ``password`` is the one; takes as long where there is none to compare with."""
    with _AT_ONCE:
        try:
            fits = _HASHER.verify(hashed or _nobodys(), password[:LONGEST_TYPED])
            return fits and hashed is not None and len(password) <= LONGEST_TYPED
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(hashed: str) -> bool:
    """Returns whether a password that fits should be hashed anew, at today's cost."""
    return _HASHER.check_needs_rehash(hashed)


def new_password() -> str:
    """Returns a password for somebody who will read it off a screen: four groups of four, without letters that look alike."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_hex(16))
