"""One's own one-time codes: set up, confirmed by their first code, turned off; and recovery codes."""

from __future__ import annotations

from typing import Any, Never

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.accounts import Caller
from provisioner.accounts.own_codes import Wrong
from provisioner.accounts.totp import address_of, shown_secret
from provisioner.api.auth import allowed
from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.problems import Refusal, refuse_input
from provisioner.api.schemas import Strict, Text
from provisioner.api.session import person
from provisioner.errors import AlreadyExists

noun = Noun("own_codes", "One's own one-time codes, the second factor beside the password.", of_sites=True)
_SHOWN = {"description": "The present password, a one-time code or a recovery code", "example": "123456"}


class CodesSetup(Schema):
    """What an authenticator app needs."""

    secret = fields.String(metadata={"description": "Base32, to be typed", "example": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"})
    address = fields.String(metadata={"description": "The same as otpauth address, for a QR code"})


class CodesConfirmed(Strict):
    """The proof that an app has the secret."""

    code = Text(required=True, longest=16, metadata={"description": "One-time code of the app", "example": "123456"})
    present = fields.String(
        load_default="", metadata={"description": "The present password, of who has one", "example": "correct horse battery staple"}
    )


class Proven(Strict):
    """What only the person knows or has."""

    shown = fields.String(required=True, metadata=_SHOWN)


class RecoveryCodes(Schema):
    """Codes that sign in once each, in place of one of the app."""

    recovery_codes = fields.List(fields.String(metadata={"example": "abcde-fghij"}), metadata={"description": "Shown this once"})


@noun.route("/session/totp")
class OwnTOTP(MethodView):
    """One's own one-time codes."""

    @allowed("user")
    @noun.refuses(404, 409)
    @noun.gives(200, CodesSetup, description="They count for nothing until their first code came.")
    def post(self) -> dict[str, str]:
        """Begin to set up one-time codes; asked again within half an hour it answers the same."""
        who = person()
        secret = installation().accounts.codes.begin(who)
        if secret is None:
            raise AlreadyExists({"totp": "one-time codes are asked for already: turn them off first"})
        return {"secret": shown_secret(secret), "address": address_of(secret, who.user)}

    @allowed("user")
    @noun.refuses(404, 429)
    @noun.takes(CodesConfirmed, example={"code": "123456", "present": "correct horse battery staple"})
    @noun.gives(200, RecoveryCodes, description="One-time codes are asked for from now on; every other session has ended.")
    def put(self, given: dict[str, Any]) -> dict[str, Any]:
        """Turn one-time codes on with their first code."""
        result = installation().accounts.codes.turn_on(person(), given["code"], given["present"])
        return _told(result, "code")


@noun.route("/session/totp/off")
class OwnTOTPOff(MethodView):
    """The end of one's own one-time codes."""

    @allowed("user")
    @noun.refuses(404, 429)
    @noun.takes(Proven, example={"shown": "123456"})
    @noun.gives(204, description="They are asked for no longer; recovery codes are gone.")
    def post(self, given: dict[str, Any]) -> Response:
        """Turn one-time codes off."""
        wrong = installation().accounts.codes.turn_off(person(), given["shown"])
        if wrong is not None:
            _refuse(wrong, "shown")
        return Response(status=204)


@noun.route("/session/recovery-codes")
class OwnRecoveryCodes(MethodView):
    """One's own recovery codes."""

    @allowed("user")
    @noun.refuses(404, 429)
    @noun.takes(Proven, example={"shown": "123456"})
    @noun.gives(200, RecoveryCodes, description="Those before are worth nothing.")
    def post(self, given: dict[str, Any]) -> dict[str, Any]:
        """Make new recovery codes."""
        who: Caller = person()
        return _told(installation().accounts.codes.renew_recovery(who, given["shown"]), "shown")


def _told(result: list[str] | Wrong, field: str) -> dict[str, Any]:
    if isinstance(result, list):
        return {"recovery_codes": result}
    return _refuse(result, field)


def _refuse(wrong: Wrong, field: str) -> Never:
    if wrong == "wait":
        raise Refusal(429, "rate_limited", "too many wrong tries: wait half a minute", {"Retry-After": "30"})
    sentences = {
        "code": "this does not fit; a code counts for half a minute, and once",
        "present": "this is not your present password",
        "nothing": "there is nothing to prove: one-time codes are neither on nor being set up",
    }
    refuse_input(**{"present" if wrong == "present" else field: sentences[wrong]})
