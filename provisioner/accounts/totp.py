"""One-time codes by time (RFC 6238 over RFC 4226): SHA-1, six digits, thirty seconds, as every authenticator app makes them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20
"""RFC 4226, section 4: 160 bits are recommended."""
_ISSUER = "Provisioner"


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def code_at(secret: bytes, step: int) -> str:
    """Returns the code of a time step (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, code: str, now: float, last: int) -> int | None:
    """Returns the step whose code this is, one step of clock difference either way allowed; None for any other, and for one up to ``last``."""
    present = int(now // STEP_S)
    given = code.replace(" ", "").encode("utf-8", "replace")
    found = None
    for step in (present - 1, present, present + 1):  # all three, whichever fits: how long it takes says nothing
        if hmac.compare_digest(code_at(secret, step).encode(), given) and step > last:
            found = step
    return found


def shown_secret(secret: bytes) -> str:
    """Returns the secret as people type it into an app: base32."""
    return base64.b32encode(secret).decode("ascii").rstrip("=")


def address_of(secret: bytes, name: str) -> str:
    """Returns the ``otpauth`` address that an app reads as a QR code."""
    label = quote(f"{_ISSUER}:{name}", safe="")
    return f"otpauth://totp/{label}?secret={shown_secret(secret)}&issuer={_ISSUER}&digits={DIGITS}&period={STEP_S}"
