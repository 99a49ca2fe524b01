"""Who asks, and whether they may: bearer tokens, sessions of people who signed in, four roles, and a bound on guessing.

The rule is closed by default: reading needs ``viewer``, writing ``admin``, unless the view says otherwise with ``allowed``.
A session's cookie comes by itself with whatever a browser sends, so a write by session needs the CSRF token besides.
"""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from provisioner.accounts import Caller
from provisioner.accounts.addresses import forwarded, hops_of, is_trusted
from provisioner.accounts.cookies import COOKIE, CSRF_HEADER, csrf_fits
from provisioner.api.context import installation, set_caller
from provisioner.api.problems import Refusal
from provisioner.changes.tokens import TOUCH_EVERY_S
from provisioner.core.guessing import GuessLimit
from provisioner.records import ROLES, TokenRecord
from provisioner.secrets import token_digest

API_PREFIX = "/api/"
STRANGERS_BYTES = 64 * 1024
"""The longest body that is read of somebody who shows nothing of who it is: signing in takes a few hundred bytes."""
SETTINGS_CALLER = Caller("settings:api_token", "admin")
"""Who brings ``PROVISIONER_API_TOKEN``; the colon keeps the name apart from those of tokens that people make."""

BEFORE_CODES = frozenset({"session", "own_codes"})
"""What is open to somebody who has to set up one-time codes before anything else."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
WRONG_TOKENS = 10
WINDOW_S = 60.0
"""So many wrong tokens a minute from one address. One that fits forgives none: whoever has it could else guess at others."""

View = TypeVar("View", bound=Callable[..., Any])


def allowed(role: str, *, own: bool = False) -> Callable[[View], View]:
    """Says which role a view needs, where it is not the default for its method; ``nobody`` makes it public.

    ``own``: besides, somebody of the role ``user``, who sees only what is their own.
    """

    def decorate(view: View) -> View:
        view.__dict__["allowed_role"] = role
        view.__dict__["allowed_own"] = own
        return view

    return decorate


def role_of(view: Callable[..., Any], method: str) -> str:
    """Returns the role that a view needs for ``method``."""
    return str(getattr(view, "allowed_role", "viewer" if method in SAFE_METHODS else "admin"))


def register(app: Flask, clock: Callable[[], float] = time.monotonic) -> None:
    """Asks for a token or a session on every API address that is not public, before anything of the request's body is read."""
    guesses = GuessLimit(WRONG_TOKENS, WINDOW_S)

    @app.before_request
    def _guard() -> None:
        needed = _needed()
        if needed == "nobody":
            request.max_content_length = STRANGERS_BYTES
            return
        who = _authenticated(guesses, clock())
        set_caller(who)
        if who.owes_codes and request.blueprint not in BEFORE_CODES:
            raise Refusal(
                403, "second_factor_needed", "your role needs one-time codes: set them up first, on the page You or at /session/totp"
            )
        if not who.may(needed) and not (who.role == "user" and _is_own()):
            raise Refusal(403, "forbidden", f"this needs the role {needed}; yours is {who.role}")
        if who.scope is not None and not _is_of_sites():
            raise Refusal(403, "forbidden", "this is of the whole installation: it needs the right to all sites")


def needs_admin(what: str) -> None:
    """Refuses everybody but an admin, for a part of a view that takes more than the view itself."""
    if g.caller.role != "admin":
        raise Refusal(403, "forbidden", f"{what} needs the role admin; yours is {g.caller.role}")


def _needed() -> str:
    if not request.path.startswith(API_PREFIX):
        return "nobody"
    if request.endpoint is None:  # an address that is not there: only somebody who may ask at all is told so
        return ROLES[0]
    return role_of(_view(request.endpoint), request.method)


def is_previewable() -> bool:
    """Returns whether what is asked for can be rehearsed: it does nothing but change what is kept, or is not there at all."""
    return request.endpoint is None or bool(getattr(_view(request.endpoint), "previewable", False))


def _view(endpoint: str) -> Any:
    """Returns what answers: the method of a view's class, or a function."""
    view: Any = current_app.view_functions[endpoint]
    name = "get" if request.method == "HEAD" else request.method.lower()
    return getattr(getattr(view, "view_class", None), name, view)


def _is_own() -> bool:
    """Returns whether the address is open to the role ``user``, although it needs more of those who see what is not their own."""
    return request.endpoint is not None and bool(getattr(_view(request.endpoint), "allowed_own", False))


def _is_of_sites() -> bool:
    """Returns whether the address is open to those who see some sites only; the view then sees no more than they do."""
    return request.endpoint is None or bool(getattr(_view(request.endpoint), "of_sites", False))


def _authenticated(guesses: GuessLimit, now: float) -> Caller:
    cookie = request.cookies.get(COOKIE, "")
    if cookie and "Authorization" not in request.headers:
        return _of_session(cookie)
    address = client_address()
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise _unauthorized("send the header Authorization: Bearer TOKEN; 'provisioner token create NAME --role ROLE' makes a token")
    wait = guesses.wait_s(address, now)
    if wait:
        seconds = math.ceil(wait)
        raise Refusal(429, "rate_limited", f"too many wrong tokens from this address: wait {seconds} s", {"Retry-After": str(seconds)})
    who = _caller_of(token)
    if who is None:
        guesses.note(address, now)
        raise _unauthorized("this token is not, or no longer, valid", error="invalid_token")
    return who


def _of_session(cookie: str) -> Caller:
    who = installation().accounts.session(cookie)
    if who is None:
        raise _unauthorized("you are signed out: sign in again")
    if request.method not in SAFE_METHODS and not csrf_fits(cookie, request.headers.get(CSRF_HEADER, "")):
        raise Refusal(403, "forbidden", f"a session writes with the header {CSRF_HEADER}, whose value GET /api/v1/session gives")
    return who


def _caller_of(token: str) -> Caller | None:
    place = installation()
    digest = token_digest(token)
    fixed = place.settings.api_token
    # Digests are compared, in constant time: neither length nor beginning of the token shows in how long it takes.
    if hmac.compare_digest(digest, token_digest(fixed)) and fixed:
        return SETTINGS_CALLER
    record = place.store.api_token_by_digest(digest)
    if record is None:
        return None
    _touch(record)
    return Caller(record.name, record.role, record.sites)


def _touch(record: TokenRecord) -> None:
    changes = installation().changes
    if record.last_used_at is None or changes.clock() - record.last_used_at >= TOUCH_EVERY_S:
        changes.touch_token(record.name)


def _unauthorized(detail: str, error: str = "") -> Refusal:
    challenge = 'Bearer realm="provisioner"' + (f', error="{error}"' if error else "")
    return Refusal(401, "unauthorized", detail, {"WWW-Authenticate": challenge})


def client_address() -> str:
    """Returns where the request comes from: the peer, or what a trusted proxy says of it."""
    hops = hops_of(request.headers.get("X-Forwarded-For", ""))
    return forwarded(request.remote_addr or "", hops, installation().settings.trusted_proxies)


def came_over_tls() -> bool:
    """Returns whether the person came over TLS: to us, or to a trusted proxy that says so."""
    said = request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
    return request.is_secure or (said and is_trusted(request.remote_addr or "", installation().settings.trusted_proxies))


ROLE_HELP: Mapping[str, str] = {
    "user": "sees the phones of their own extensions, writes their keys, and changes their own password",
    "viewer": "reads everything but secrets and tokens",
    "technician": "also writes phones (their own addresses apart), takes on phones seen, and writes extensions without their secrets",
    "admin": "may do everything",
}
