"""How far the PBX is from what the extensions should be."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.context import has_pbx, installation
from provisioner.api.noun import Noun

noun = Noun("pbx", "How far the PBX is from what the extensions should be.")


class Pbx(Schema):
    """The PBX."""

    kind = fields.String(metadata={"example": "bundled"})
    state = fields.String(
        validate=validate.OneOf(["none", "in_lockstep", "drifting", "held"]),
        metadata={"description": "none: no PBX is kept; drifting: extensions wait to be pushed; held: pushing some of them failed"},
    )
    extensions = fields.Integer()
    drift = fields.Integer(metadata={"description": "Extensions that the PBX was not yet read to say as wanted"})
    errors = fields.Integer(metadata={"description": "Extensions whose push failed"})


@noun.route("/pbx")
class PbxState(MethodView):
    """The PBX."""

    @noun.gives(200, Pbx)
    def get(self) -> dict[str, Any]:
        """Show the state of the PBX."""
        kind, counts = installation().settings.pbx, installation().store.pbx_counts()
        if not has_pbx():
            return {"kind": kind, "state": "none", "extensions": counts["extensions"], "drift": 0, "errors": 0}
        state = "held" if counts["errors"] else "drifting" if counts["drift"] else "in_lockstep"
        return {"kind": kind, "state": state, **counts}
