"""One delivery on the wire: signed as Standard Webhooks 1.0 has it, to one address, without following anything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from provisioner.deadline import BoundedConnection
from provisioner.webhooks.reaching import Unreachable, address_for

TIMEOUT_S = 5.0
"""From connecting to the end of the answer: a receiver that sends a byte now and then has no longer."""
ANSWER_BYTES = 1024
"""As much of an answer is read; what it says matters to nobody, only its status."""


@dataclass(frozen=True, slots=True)
class Result:
    """``status`` of the answer, None where there was none; ``error`` says why it does not count as taken."""

    status: int | None
    error: str

    @property
    def is_taken(self) -> bool:
        return not self.error


def signature(secret: bytes, message_id: str, at: int, body: bytes) -> str:
    """Returns the header ``Webhook-Signature``: HMAC-SHA256 over id, time and body, so that none of them can be another's."""
    digest = hmac.digest(secret, f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode('ascii')}"


def send(url: str, secret: bytes, message_id: str, body: bytes, at: float, allowed: Sequence[str], timeout_s: float = TIMEOUT_S) -> Result:
    """Sends one delivery; whatever goes wrong is in the result."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = parts.hostname or ""
        address = address_for(host, port, allowed)
    except (ValueError, Unreachable) as error:
        return Result(None, str(error)[:200])
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with BoundedConnection(host, port, seconds=timeout_s, address=address, is_tls=parts.scheme == "https") as connection:
            connection.request("POST", path, body, _headers(secret, message_id, int(at), body))
            answer = connection.getresponse()
            answer.read(ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        return Result(None, _why(error, timeout_s)[:200])
    return Result(answer.status, "" if 200 <= answer.status < 300 else f"it answered {answer.status}")


def _why(error: Exception, timeout_s: float) -> str:
    """Returns why there was no answer, in a sentence for whoever keeps the receiver."""
    match error:
        case TimeoutError():
            said = f"it did not answer within {timeout_s:g} s"
        case ConnectionRefusedError():
            said = "nothing answers there: is it the right port, and does it run?"
        case ConnectionResetError() | BrokenPipeError():
            said = "it ended the connection without an answer"
        case ssl.SSLCertVerificationError():
            said = f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            said = f"it does not speak TLS there ({error.reason or 'no handshake'})"
        case OSError():
            said = f"it cannot be reached: {error.strerror or type(error).__name__}"
        case _:
            said = f"it answers with what is no HTTP ({type(error).__name__})"
    return said


def _headers(secret: bytes, message_id: str, at: int, body: bytes) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": "provisioner-webhook/1",
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": signature(secret, message_id, at, body),
    }
