"""The bundled Asterisk as a service: how it is, restart, reload, log. Of another PBX its owner knows."""

from __future__ import annotations

from typing import Any, cast

from flask import Flask, current_app
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, everything, installation
from provisioner.api.noun import Noun
from provisioner.api.problems import Refusal
from provisioner.api.schemas import Flag, Strict
from provisioner.pbxservice import LOGS, NoBundledPBX, pbx_log, reload_pbx, restart_pbx
from provisioner.pbxstatus import KeptStatus, PBXStatus, pbx_status

noun = Noun("pbx-service", "The bundled Asterisk as a service. Restarting, reloading and reading its log need the role admin.")


_KEPT = "provisioner.pbx_service"


def attach(app: Flask) -> None:
    """Keeps the status of the bundled Asterisk for a moment, for API and pages alike: however many ask, Asterisk is asked once."""
    app.extensions[_KEPT] = KeptStatus(lambda: pbx_status(everything().settings))


def kept_status() -> KeptStatus:
    """Returns the status of the bundled Asterisk as it was found a moment ago."""
    return cast("KeptStatus", current_app.extensions[_KEPT])


class Finding(Schema):
    """What the log complains of, explained."""

    what = fields.String(metadata={"example": "port 5060 is taken by another program"})
    mend = fields.String(metadata={"description": "What to do"})
    at = fields.String(metadata={"description": "When it was last said"})
    count = fields.Integer()
    is_fatal = fields.Boolean(metadata={"description": "No phone can register until it is mended"})


class Service(Schema):
    """How the bundled Asterisk is."""

    version = fields.String()
    is_installed = fields.Boolean()
    is_running = fields.Boolean()
    is_answering = fields.Boolean()
    pid = fields.Integer()
    uptime_s = fields.Float()
    memory_bytes = fields.Integer()
    channels = fields.Integer()
    calls = fields.Integer()
    registrations = fields.Integer()
    findings = fields.List(fields.Nested(Finding))


class RestartBody(Strict):
    """When to restart."""

    now = Flag(load_default=False, metadata={"description": "true ends the calls there are; false waits for the last one"})


class Restarting(Schema):
    """What was asked."""

    now = fields.Boolean()


class LogQuery(Strict):
    """Which lines."""

    lines = fields.Integer(
        load_default=100,
        validate=validate.Range(1, 2000, error="a whole number from 1 to 2000 is needed"),
        error_messages={"invalid": "a whole number from 1 to 2000 is needed"},
    )
    log = fields.String(
        load_default="messages",
        validate=validate.OneOf(LOGS, error=f"one of {', '.join(LOGS)} is needed"),
        metadata={"description": "security tells who tried to register or to call"},
    )


class Log(Schema):
    """The newest lines, and what they complain of."""

    lines = fields.List(fields.String())
    findings = fields.List(fields.Nested(Finding))


@noun.route("/pbx/service")
class PbxService(MethodView):
    """The bundled Asterisk."""

    @noun.gives(200, Service)
    @noun.refuses(404, 503)
    def get(self) -> PBXStatus:
        """Show how the bundled Asterisk is, and what its log complains of since it started."""
        if installation().settings.pbx != "bundled":
            raise _refused(NoBundledPBX("there is no bundled Asterisk: PROVISIONER_PBX is another one"))
        return kept_status().get()


@noun.route("/pbx/restart")
class PbxRestart(MethodView):
    """Restarting the bundled Asterisk."""

    @noun.takes(RestartBody, required=False, example={"now": False})
    @noun.gives(202, Restarting)
    @noun.refuses(404, 503)
    def post(self, given: dict[str, Any]) -> dict[str, Any]:
        """Restart the bundled Asterisk; phones register again by themselves."""
        try:
            restart_pbx(installation().settings, now=given["now"])
        except NoBundledPBX as error:
            raise _refused(error) from error
        kept_status().forget()
        installation().changes.note(actor(), "pbx.restart", "pbx", {"now": given["now"]})
        return {"now": given["now"]}


@noun.route("/pbx/reload")
class PbxReload(MethodView):
    """Having the bundled Asterisk read its files again."""

    @noun.gives(204, description="It has read its files again; no call was ended.")
    @noun.refuses(404, 503)
    def post(self) -> tuple[str, int]:
        """Have the bundled Asterisk read its files again, those of your own in pbx/custom included."""
        try:
            reload_pbx(installation().settings)
        except NoBundledPBX as error:
            raise _refused(error) from error
        kept_status().forget()
        installation().changes.note(actor(), "pbx.reload", "pbx", None)
        return "", 204


@noun.route("/pbx/log")
class PbxLog(MethodView):
    """The log of the bundled Asterisk."""

    @allowed("admin")
    @noun.takes(LogQuery, location="query")
    @noun.gives(200, Log)
    @noun.refuses(404, 503)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Show the newest lines of the bundled Asterisk's log, and what they complain of."""
        try:
            lines, findings = pbx_log(installation().settings, query["lines"], query["log"])
        except NoBundledPBX as error:
            raise _refused(error) from error
        return {"lines": lines, "findings": findings}


def _refused(error: NoBundledPBX) -> Refusal:
    return Refusal(503, error.reason, str(error))
