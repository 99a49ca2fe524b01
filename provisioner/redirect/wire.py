"""One HTTP exchange with a redirect service: over TLS, bounded in time and size, its failures told in plain words without a secret."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from provisioner.deadline import BoundedConnection
from provisioner.redirect.interface import Away, Refused

TIMEOUT_S = 20.0
MAX_ANSWER_BYTES = 1_048_576
MAX_SAID = 200
_LATER = frozenset({408, 425, 429})


class Reply(NamedTuple):
    """An answer whose body was JSON, or empty."""

    status: int
    body: Any


class Wire:
    """Speaks to one service, ``timeout_s`` at the most for each exchange.

    ``secrets``, and what is hidden later, never appear in a message of its errors.
    """

    def __init__(self, address: str, secrets: tuple[str, ...], timeout_s: float = TIMEOUT_S) -> None:
        self._parts = urlsplit(address)
        self._timeout_s = timeout_s
        self._hidden = {"account": secrets}

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """Returns the answer to one request, whatever its status below 500. Raises ``Away``."""
        try:
            status, raw = self._sent(method, path, headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address or a header that cannot be sent at all
            raise Away(self.clean(f"{self._parts.hostname} does not answer: {error or type(error).__name__}")) from error
        if status >= 500 or status in _LATER:
            raise Away(f"{self._parts.hostname} answers {status}; it is asked again later")
        return Reply(status, self._json(raw, status))

    def token(self, reply: Reply) -> str:
        """Returns the access token of an answer, and hides it from now on. Raises ``Refused`` with what was said instead, or ``Away``."""
        token = reply.body.get("access_token") if isinstance(reply.body, dict) else None
        if reply.status < 300 and isinstance(token, str) and token:
            self.hide("token", token)
            return token
        raise self.refused(reply.body, reply.status) if reply.status >= 300 or reply.body else self.unknown(reply, "access_token")

    def hide(self, what: str, *secrets: str) -> None:
        """Ensures that no message shows the secrets, instead of those hidden before under the same name."""
        self._hidden[what] = secrets

    def refused(self, said: object, status: int) -> Refused:
        """Returns the error for an answer that means no, with what the service said."""
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        return Refused(self.clean(f"{self._parts.hostname} answers {status}: {text}"))

    def unknown(self, reply: Reply, field: str) -> Away:
        """Returns the error for an answer that is neither a clear yes nor a clear no: it lacks ``field``, or has something else there."""
        return Away(f"{self._parts.hostname} answers {reply.status} without a '{field}' that is understood; it is asked again later")

    def clean(self, text: str) -> str:
        """Returns ``text`` without the account's secrets and without line breaks, cut to a length that people read."""
        secrets = [secret for several in self._hidden.values() for secret in several if len(secret) >= 4]
        spelled = {*secrets, *(json.dumps(secret, ensure_ascii=False)[1:-1] for secret in secrets)}
        for secret in sorted(spelled, key=len, reverse=True):  # the longest first: one may be a part of another
            text = text.replace(secret, "***")
        return " ".join(text.split())[:MAX_SAID]

    def _sent(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        host, port, is_tls = self._parts.hostname or "", self._parts.port, self._parts.scheme == "https"
        with BoundedConnection(host, port, seconds=self._timeout_s, is_tls=is_tls) as connection:
            connection.request(method, self._parts.path.rstrip("/") + path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.read(MAX_ANSWER_BYTES + 1)

    def _json(self, raw: bytes, status: int) -> Any:
        if len(raw) > MAX_ANSWER_BYTES:
            raise Away(f"{self._parts.hostname} answers with more than {MAX_ANSWER_BYTES} bytes")
        if not raw.strip():
            return None
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as error:  # RecursionError: nested deeper than any document of theirs
            raise Away(f"{self._parts.hostname} answers {status} with something that is not JSON") from error
