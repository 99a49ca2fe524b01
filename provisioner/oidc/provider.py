"""What a provider says of itself: its addresses and its keys, asked for when they are needed and remembered for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from provisioner.oidc.exchange import exchanged
from provisioner.oidc.refusal import NotVouched
from provisioner.setting_values import is_safe_url

REMEMBERED_S = 3600.0
NEW_KEYS_EVERY_S = 60.0
"""A token of a key that is not known has the keys asked for anew, at most so often: strangers must not make us ask at their pace."""
AWAY_S = 5.0
"""How long a provider that did not answer is not asked again."""
WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What discovery says (OpenID Connect Discovery 1.0, section 3)."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    posts_secret: bool
    """The secret goes into the form: the provider does not take it by HTTP Basic."""
    challenges: tuple[str, ...]
    """Ways of PKCE that it names; none: it does not say."""
    end_session: str = ""
    """Where people sign out (OpenID Connect RP-Initiated Logout 1.0, section 2.1); empty: it offers none."""


Answer = TypeVar("Answer", Metadata, KeySet)


class Provider:
    """One provider by its issuer. Safe to share between threads."""

    def __init__(self, issuer: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self._now = monotonic
        self._lock = threading.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._away: tuple[float, NotVouched] | None = None

    def metadata(self) -> Metadata:
        """Returns what it says of itself, asked for at most once an hour. Raises ``NotVouched``."""
        with self._lock:
            if self._metadata is None or self._now() - self._metadata[0] >= REMEMBERED_S:
                self._metadata = (self._now(), self._asked(lambda: read_metadata(self.issuer, exchanged(self._well_known()))))
            return self._metadata[1]

    def keys(self, *, fresh: bool = False) -> KeySet:
        """Returns its keys; ``fresh``: a token names one that is not among those remembered. Raises ``NotVouched``."""
        address = self.metadata().keys
        with self._lock:
            age = REMEMBERED_S if self._keys is None else self._now() - self._keys[0]
            if self._keys is None or age >= (NEW_KEYS_EVERY_S if fresh else REMEMBERED_S):
                self._keys = (self._now(), self._asked(lambda: read_keys(exchanged(address))))
            return self._keys[1]

    def _well_known(self) -> str:
        return self.issuer.rstrip("/") + WELL_KNOWN

    def _asked(self, ask: Callable[[], Answer]) -> Answer:
        if self._away is not None and self._now() - self._away[0] < AWAY_S:
            raise NotVouched(self._away[1].why, self._away[1].detail)
        try:
            answer = ask()
        except NotVouched as error:
            self._away = (self._now(), error)
            raise
        self._away = None
        return answer


def read_metadata(issuer: str, said: dict[str, Any]) -> Metadata:
    """Returns a discovery document as far as it matters. Raises ``NotVouched`` where it is another issuer's, or names no safe address."""
    if said.get("issuer") != issuer:
        raise NotVouched("away", "the discovery document names another issuer than PROVISIONER_OIDC_ISSUER, letter by letter")
    needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    found = {name: str(said.get(name) or "") for name in (*needed, "userinfo_endpoint")}
    unsafe = [name for name, url in found.items() if not is_safe_url(url) and (url or name in needed)]
    if unsafe:
        raise NotVouched("away", f"the discovery document has no https address as {', '.join(unsafe)}")
    end_session = said.get("end_session_endpoint")
    ways, challenges = said.get("token_endpoint_auth_methods_supported"), said.get("code_challenge_methods_supported")
    posts = isinstance(ways, list) and "client_secret_basic" not in ways and "client_secret_post" in ways
    return Metadata(
        found["authorization_endpoint"], found["token_endpoint"], found["jwks_uri"], found["userinfo_endpoint"], posts,
        tuple(str(way)[:16] for way in challenges[:8]) if isinstance(challenges, list) else (),
        end_session if isinstance(end_session, str) and is_safe_url(end_session) else "",
    )  # fmt: skip


def read_keys(said: dict[str, Any]) -> KeySet:
    """Returns the keys of a JWK set that sign. Raises ``NotVouched`` where there is none that is understood."""
    given = said.get("keys")
    rows = [row for row in given if isinstance(row, dict) and row.get("use") != "enc"] if isinstance(given, list) else []
    try:
        return KeySet.import_key_set({"keys": [{name: value for name, value in row.items() if name != "oth"} for row in rows[:50]]})
    except (
        JoseError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:  # whatever a key that is none makes the library stumble over
        raise NotVouched("away", f"its keys cannot be read: {type(error).__name__}") from error
