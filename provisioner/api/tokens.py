"""API tokens: made, listed and revoked by admins; shown once."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import Noun
from provisioner.api.paging import PageQuery, page_of, sliced
from provisioner.api.schemas import Rows, Strict, Text, Time
from provisioner.records import TOKEN_ROLES

noun = Noun("tokens", "API tokens. All of it needs the role admin.")


class TokenNew(Strict):
    """A token to be made."""

    name = Text(required=True, longest=64, metadata={"example": "monitoring"})
    role = Text(required=True, longest=16, metadata={"example": "viewer", "enum": list(reversed(TOKEN_ROLES))})
    sites = Rows(
        Text(longest=64), allow_none=True, load_default=None, metadata={"description": "Names of the sites that it sees; null: all"}
    )


class TokenShown(Schema):
    """A token; what it reads is known to its owner alone."""

    name = fields.String()
    role = fields.String()
    sites = fields.List(fields.String(), allow_none=True)
    created_at = Time()
    last_used_at = Time(allow_none=True, metadata={"description": "To the minute"})


class TokenMade(Schema):
    """A new token, shown this once."""

    name = fields.String()
    role = fields.String()
    sites = fields.List(fields.String(), allow_none=True)
    token = fields.String(metadata={"description": "Keep it: only its hash is stored"})


@noun.route("/tokens")
class Tokens(MethodView):
    """All tokens."""

    @allowed("admin")
    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(TokenShown, "TokenPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List tokens in the order of their name."""
        return sliced(installation().store.api_tokens(), query["after"], query["limit"], lambda row: row.name)

    @noun.takes(TokenNew, example={"name": "monitoring", "role": "viewer"})
    @noun.gives(201, TokenMade, headers={"Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Make a token."""
        token = installation().changes.create_token(actor(), given["name"], given["role"], sites=given["sites"])
        return {**given, "token": token}, 201, {"Location": url_for("tokens.Token", name=given["name"])}


@noun.route("/tokens/<string:name>")
class Token(MethodView):
    """One token."""

    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Revoke a token at once."""
        installation().changes.delete_token(actor(), name)
        return Response(status=204)
