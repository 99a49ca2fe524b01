"""The session's cookie and the token against forged requests that follows from it. No web framework here: only what goes on the wire.

The cookie is a random text of 256 bits. The database has its digest alone, so that nobody who reads a backup can sign in. The CSRF token is
an HMAC keyed with the cookie: it needs no storage, holds as long as the session, and cannot be made without the cookie, which no script can read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any

COOKIE = "provisioner_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
"""Name of the hidden field of a form."""


def new_cookie() -> str:
    return secrets.token_urlsafe(32)


def cookie_digest(cookie: str) -> str:
    """Returns what is stored of a cookie: it is long and random, so one round is enough."""
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()


def csrf_token(cookie: str) -> str:
    """Returns the token that has to come with every write of this session, as header or form field."""
    return hmac.new(cookie.encode("utf-8", "replace"), b"csrf", hashlib.sha256).hexdigest()


def csrf_fits(cookie: str, given: str) -> bool:
    """Returns whether ``given`` is this session's token, in constant time."""
    return hmac.compare_digest(csrf_token(cookie).encode(), given.encode("utf-8", "replace"))


def cookie_options(*, secure: bool, max_age_s: int) -> dict[str, Any]:
    """Returns what ``set_cookie`` is told of the session's cookie; ``secure`` where the person came over TLS."""
    return {"max_age": max_age_s, "httponly": True, "samesite": "Strict", "secure": secure, "path": "/"}
