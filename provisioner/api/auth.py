"""Who asks, and whether they may: bearer tokens, three roles, and a bound on guessing.

The rule is closed by default: reading needs ``viewer``, writing ``admin``, unless the view says otherwise with ``allowed``.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from provisioner.api.context import Caller, installation, set_caller
from provisioner.api.problems import Refusal
from provisioner.changes.sites import TOUCH_EVERY_S
from provisioner.records import TokenRecord
from provisioner.secrets import token_digest

ROLES: tuple[str, ...] = ("viewer", "technician", "admin")
"""Each may do what those before it may."""

API_PREFIX = "/api/"
SETTINGS_CALLER = Caller("settings:api_token", "admin")
"""Who brings ``PROVISIONER_API_TOKEN``; the colon keeps the name apart from those of tokens that people make."""

FAILURES = 10
WINDOW_S = 60.0
ADDRESSES = 10_000

View = TypeVar("View", bound=Callable[..., Any])


def allowed(role: str) -> Callable[[View], View]:
    """Says which role a view needs, where it is not the default for its method; ``nobody`` makes it public."""

    def decorate(view: View) -> View:
        view.__dict__["allowed_role"] = role
        return view

    return decorate


def role_of(view: Callable[..., Any], method: str) -> str:
    """Returns the role that a view needs for ``method``."""
    return str(getattr(view, "allowed_role", "viewer" if method in {"GET", "HEAD", "OPTIONS"} else "admin"))


class Failures:
    """Counts failed attempts of each address: ``FAILURES`` in ``WINDOW_S`` seconds, then it has to wait. Memory is bounded."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._of: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> float:
        """Returns how long the address has to wait; 0 where it may try."""
        with self._lock:
            count, since = self._of.get(address, (0, 0.0))
        left = since + WINDOW_S - self._clock()
        return left if count >= FAILURES and left > 0 else 0.0

    def failed(self, address: str) -> None:
        now = self._clock()
        with self._lock:
            count, since = self._of.pop(address, (0, now))
            self._of[address] = (count + 1, since) if now < since + WINDOW_S else (1, now)
            while len(self._of) > ADDRESSES:
                self._of.popitem(last=False)

    def __len__(self) -> int:
        return len(self._of)


def register(app: Flask, clock: Callable[[], float] = time.monotonic) -> None:
    """Asks for a token on every API address that is not public, before anything of the request's body is read."""
    failures = Failures(clock)
    app.extensions["provisioner.failures"] = failures

    @app.before_request
    def _guard() -> None:
        needed = _needed()
        if needed == "nobody":
            return
        who = _authenticated(failures)
        set_caller(who)
        if ROLES.index(who.role) < ROLES.index(needed):
            raise Refusal(403, "forbidden", f"this needs the role {needed}; the token has the role {who.role}")


def needs_admin(what: str) -> None:
    """Refuses everybody but an admin, for a part of a view that takes more than the view itself."""
    if g.caller.role != "admin":
        raise Refusal(403, "forbidden", f"{what} needs the role admin; the token has the role {g.caller.role}")


def _needed() -> str:
    if not request.path.startswith(API_PREFIX):
        return "nobody"
    if request.endpoint is None:  # an address that is not there: only somebody with a token is told so
        return "viewer"
    view: Any = current_app.view_functions[request.endpoint]
    view_class, method = getattr(view, "view_class", None), request.method
    name = "get" if method == "HEAD" else method.lower()
    return role_of(getattr(view_class, name, view), method)


def _authenticated(failures: Failures) -> Caller:
    address = client_address()
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise _unauthorized("send the header Authorization: Bearer TOKEN; 'provisioner token create NAME --role ROLE' makes a token")
    wait = failures.wait_s(address)
    if wait:
        seconds = math.ceil(wait)
        raise Refusal(429, "rate_limited", f"too many wrong tokens from this address: wait {seconds} s", {"Retry-After": str(seconds)})
    who = _caller_of(token)
    if who is None:
        failures.failed(address)
        raise _unauthorized("this token is not, or no longer, valid", error="invalid_token")
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
    return Caller(record.name, record.role)


def _touch(record: TokenRecord) -> None:
    changes = installation().changes
    if record.last_used_at is None or changes.clock() - record.last_used_at >= TOUCH_EVERY_S:
        changes.touch_token(record.name)


def _unauthorized(detail: str, error: str = "") -> Refusal:
    challenge = 'Bearer realm="provisioner"' + (f', error="{error}"' if error else "")
    return Refusal(401, "unauthorized", detail, {"WWW-Authenticate": challenge})


def client_address() -> str:
    """Returns where the request comes from: the peer, or what a trusted proxy says of it. IPv6 counts by its /64, which one client owns."""
    peer = request.remote_addr or ""
    proxies = installation().settings.trusted_proxies
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    return _rate_key(forwarded(peer, hops, proxies))


def forwarded(peer: str, hops: Sequence[str], proxies: Sequence[str]) -> str:
    """Returns the nearest address that is no trusted proxy, going from the peer outwards."""
    networks = [ipaddress.ip_network(network) for network in proxies]
    for address in (peer, *reversed(hops)):
        parsed = _parsed(address)
        if parsed is None or not any(parsed in network for network in networks):
            return address if parsed is not None else peer
    return peer


def _rate_key(address: str) -> str:
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)).network_address)
    return address


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


ROLE_HELP: Mapping[str, str] = {
    "viewer": "reads everything but secrets and tokens",
    "technician": "also writes phones (their own addresses apart), takes on phones seen, and writes extensions without their secrets",
    "admin": "may do everything",
}
