"""The OpenAPI document: made once from the routes, when it is first asked for, and served to anybody, since it describes and holds nothing."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import flask_smorest
from flask import Flask, Response, current_app
from flask.views import MethodView

from provisioner.accounts.cookies import COOKIE, CSRF_HEADER
from provisioner.api.auth import allowed
from provisioner.api.imports import ImportBody
from provisioner.api.noun import PROBLEMS, Noun, role_text
from provisioner.api.problems import CONTENT_TYPE
from provisioner.api.schemas import MacField, Problem, Time

noun = Noun("document", "This document.")
_STORED = "provisioner.openapi"


@noun.route("/openapi.json")
class OpenAPI(MethodView):
    """This document."""

    @allowed("nobody")
    @noun.gives(200, {"type": "object"}, description="OpenAPI 3.1")
    def get(self) -> Response:
        """Show this document."""
        return Response(text_of(current_app), content_type="application/json")


def register(app: Flask, nouns: list[Noun], version: str) -> None:
    """Registers the routes of all nouns, and what the document will be made of."""
    for each in nouns:
        app.register_blueprint(each.blueprint)
    app.extensions[_STORED] = (tuple(nouns), version)


def text_of(app: Flask) -> str:
    """Returns the document of an application that ``register`` was called for."""
    nouns, version = app.extensions[_STORED]
    return _written(nouns, version)


@cache
def _written(nouns: tuple[Noun, ...], version: str) -> str:
    """Returns the document as text. It is the same for every installation, and takes a quarter of a second that no start should wait for."""
    app = Flask("provisioner.document", static_folder=None, template_folder=None)
    app.config.update(
        API_TITLE="Provisioner",
        API_VERSION=version,
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={"info": {"description": _about()}, "security": [{"bearer": []}, {"session": []}]},
    )
    api = flask_smorest.Api(app)
    api.DEFAULT_ERROR_RESPONSE_NAME = None  # each operation lists its own problems
    api.register_field(MacField, "string", "mac")
    api.register_field(Time, "string", "date-time")
    components = api.spec.components
    components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "description": "A token of 'provisioner token create'"})
    session = f"What POST /api/v1/session sets; each write with it needs the header {CSRF_HEADER}"
    components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": session})
    components.schema("Problem", schema=Problem)
    components.schema("ImportBody", schema=ImportBody)
    for status, (name, description) in PROBLEMS.items():
        components.response(name, _problem_response(status, description))
    for each in nouns:
        api.register_blueprint(each.blueprint)
    for name in ("Error", "PaginationMetadata"):  # flask-smorest's own, which nothing here answers with
        components.schemas.pop(name, None)
    return json.dumps(api.spec.to_dict())


def _problem_response(status: int, description: str) -> dict[str, Any]:
    response: dict[str, Any] = {"description": description, "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    headers = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
    if status in headers:
        response["headers"] = {headers[status]: {"schema": {"type": "string"}}}
    return response


def _about() -> str:
    return (
        "Zero-touch provisioning of IP phones. Lists are paged: give 'next' as 'after' (or 'before') for the next page. "
        "ETag is the revision; PATCH, PUT and DELETE honour If-Match. Errors are problem details (RFC 9457) with a stable 'reason'.\n\n"
        f"Roles (x-role says which an operation needs):\n\n{role_text()}"
    )
