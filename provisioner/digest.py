"""HTTP credentials of phones: Digest (RFC 7616, MD5 with qop=auth, which is what phones speak) and Basic (RFC 7617).

The user is the phone's MAC, the password its own, derived from the installation's key. Factory credentials are those of nobody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import time
from collections.abc import Callable
from urllib.parse import unquote

from provisioner.core.access import Credentials
from provisioner.core.mac import Mac, try_parse
from provisioner.core.values import FileRequest
from provisioner.secrets import SecretBox

REALM = "provisioning"
NONCE_S = 300
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]*))')


class PhoneCredentials:
    """Challenges, and judges what comes back. Stateless: a nonce carries its own time, signed."""

    def __init__(self, box: SecretBox, clock: Callable[[], float] = time.time) -> None:
        self._box = box
        self._clock = clock
        self._key = os.urandom(32)

    def challenges(self) -> list[str]:
        """Returns the values of the WWW-Authenticate headers, the better way first."""
        return [f'Digest realm="{REALM}", qop="auth", algorithm=MD5, nonce="{self._nonce()}"', f'Basic realm="{REALM}"']

    def __call__(self, request: FileRequest, mac: Mac) -> Credentials:
        """Returns whether the request's Authorization is that of the phone ``mac``."""
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
        if not self._fresh(nonce):
            return "none"  # an old nonce proves nothing and accuses nobody: the phone is asked again
        first = _md5(f"{user}:{REALM}:{self._password(mac)}")
        second = _md5(f"{request.method}:{uri}")
        middle = f"{nonce}:{pairs.get('nc', '')}:{pairs.get('cnonce', '')}:auth" if pairs.get("qop") == "auth" else nonce
        return "good" if hmac.compare_digest(_bytes(pairs.get("response", "")), _bytes(_md5(f"{first}:{middle}:{second}"))) else "bad"

    def _password(self, mac: Mac) -> str:
        return self._box.phone_password(mac, "digest")

    def _nonce(self) -> str:
        stamp = f"{int(self._clock()):x}"
        return f"{stamp}-{hmac.digest(self._key, stamp.encode(), 'sha256').hex()[:32]}"

    def _fresh(self, nonce: str) -> bool:
        stamp, _, signature = nonce.partition("-")
        expected = hmac.digest(self._key, _bytes(stamp), "sha256").hex()[:32]
        if not hmac.compare_digest(_bytes(signature), _bytes(expected)):
            return False
        return self._clock() - int(stamp, 16) <= NONCE_S


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a header may hold anything, lone surrogates included


def _md5(text: str) -> str:
    return hashlib.md5(_bytes(text), usedforsecurity=False).hexdigest()  # RFC 7616 with the algorithm that phones have
