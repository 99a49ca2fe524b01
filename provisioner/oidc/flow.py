"""The authorization code flow with PKCE: what is begun and kept with the browser, and what comes back (RFC 6749, 7636, 9207; OpenID Connect Core 1.0).

What has to be remembered between the two goes sealed into a cookie, so any process can finish what another one began. A state is good once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from provisioner.errors import SecretError
from provisioner.oidc.exchange import exchanged
from provisioner.oidc.provider import Metadata, Provider
from provisioner.oidc.refusal import NotVouched
from provisioner.oidc.tokens import checked
from provisioner.secrets import SecretBox

BEGUN_S = 600
"""How long somebody may take at the provider."""
AT_ONCE = 4
"""People who wait for the provider at a time: one that hangs holds up so many threads, and local sign-in has the others."""
MAX_HINT = 2800
"""Characters of an ID token that is kept: sealed, it has to fit into a cookie of 4096 bytes (RFC 6265, section 6.1)."""
_LABEL, _PARTING = "oidc:begun", "oidc:parting"
_SPENT = 10_000


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are at the provider, and which claims we need to know."""

    client_id: str
    client_secret: str
    scopes: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Begun:
    """What was begun, as it is kept with the browser."""

    state: str
    nonce: str
    verifier: str
    where: str
    """The page of ours that is gone to afterwards."""
    at: float


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the provider vouches for."""

    subject: str
    claims: Mapping[str, Any]
    where: str
    token: str = field(repr=False)
    """The ID token that said so."""


class Flow:
    """Signing in by one provider. One for each process; safe to share between threads."""

    def __init__(self, provider: Provider, client: Client, box: SecretBox, clock: Callable[[], float]) -> None:
        self.provider = provider
        self._client = client
        self._box = box
        self._clock = clock
        self._spent: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def begin(self, redirect_uri: str, where: str) -> tuple[str, str]:
        """Returns the provider's address that the person goes to, and the cookie that is kept meanwhile. Raises ``NotVouched``."""
        with self._slot():
            address = self.provider.metadata().authorization
        begun = Begun(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), where[:500], self._clock())
        query = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._client.scopes,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge(begun.verifier),
            "code_challenge_method": "S256",
        }
        sealed = self._box.seal(json.dumps(asdict(begun)).encode(), _LABEL)
        mark = "&" if urlsplit(address).query else "?"
        return f"{address}{mark}{urlencode(query)}", base64.urlsafe_b64encode(sealed).decode()

    def finish(self, cookie: str, came: Mapping[str, str], redirect_uri: str) -> Vouched:
        """Returns whom the provider vouches for, by what the browser ``came`` back with. Raises ``NotVouched``."""
        begun = self._begun(cookie, came.get("state", ""))
        if came.get("iss", self.provider.issuer) != self.provider.issuer:
            raise NotVouched("untrue", "the answer is another issuer's")
        if "error" in came or not came.get("code"):
            raise NotVouched("refused", "the provider sent no code" if "error" not in came else "the provider sent an error")
        with self._slot():
            metadata = self.provider.metadata()
            tokens = self._tokens(metadata, came["code"], begun, redirect_uri)
            claims = checked(tokens.get("id_token"), self.provider, self._client.client_id, begun.nonce, self._clock())
            return Vouched(claims["sub"], {**self._more(metadata, tokens, claims), **claims}, begun.where, str(tokens["id_token"]))

    def parting(self, token: str, session: str) -> str:
        """Returns the cookie by which the session ``session`` is signed out at the provider too; a token that no cookie holds is left out."""
        said = {"session": session, "token": token if len(token) <= MAX_HINT else ""}
        return base64.urlsafe_b64encode(self._box.seal(json.dumps(said).encode(), _PARTING)).decode()

    def is_parting_of(self, cookie: str, session: str) -> bool:
        """Returns whether the cookie was made for this session: another one may have been opened since, with a password."""
        said = self._parted(cookie)
        return said is not None and hmac.compare_digest(said[0].encode(), session.encode())

    def way_out(self, cookie: str) -> str:
        """Returns the provider's address where the person signs out (OpenID Connect RP-Initiated Logout 1.0).

        Empty where the cookie is none of ours, and where the provider offers no such address or does not answer. It asks for no way back
        here: a provider that was not told of one refuses the whole request.
        """
        said = self._parted(cookie)
        if said is None:
            return ""
        try:
            with self._slot():
                address = self.provider.metadata().end_session
        except NotVouched:
            return ""
        query = {"client_id": self._client.client_id, **({"id_token_hint": said[1]} if said[1] else {})}
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}" if address else ""

    def _parted(self, cookie: str) -> tuple[str, str] | None:
        """Returns the session and the token of a cookie; None where it is none of ours."""
        try:
            said = json.loads(self._box.open(base64.urlsafe_b64decode(cookie.encode()), _PARTING))
            return str(said["session"]), str(said["token"])
        except (SecretError, ValueError, TypeError, KeyError):
            return None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(blocking=False):
            raise NotVouched("away", "too many wait for the provider already")
        try:
            yield
        finally:
            self._slots.release()

    def _begun(self, cookie: str, state: str) -> Begun:
        """Returns what was begun with this state, in this browser, not long ago; it is used up by that."""
        try:
            begun = Begun(**json.loads(self._box.open(base64.urlsafe_b64decode(cookie.encode()), _LABEL)))
        except (SecretError, ValueError, TypeError) as error:
            raise NotVouched("stale", "nothing was begun in this browser") from error
        if not hmac.compare_digest(begun.state.encode(), state.encode("utf-8", "replace")):
            raise NotVouched("stale", "another state than was begun with in this browser")
        now = self._clock()
        with self._lock:
            if now - begun.at > BEGUN_S or begun.state in self._spent:
                raise NotVouched("stale", "it was begun too long ago, or finished before")
            self._spent[begun.state] = now
            while len(self._spent) > _SPENT:
                self._spent.popitem(last=False)
        return begun

    def _tokens(self, metadata: Metadata, code: str, begun: Begun, redirect_uri: str) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": code[:4096], "redirect_uri": redirect_uri, "code_verifier": begun.verifier}
        client = self._client
        if metadata.posts_secret:
            return exchanged(metadata.token, {**form, "client_id": client.client_id, "client_secret": client.client_secret})
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}"  # RFC 6749, section 2.3.1
        return exchanged(metadata.token, form, {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode("ascii")})

    def _more(self, metadata: Metadata, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what the provider says at its userinfo address, where the ID token lacks a claim that is needed."""
        token = tokens.get("access_token")
        if all(name.partition(".")[0] in claims for name in self._client.claims) or not metadata.userinfo or not isinstance(token, str):
            return {}
        if not token.isascii() or not token.isprintable() or " " in token:
            raise NotVouched("away", "its access token cannot be sent")
        said = exchanged(metadata.userinfo, headers={"Authorization": f"Bearer {token}"})
        if said.get("sub") != claims["sub"]:
            raise NotVouched("untrue", "userinfo speaks of another subject")
        return said


def challenge(verifier: str) -> str:
    """Returns the S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
