"""The session of somebody who signed in with name and password: opened, shown, ended."""

from __future__ import annotations

import math
from typing import Any

from flask import Response, g, jsonify, request
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.accounts import Caller, Refused, SignedIn
from provisioner.accounts.cookies import COOKIE, CSRF_HEADER, cookie_options, csrf_token
from provisioner.api.auth import allowed, came_over_tls, client_address
from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.problems import Refusal, refuse_input
from provisioner.api.schemas import Strict, Text, Time
from provisioner.errors import NotFound

noun = Noun("session", f"Signing in as a person. A session is a cookie; each write with it needs the header {CSRF_HEADER}.", of_sites=True)


class SignIn(Strict):
    """Who signs in."""

    name = Text(required=True, longest=48, metadata={"example": "alice"})
    password = fields.String(required=True, metadata={"example": "correct horse battery staple"})
    code = Text(
        longest=16,
        load_default="",
        metadata={"description": "One-time code or recovery code, where the user has them", "example": "123456"},
    )


class SessionShown(Schema):
    """Who is signed in. A token sees itself the same way, without csrf_token."""

    name = fields.String(metadata={"description": "As the changes name it", "example": "user:alice"})
    user = fields.String(metadata={"description": "Empty for a token", "example": "alice"})
    role = fields.String(metadata={"example": "technician"})
    sites = fields.List(fields.String(), allow_none=True, metadata={"description": "null: all of them"})
    extensions = fields.List(fields.String(), metadata={"description": "Their own"})
    language = fields.String()
    csrf_token = fields.String(metadata={"description": f"Goes into the header {CSRF_HEADER} of every write with this session"})


class SessionListed(Schema):
    """A place where somebody is signed in."""

    created_at = Time()
    last_seen_at = Time(metadata={"description": "To the minute"})
    expires_at = Time(metadata={"description": "At the latest"})
    address = fields.String()
    user_agent = fields.String()
    is_this = fields.Boolean(metadata={"description": "The one that asks"})


class PasswordChange(Strict):
    """A new password of one's own."""

    present = fields.String(required=True, metadata={"example": "correct horse battery staple"})
    new = fields.String(required=True, metadata={"example": "another horse, another staple"})


@noun.route("/session")
class Session(MethodView):
    """The session of who asks."""

    @allowed("nobody")
    @noun.takes(SignIn, example={"name": "alice", "password": "correct horse battery staple"})
    @noun.refuses(401, 429)
    @noun.gives(200, SessionShown, headers={"Set-Cookie": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> Response:
        """Sign in. The answer sets the session's cookie and holds its CSRF token."""
        address, agent = client_address(), request.headers.get("User-Agent", "")
        result = installation().accounts.sign_in(given["name"], given["password"], given["code"], address, agent)
        if isinstance(result, Refused):
            raise _refusal(result)
        response = jsonify(_shown(result.caller, result.cookie))
        set_session_cookie(response, result)
        return response

    @allowed("user")
    @noun.gives(200, SessionShown)
    def get(self) -> dict[str, Any]:
        """Show who asks, and the session's CSRF token."""
        return _shown(g.caller, request.cookies.get(COOKIE, ""))

    @allowed("user")
    @noun.refuses(404)
    @noun.gives(204)
    def delete(self) -> Response:
        """Sign out."""
        installation().accounts.sign_out(person())
        response = Response(status=204)
        response.delete_cookie(COOKIE, path="/", secure=came_over_tls(), httponly=True, samesite="Strict")
        return response


@noun.route("/session/password")
class OwnPassword(MethodView):
    """One's own password."""

    @allowed("user")
    @noun.refuses(404)
    @noun.takes(PasswordChange, example={"present": "correct horse battery staple", "new": "another horse, another staple"})
    @noun.gives(204, description="It holds from now; every other session of the user has ended.")
    def put(self, given: dict[str, Any]) -> Response:
        """Change one's own password."""
        if not installation().accounts.change_own_password(person(), given["present"], given["new"]):
            refuse_input(present="this is not your present password, or it was tried too often: wait half a minute")
        return Response(status=204)


@noun.route("/session/all")
class OwnSessions(MethodView):
    """All sessions of who asks."""

    @allowed("user")
    @noun.refuses(404)
    @noun.gives(200, SessionListed(many=True))
    def get(self) -> list[dict[str, Any]]:
        """List where one is signed in, the newest first."""
        who = person()
        return [{**_fields(row), "is_this": row.digest == who.session} for row in installation().accounts.sessions(who)]

    @allowed("user")
    @noun.refuses(404)
    @noun.gives(204)
    def delete(self) -> Response:
        """Sign out everywhere else."""
        installation().accounts.sign_out_everywhere(person(), but_here=True)
        return Response(status=204)


def set_session_cookie(response: Response, signed_in: SignedIn) -> None:
    """Sends the session's cookie to the browser."""
    left_s = math.ceil(signed_in.expires_at - installation().changes.clock())
    response.set_cookie(COOKIE, signed_in.cookie, **cookie_options(secure=came_over_tls(), max_age_s=left_s))


def _refusal(refused: Refused) -> Refusal:
    if refused.reason == "wait":
        seconds = math.ceil(refused.wait_s)
        return Refusal(429, "rate_limited", f"too many wrong attempts: wait {seconds} s", {"Retry-After": str(seconds)})
    challenge = {"WWW-Authenticate": 'Bearer realm="provisioner"'}
    if refused.reason == "code_needed":
        return Refusal(401, "code_needed", "this user signs in with a one-time code besides: send it as code", challenge)
    return Refusal(401, "unauthorized", "name, password or code do not fit", challenge)


def _shown(who: Caller, cookie: str) -> dict[str, Any]:
    token = {"csrf_token": csrf_token(cookie)} if who.session else {}
    sites = None if who.sites is None else list(who.sites)
    shown = {"name": who.name, "user": who.user, "role": who.role, "sites": sites}
    return {**shown, "extensions": list(who.extensions), "language": who.language, **token}


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("created_at", "last_seen_at", "expires_at", "address", "user_agent")}


def person() -> Caller:
    """Returns the user who asks. A token has no password and no sessions."""
    who: Caller = g.caller
    if not who.user:
        raise NotFound({"session": "a token has no session: sign in as a user"})
    return who
