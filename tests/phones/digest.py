"""Digest credentials as a phone computes them (RFC 2617 with qop=auth, RFC 3261 section 22). MD5 alone, as the vendors' phones do."""

from __future__ import annotations

import hashlib
import re
import secrets

_FIELD = re.compile(r'(\w+)\s*=\s*("[^"]*"|[^,\s]*)')


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def fields(challenge: str) -> dict[str, str]:
    """Returns the fields of a challenge or of credentials, names in small letters."""
    scheme, _, rest = challenge.partition(" ")
    return {name.lower(): value.strip('"') for name, value in _FIELD.findall(rest)} if scheme.lower() == "digest" else {}


def credentials(challenge: str, user: str, secret: str, method: str, uri: str) -> str:
    """Returns the value of the (Proxy-)Authorization header that answers a challenge. Raises ``ValueError`` for one it cannot answer."""
    given = fields(challenge)
    if given.get("algorithm", "MD5").upper() != "MD5" or "nonce" not in given:
        raise ValueError(f"a phone cannot answer this challenge: {challenge}")
    realm, nonce, client = given.get("realm", ""), given["nonce"], secrets.token_hex(8)
    first, second = md5(f"{user}:{realm}:{secret}"), md5(f"{method}:{uri}")
    parts = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', "algorithm=MD5"]
    if "auth" in given.get("qop", "").split(","):
        answer = md5(f"{first}:{nonce}:00000001:{client}:auth:{second}")
        parts += ["qop=auth", "nc=00000001", f'cnonce="{client}"']
    else:
        answer = md5(f"{first}:{nonce}:{second}")
    parts += [f'response="{answer}"'] + ([f'opaque="{given["opaque"]}"'] if "opaque" in given else [])
    return "Digest " + ", ".join(parts)
