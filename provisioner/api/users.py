"""Users: people who sign in, made and changed by admins of all sites."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView
from marshmallow import fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import PageQuery, page_of, sliced
from provisioner.api.schemas import Flag, Rows, Strict, Text, Time, Whole
from provisioner.changes.users import CHOICES_OF_LANGUAGE
from provisioner.errors import NotFound
from provisioner.records import ROLES, UserRecord

noun = Noun("users", "People who sign in. All of it needs the role admin.")


class UserPatch(Strict):
    """What may be changed of a user; what is absent stays."""

    role = Text(longest=16, metadata={"enum": list(reversed(ROLES)), "example": "technician"})
    sites = Rows(Text(longest=64), allow_none=True, metadata={"description": "Names of the sites that they see; null: all"})
    extensions = Rows(Text(longest=32), metadata={"description": "Their own extensions, for the role user"})
    language = Text(longest=8, metadata={"enum": list(CHOICES_OF_LANGUAGE)})
    disabled = Flag(metadata={"description": "Cannot sign in; ends every session"})
    subject = Text(longest=255, shortest=1, allow_none=True, metadata={"description": "Who they are at the OpenID Connect provider"})


class _Named(Strict):
    name = Text(required=True, longest=48, metadata={"example": "alice"})


class UserNew(UserPatch, _Named):
    """A user to be made."""

    role = Text(required=True, longest=16, metadata={"enum": list(reversed(ROLES)), "example": "technician"})
    password = fields.String(
        allow_none=True, load_default=None, metadata={"description": "null: signs in elsewhere", "example": "correct horse battery staple"}
    )


class UserShown(UserPatch, _Named):
    """A user."""

    has_password = fields.Boolean()
    has_totp = fields.Boolean(metadata={"description": "Signs in with a one-time code besides"})
    created_at = Time()
    revision = Whole()


class NewPassword(Strict):
    """A password for somebody else."""

    password = fields.String(required=True, metadata={"example": "correct horse battery staple"})


@noun.route("/users")
class Users(MethodView):
    """All users."""

    @allowed("admin")
    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(UserShown, "UserPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List users in the order of their name."""
        return sliced(installation().store.users(), query["after"], query["limit"], lambda row: row.name)

    @noun.takes(UserNew, example={"name": "alice", "role": "technician", "sites": ["default"], "password": "correct horse battery staple"})
    @noun.gives(201, UserShown, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> tuple[UserRecord, int, dict[str, str]]:
        """Make a user."""
        record = installation().changes.create_user(actor(), given.pop("name"), given)
        return record, 201, {**tagged(record.revision), "Location": url_for("users.User", name=record.name)}


@noun.route("/users/<string:name>")
class User(MethodView):
    """One user."""

    @allowed("admin")
    @conditional
    @noun.gives(200, UserShown, headers=ETAG)
    def get(self, name: str) -> tuple[UserRecord, int, dict[str, str]]:
        """Show a user."""
        record = _found(name)
        return record, 200, tagged(record.revision)

    @conditional
    @noun.takes(UserPatch, example={"role": "viewer", "sites": None})
    @noun.gives(200, UserShown, headers=ETAG)
    def patch(self, given: dict[str, Any], name: str) -> tuple[UserRecord, int, dict[str, str]]:
        """Change what is given of a user; it holds from their next request on."""
        record = installation().changes.update_user(actor(), name, given, expected_revision(_found(name).revision))
        return record, 200, tagged(record.revision)

    @conditional
    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Remove a user and end every session."""
        installation().changes.delete_user(actor(), name, expected_revision(_found(name).revision))
        return Response(status=204)


@noun.route("/users/<string:name>/password")
class UserPassword(MethodView):
    """The password of somebody else."""

    @noun.takes(NewPassword, example={"password": "correct horse battery staple"})
    @noun.gives(204, description="It holds from now; every session of the user has ended.")
    def put(self, given: dict[str, Any], name: str) -> Response:
        """Give a user another password."""
        installation().changes.set_user_password(actor(), _found(name).name, given["password"])
        return Response(status=204)


@noun.route("/users/<string:name>/sessions")
class UserSessions(MethodView):
    """The sessions of somebody else."""

    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Sign a user out everywhere."""
        installation().changes.end_sessions(actor(), _found(name).name)
        return Response(status=204)


@noun.route("/users/<string:name>/totp")
class UserCodes(MethodView):
    """The one-time codes of somebody else."""

    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Ask a user for one-time codes no longer, for one who lost the device that makes them."""
        installation().changes.set_user_totp(actor(), _found(name).name, None)
        return Response(status=204)


def _found(name: str) -> UserRecord:
    record = installation().store.user(name)
    if record is None:
        raise NotFound({"name": f"there is no user {name[:48]}"})
    return record
