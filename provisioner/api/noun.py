"""A noun of the API: flask-smorest's blueprint with types, and with what every operation here documents and does.

From the facts of a view - its method, its role, whether it is conditional - follow the problems that the document lists for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import flask_smorest
from flask import Request, request
from flask.views import MethodView
from marshmallow import RAISE, Schema
from webargs import missing
from webargs.flaskparser import FlaskParser

from provisioner.api.auth import ROLE_HELP, role_of
from provisioner.api.problems import Refusal

View = TypeVar("View", bound=Callable[..., Any])
ViewClass = TypeVar("ViewClass", bound=type[MethodView])

PROBLEMS: Mapping[int, tuple[str, str]] = {
    400: ("Malformed", "The body is not JSON, or the request cannot be read."),
    401: ("Unauthorized", "No token and no session, or one that is not valid."),
    403: ("Forbidden", "The role is not enough, the sites do not reach so far, or a session writes without its CSRF token."),
    404: ("NotFound", "What the address names is not there."),
    409: ("Conflict", "What is to be made is there already, needs a confirmation, or is still being worked on."),
    412: ("ChangedMeanwhile", "If-Match names another revision than the present one."),
    413: ("TooLarge", "The body is larger than 16 MiB."),
    415: ("UnsupportedMediaType", "The body has another content type than this operation takes."),
    416: ("RangeBeyondTheEnd", "Range names no byte that there is."),
    422: ("InvalidInput", "A field is wrong, or a template fails for the new facts; errors has one entry for each field."),
    429: ("RateLimited", "Too many wrong tokens or passwords came from this address; Retry-After says how long to wait."),
    503: ("NotReady", "A part does not serve; parts says which."),
}
ETAG = {"ETag": {"description": "The revision, for If-Match and If-None-Match", "schema": {"type": "string"}, "example": '"3"'}}
_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class StrictParser(FlaskParser):
    """Reads bodies as strict JSON and refuses unknown query parameters."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE}  # noqa: RUF012 - webargs' own declaration

    def load_json(self, req: Request, schema: Schema) -> Any:
        body = req.get_data(cache=True)
        if not body:
            return missing
        if not req.is_json:
            raise Refusal(415, "unsupported_media_type", "send the body as application/json")
        return strict_json(body)


def strict_json(body: bytes) -> Any:
    """Returns what the body says. Raises a 400 problem for anything that is not JSON of a sane depth in UTF-8."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
        if _LONE_SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise Refusal(400, "malformed_request", "the body is nested too deeply") from error
    except ValueError as error:  # also of UnicodeDecodeError, JSONDecodeError and numbers of thousands of digits
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Refusal(400, "malformed_request", f"the body is not JSON in UTF-8{where}") from error
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def conditional(view: View) -> View:
    """Says that a view answers with an entity tag (GET) or honours ``If-Match`` (writes)."""
    view.__dict__["is_conditional"] = True
    return view


class Noun:
    """The routes of one noun, collected at import and registered in any number of applications."""

    def __init__(
        self, name: str, description: str, *, prefix: str | None = "/api/v1", of_sites: bool = False, previewable: bool = False
    ) -> None:
        """``of_sites``: open to those who see some sites only; the views then read and write through ``context.installation()`` alone.

        ``previewable``: the writes do nothing but change what is kept, so that they can be rehearsed.
        """
        self._facts = {"of_sites": of_sites, "previewable": previewable}
        self.blueprint = flask_smorest.Blueprint(name, __name__, url_prefix=prefix, description=description)
        self.blueprint.ARGUMENTS_PARSER = StrictParser()
        self.blueprint.before_request(_no_nul)

    def route(self, rule: str, *, parameters: Sequence[Mapping[str, Any]] = ()) -> Callable[[ViewClass], ViewClass]:
        """Registers a view class; each method documents its role and its problems."""

        def decorate(view: ViewClass) -> ViewClass:
            for method in sorted(view.methods or ()):
                function = getattr(view, method.lower())
                function.__dict__.update(self._facts)
                statuses = _problem_statuses(method, function, rule)
                setattr(view, method.lower(), self._documented(function, method, statuses))
            self.blueprint.add_url_rule(rule, view_func=view, parameters=[*_path_parameters(rule), *parameters])
            return view

        return decorate

    def takes(self, schema: type[Schema] | Schema, *, location: str = "json", **more: Any) -> Callable[[View], View]:
        """Reads the body (or the query) and gives it to the view as its first argument."""
        decorate: Callable[[View], View] = self.blueprint.arguments(schema, location=location, **more)
        return decorate

    def gives(self, status: int, schema: type[Schema] | Schema | dict[str, Any] | None = None, **more: Any) -> Callable[[View], View]:
        """Writes what the view returns; ``**more`` is for the document: description, example, content_type, headers."""
        decorate: Callable[[View], View] = self.blueprint.response(status, schema, **more)
        return decorate

    def may_give(self, status: int, schema: dict[str, Any], **more: Any) -> Callable[[View], View]:
        """Documents another answer that is no problem."""
        decorate: Callable[[View], View] = self.blueprint.alt_response(status, schema=schema, **more)
        return decorate

    def refuses(self, *statuses: int) -> Callable[[View], View]:
        """Documents problems that do not follow from the view's method, role and address."""

        def decorate(view: View) -> View:
            view.__dict__["more_problems"] = statuses
            return view

        return decorate

    def documents(self, **more: Any) -> Callable[[View], View]:
        """Adds to the document what no schema says."""
        decorate: Callable[[View], View] = self.blueprint.doc(**more)
        return decorate

    def _documented(self, function: Callable[..., Any], method: str, statuses: Sequence[int]) -> Callable[..., Any]:
        role = role_of(function, method)
        extra: dict[str, Any] = {"security": []} if role == "nobody" else {"x-role": role}
        # What is documented by hand stands in place of what the view takes in its query, unless that is named again.
        parameters = [
            each for each in getattr(function, "_apidoc", {}).get("arguments", {}).get("parameters", ()) if each.get("in") == "query"
        ]
        parameters += [_condition(method)] if getattr(function, "is_conditional", False) else []
        parameters += [_IDEMPOTENCY] if method == "POST" and role != "nobody" else []
        if parameters:
            extra["parameters"] = parameters
        documented: Callable[..., Any] = self.blueprint.doc(**extra)(function)
        # As ``alt_response`` does, which for each of them copies all that is documented and puts one more function around the view.
        responses = documented.__dict__["_apidoc"].setdefault("response", {}).setdefault("responses", {})
        for status in statuses:
            responses.setdefault(status, []).append(PROBLEMS[status][0])
        return documented


def _problem_statuses(method: str, function: Callable[..., Any], rule: str) -> list[int]:
    statuses = set() if role_of(function, method) == "nobody" else {401, 429}
    statuses |= set(getattr(function, "more_problems", ()))
    if role_of(function, method) != "nobody":
        statuses.add(403)
    if "<" in rule:
        statuses.add(404)
    if "arguments" in getattr(function, "_apidoc", {}):
        statuses |= {422} if method == "GET" else {400, 413, 415, 422}
    if getattr(function, "is_conditional", False) and method != "GET":
        statuses |= {412, 422}
    if method == "POST" and role_of(function, method) != "nobody":
        statuses |= {400, 409, 422}  # of Idempotency-Key, whatever else
    return sorted(statuses)


_IDEMPOTENCY: Mapping[str, Any] = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Sent again with the same key, the request is not done again but answered as before, for 24 hours",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "9c1f0d6e-7a55-4c1b-9a5e-0f6d2b6f6c11",
}


def _condition(method: str) -> dict[str, Any]:
    name, text = ("If-None-Match", "304 where it is still so") if method == "GET" else ("If-Match", "412 where it is no longer so")
    return {"in": "header", "name": name, "description": text, "schema": {"type": "string"}, "example": '"3"'}


_PATH_HELP: Mapping[str, tuple[str, str]] = {
    "target": ("A model, a model and a group with @ between them, or a MAC", "yealink/t46u"),
    "mac": ("MAC in any usual form", "80:5e:c0:aa:bb:cc"),
    "number": ("Number of the extension", "1001"),
    "name": ("Name", "default"),
    "delivery": ("Number of the delivery", "1"),
    "backup": ("Name of the archive", "provisioner-20261126T013000Z.tar.gz"),
    "change": ("Number of the change", "1"),
    "call": ("Number of the call", "1"),
    "layout": ("Name of the layout", "Sales"),
    "setting": ("Name of the setting", "timezone"),
    "vendor": ("Vendor", "yealink"),
    "model": ("Model", "t46u"),
    "server": ("Kind of DHCP server: dnsmasq, isc, kea, mikrotik, windows or pfsense", "dnsmasq"),
}


def _path_parameters(rule: str) -> list[dict[str, Any]]:
    names = re.findall(r"<(?:\w+:)?(\w+)>", rule)
    return [{"in": "path", "name": name, "description": _PATH_HELP[name][0], "example": _PATH_HELP[name][1]} for name in names]


def _no_nul() -> None:
    if "\x00" in request.path:
        raise Refusal(404, "not_found", "there is nothing at this address")


def role_text() -> str:
    """Returns the roles as the document explains them."""
    return "\n".join(f"- **{role}** {text}" for role, text in ROLE_HELP.items())
