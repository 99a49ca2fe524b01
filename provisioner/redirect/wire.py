"""One HTTP exchange with a redirect service: over TLS, bounded in time and size, its failures told in plain words without a secret."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

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
    """Speaks to one service. ``secrets`` never appear in a message of its errors."""

    def __init__(self, address: str, secrets: tuple[str, ...]) -> None:
        self._parts = urlsplit(address)
        self._secrets = [secret for secret in secrets if len(secret) >= 4]

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
        """Returns the answer to one request, whatever its status below 500. Raises ``Away``."""
        connection = self._connection()
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, body, dict(headers))
            response = connection.getresponse()
            raw = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Away(self.clean(f"{self._parts.hostname} does not answer: {error or type(error).__name__}")) from error
        finally:
            connection.close()
        if response.status >= 500 or response.status in _LATER:
            raise Away(f"{self._parts.hostname} answers {response.status}; it is asked again later")
        return Reply(response.status, self._json(raw, response.status))

    def refused(self, said: object, status: int) -> Refused:
        """Returns the error for an answer that means no, with what the service said."""
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        return Refused(self.clean(f"{self._parts.hostname} answers {status}: {text}"))

    def clean(self, text: str) -> str:
        """Returns ``text`` without the account's secrets and without line breaks, cut to a length that people read."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:MAX_SAID]

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_S)

    def _json(self, raw: bytes, status: int) -> Any:
        if len(raw) > MAX_ANSWER_BYTES:
            raise Away(f"{self._parts.hostname} answers with more than {MAX_ANSWER_BYTES} bytes")
        if not raw.strip():
            return None
        try:
            return json.loads(raw)
        except ValueError as error:
            raise Away(f"{self._parts.hostname} answers {status} with something that is not JSON") from error
