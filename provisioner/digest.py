"""HTTP credentials of phones: Digest (RFC 7616, MD5 with qop=auth, which is what phones speak) and Basic (RFC 7617).

The user is the phone's MAC, the password its own, derived from the installation's key. Factory credentials are those of nobody. Which
nonces are good, and how often, is the business of ``nonces``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import deque
from urllib.parse import unquote

from provisioner.core.access import Credentials
from provisioner.core.mac import Mac, try_parse
from provisioner.core.values import FileRequest
from provisioner.nonces import Nonces
from provisioner.secrets import SecretBox

REALM = "provisioning"
UPLOADS = 256
"""Uploads under way that are remembered as proven; the listener takes in far fewer at a time."""
_COUNT = re.compile(r"[0-9A-Fa-f]{1,8}\Z")
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]*))')


class PhoneCredentials:
    """Challenges, and judges what comes back. One for each serving process, whose nonces are good there alone."""

    def __init__(self, box: SecretBox, nonces: Nonces | None = None) -> None:
        self._box = box
        self._nonces = Nonces() if nonces is None else nonces
        self._uploads: deque[FileRequest] = deque(maxlen=UPLOADS)

    def challenges(self, *, is_stale: bool = False) -> list[str]:
        """Returns the values of the WWW-Authenticate headers, the better way first.

        ``is_stale``: all was right but the nonce, so the client may answer this one by itself, without asking a person (RFC 7616, section 3.3).
        """
        stale = ", stale=true" if is_stale else ""
        digest = f'Digest realm="{REALM}", qop="auth", algorithm=MD5{stale}, nonce="{self._nonces.make()}"'
        return [digest, f'Basic realm="{REALM}"']

    def __call__(self, request: FileRequest, mac: Mac) -> Credentials:
        """Returns whether the request's Authorization is that of the phone ``mac``; ``stale`` where it would be, but for its nonce."""
        scheme, _, rest = request.authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._basic(rest, mac)
        if scheme.lower() == "digest":
            return self._digest(rest, request, mac)
        return "none"

    def _basic(self, encoded: str, mac: Mac) -> Credentials:
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except ValueError:  # no base64, characters beyond ASCII, or no UTF-8 inside
            return "bad"
        # Both are compared whatever the first says, so that the time tells neither.
        same_user = hmac.compare_digest(_bytes(try_parse(user) or user), _bytes(mac))
        same_password = hmac.compare_digest(_bytes(password), _bytes(self._password(mac)))
        return "good" if same_user and same_password else "bad"

    def _digest(self, text: str, request: FileRequest, mac: Mac) -> Credentials:
        pairs = {name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(text)}
        user, nonce, uri = pairs.get("username", ""), pairs.get("nonce", ""), pairs.get("uri", "")
        if try_parse(user) != mac or unquote(uri).partition("?")[0].lstrip("/") != request.path.partition("?")[0]:
            return "bad"
        first = _md5(f"{user}:{REALM}:{self._password(mac)}")
        second = _md5(f"{request.method}:{uri}")
        has_count = pairs.get("qop") == "auth"
        middle = f"{nonce}:{pairs.get('nc', '')}:{pairs.get('cnonce', '')}:auth" if has_count else nonce
        if not hmac.compare_digest(_bytes(pairs.get("response", "")), _bytes(_md5(f"{first}:{middle}:{second}"))):
            return "bad"
        return "good" if self._is_new(request, nonce, pairs.get("nc", "") if has_count else "", mac) else "stale"

    def _is_new(self, request: FileRequest, nonce: str, count: str, mac: Mac) -> bool:
        """Returns whether nobody has sent this before. An upload is judged at its head, and once more when its body is there: the same request."""
        is_upload = request.method in ("PUT", "POST")
        if is_upload and any(request is proven for proven in tuple(self._uploads)):  # a copy: bodies are judged by other threads
            return True
        is_new = self._nonces.spend(nonce, int(count, 16) if _COUNT.match(count) else None, mac)
        if is_new and is_upload:
            self._uploads.append(request)
        return is_new

    def _password(self, mac: Mac) -> str:
        return self._box.phone_password(mac, "digest")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a header may hold anything, lone surrogates included


def _md5(text: str) -> str:
    return hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest()  # RFC 7616 with the algorithm that phones have
