"""Whether an ID token is the provider's word, for us, now (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import hmac
from typing import Any

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from provisioner.oidc.provider import Provider
from provisioner.oidc.refusal import NotVouched

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by a key that only the provider has. Never ``none``, and none keyed with what both sides know (HS256)."""
LEEWAY_S = 60
MAX_TOKEN = 32 * 1024
MAX_SUBJECT = 255


def checked(token: object, provider: Provider, client_id: str, nonce: str, now: float) -> dict[str, Any]:
    """Returns the claims of an ID token that holds. Raises ``NotVouched`` with what is wrong, never with the token."""
    if not isinstance(token, str) or not 0 < len(token) <= MAX_TOKEN:
        raise NotVouched("untrue", "there is no ID token, or it is too long")
    claims = _signed(token, provider)
    rules = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": provider.issuer},
        aud={"essential": True, "value": client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )
    try:
        rules.validate(claims)
    except (JoseError, TypeError, ValueError) as error:  # the latter two: times that are no numbers
        raise NotVouched("untrue", f"ID token: {getattr(error, 'error', 'a claim')} {getattr(error, 'claim', '')}".rstrip()) from error
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise NotVouched("untrue", "ID token: it was issued to another client")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode("utf-8", "replace"), nonce.encode()):
        raise NotVouched("untrue", "ID token: another nonce")
    if not 0 < len(claims["sub"]) <= MAX_SUBJECT:
        raise NotVouched("untrue", "ID token: the subject is too long")
    return claims


def _signed(token: str, provider: Provider) -> dict[str, Any]:
    """Returns the claims of a token whose signature holds; a key that is not known has the keys asked for once more."""
    try:
        return _decoded(token, provider.keys())
    except InvalidKeyIdError:
        try:
            return _decoded(token, provider.keys(fresh=True))
        except InvalidKeyIdError as error:
            raise NotVouched("untrue", "ID token: signed with a key that the provider does not name") from error


def _decoded(token: str, keys: KeySet) -> dict[str, Any]:
    try:
        return dict(jwt.decode(token, keys, algorithms=ALGORITHMS).claims)
    except InvalidKeyIdError:
        raise
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise NotVouched("untrue", f"ID token: {getattr(error, 'error', type(error).__name__)}") from error
