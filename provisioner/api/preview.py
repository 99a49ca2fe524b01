"""Preview: what a write would change, before it is made. The write is done and taken back, with every check that it has."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from flask import current_app, request
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed, is_previewable
from provisioner.api.context import REHEARSAL, installation
from provisioner.api.noun import Noun
from provisioner.api.problems import refuse_input
from provisioner.api.schemas import MacField, Strict, Text, Whole
from provisioner.api.shown import masked_content, secrets_of
from provisioner.changes.rehearsing import Outcome, Rehearsed, TakenBack
from provisioner.core.values import PhoneConfig, RenderedFile

noun = Noun("preview", "What a write would change: which phones, which lines of which files, and whether they restart.", of_sites=True)

MOST_LINES = 400
"""Lines of one file's difference that are shown."""
_PASSED_ON = ("HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_X_CSRF_TOKEN", "HTTP_IF_MATCH", "HTTP_X_FORWARDED_FOR", "REMOTE_ADDR")
METHODS = ["POST", "PUT", "PATCH", "DELETE"]
EXAMPLE = {"method": "PATCH", "path": "/api/v1/phones/80:5e:c0:aa:bb:cc", "body": {"settings": {"voice_vlan": 20}}}


class PreviewBody(Strict):
    """The write that is meant, as it would be sent."""

    method = fields.String(required=True, validate=validate.OneOf(METHODS, error=f"one of {', '.join(METHODS)} is needed"))
    path = Text(required=True, longest=300, metadata={"example": EXAMPLE["path"]})
    body = fields.Raw(load_default=None, allow_none=True, metadata={"description": "As the write takes it; null: none"})


class FileChange(Schema):
    """How one file would change."""

    name = fields.String(metadata={"example": "805ec0aabbcc.cfg"})
    lines = fields.List(
        fields.String(),
        metadata={"description": "A unified difference, secrets masked", "example": ["-voice_vlan = 0", "+voice_vlan = 20"]},
    )
    is_shortened = fields.Boolean(metadata={"description": "There are more lines than are shown"})
    only_secrets = fields.Boolean(metadata={"description": "Nothing but a secret changes, which is not shown"})


class PhoneChange(Schema):
    """How the files of one phone would change."""

    mac = MacField()
    change = fields.String(validate=validate.OneOf(["listed", "changed", "taken_off"]))
    files = fields.List(fields.Nested(FileChange))
    restart = fields.String(
        validate=validate.OneOf(["no", "where_needed"]),
        metadata={
            "description": "no: it is told to fetch, without a restart; where_needed: the phone itself judges whether a parameter needs one"
        },
    )


class Preview(Schema):
    """What a write would come to."""

    touched = Whole(metadata={"description": "Phones whose files are made anew"})
    looked_at = Whole(metadata={"description": "How many of them were compared; phones below are those of them whose files differ"})
    phones = fields.List(fields.Nested(PhoneChange))


@noun.route("/preview")
class Previews(MethodView):
    """A write that is not made."""

    @allowed("user")
    @noun.takes(PreviewBody, example=EXAMPLE)
    @noun.refuses(404, 409, 412)
    @noun.gives(200, Preview)
    def post(self, given: dict[str, Any]) -> dict[str, Any]:
        """Show what a write would change. Whatever the write would be refused for, this is refused for."""
        if not given["path"].startswith("/api/v1/"):
            refuse_input(path="an address below /api/v1/ is needed")
        return shown_outcome(_rehearse(given))


def shown_outcome(outcome: Outcome) -> dict[str, Any]:
    """Returns what a rehearsed write would come to, as ``Preview`` shows it: the files are rendered here, and secrets masked."""
    shown = [change for row in outcome.phones if (change := _phone_change(row, _vendor(row))) is not None]
    return {"touched": outcome.touched, "looked_at": len(outcome.phones), "phones": shown}


def _rehearse(given: dict[str, Any]) -> Outcome:
    """Sends the write to its view in a request of its own, whose changes are taken back."""
    passed_on = {name: request.environ[name] for name in _PASSED_ON if name in request.environ}
    body = {} if given["body"] is None else {"json": given["body"]}
    environ = {**passed_on, REHEARSAL: True}
    sent = current_app.test_request_context(given["path"], method=given["method"], environ_overrides=environ, **body)
    with (
        current_app.app_context(),
        sent,
    ):  # a context of its own: what this request knows of its installation must not be taken for the other's
        current_app.preprocess_request()
        if not is_previewable():
            refuse_input(path="this write has no preview: it does more than changing what is kept")
        try:
            current_app.dispatch_request()
        except TakenBack as done:
            return done.outcome
    return Outcome()


def _vendor(row: Rehearsed) -> Any:
    config = row.after or row.before
    return installation().catalogue.vendors[config.model.partition("/")[0]] if config else None


def _phone_change(row: Rehearsed, vendor: Any) -> dict[str, Any] | None:
    before, after = (_files(config) for config in (row.before, row.after))
    names = dict.fromkeys([*before, *after])
    secrets = _secrets(row)
    files = [
        _file_change(name, _lines(vendor, before.get(name), secrets), _lines(vendor, after.get(name), secrets))
        for name in names
        if (before[name].sha256 if name in before else "") != (after[name].sha256 if name in after else "")
    ]
    if not files:
        return None
    change = "listed" if row.before is None else "taken_off" if row.after is None else "changed"
    restart = "where_needed" if vendor.notify_event == vendor.notify_reboot_event else "no"
    return {"mac": row.mac, "change": change, "files": files, "restart": restart}


def _files(config: PhoneConfig | None) -> dict[str, RenderedFile]:
    return {file.name: file for file in installation().renderer.phone_files(config)} if config else {}


def _file_change(name: str, before: list[str], after: list[str]) -> dict[str, Any]:
    lines = list(_difference(before, after))
    return {"name": name, "lines": lines[:MOST_LINES], "is_shortened": len(lines) > MOST_LINES, "only_secrets": not lines}


def _difference(before: list[str], after: list[str]) -> Iterator[str]:
    yield from list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]  # without the two lines that name the files


def _lines(vendor: Any, file: RenderedFile | None, secrets: set[str]) -> list[str]:
    return masked_content(vendor, file.body.decode("utf-8", "replace"), secrets).splitlines() if file else []


def _secrets(row: Rehearsed) -> set[str]:
    place, found = installation(), set[str]()
    for config in (row.before, row.after):
        if config is not None:
            found |= secrets_of(config, place.catalogue.settings, _made(config))
    return found


def _made(config: PhoneConfig) -> list[str]:
    box = installation().box
    return [box.phone_password(config.mac, purpose) for purpose in ("admin", "user", "digest")]
