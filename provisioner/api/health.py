"""For machines that look after this one: alive, ready, numbers. No token is needed; none of it is secret."""

from __future__ import annotations

from typing import Any, cast

from flask import Response, current_app
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.metrics import CONTENT_TYPE, Metrics
from provisioner.api.noun import PROBLEMS, Noun
from provisioner.api.problems import problem
from provisioner.api.readiness import Readiness

noun = Noun("health", "Alive, ready, numbers: for machines that look after this one. No token is needed.", prefix=None)


class Alive(Schema):
    """Alive."""

    status = fields.String(validate=validate.Equal("alive"))


class Ready(Schema):
    """Every enabled part serves."""

    status = fields.String(validate=validate.Equal("ready"))
    parts = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"example": {"database": "ok", "worker": "ok"}})
    details = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "What parts that serve have to say besides", "example": {"discovery": "hears pnp"}},
    )


@noun.route("/healthz")
class Healthz(MethodView):
    """Alive?"""

    @allowed("nobody")
    @noun.gives(200, Alive)
    def get(self) -> dict[str, Any]:
        """Say that the process is alive; it looks at nothing else."""
        return {"status": "alive"}


@noun.route("/readyz")
class Readyz(MethodView):
    """Ready?"""

    @allowed("nobody")
    @noun.gives(200, Ready)
    @noun.documents(responses={"503": {"$ref": f"#/components/responses/{PROBLEMS[503][0]}"}})
    def get(self) -> dict[str, Any] | Response:
        """Say whether every enabled part serves, and which does not."""
        readiness = cast("Readiness", current_app.extensions["provisioner.readiness"])
        complaints = readiness.complaints()
        parts = {part: complaint or "ok" for part, complaint in complaints.items()}
        if not any(complaints.values()):
            return {"status": "ready", "parts": parts, "details": readiness.details()}
        detail = "; ".join(f"{part}: {complaint}" for part, complaint in complaints.items() if complaint)
        return problem(503, "not_ready", detail, {"Retry-After": "5"}, parts=parts)


@noun.route("/metrics")
class MetricsPage(MethodView):
    """Numbers."""

    @allowed("nobody")
    @noun.gives(200, {"type": "string"}, content_type="text/plain", description="Prometheus text format")
    def get(self) -> Response:
        """Show the numbers of the installation for Prometheus."""
        metrics = cast("Metrics", current_app.extensions["provisioner.metrics"])
        return Response(metrics.text(), content_type=CONTENT_TYPE)
