"""The PBX: how far it is from what the rows say, what it says of itself, and putting it right."""

from __future__ import annotations

import time
from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, has_pbx, installation
from provisioner.api.noun import Noun
from provisioner.api.problems import Refusal
from provisioner.api.schemas import Flag, Strict, Time

noun = Noun("pbx", "The PBX that is kept in lockstep. Putting it right, and looking at what that would do, needs the role admin.")

ANSWER_S = 30.0
"""How long the worker may take: comparing ten thousand extensions takes seconds."""
POLL_S = 0.05
STATES = ["none", "away", "held", "drifting", "in_lockstep"]


class Drift(Schema):
    """What a comparison last found otherwise than it should be, although nobody here changed it."""

    at = Time()
    count = fields.Integer()
    numbers = fields.List(fields.String(), metadata={"description": "At most 20 of them"})
    details = fields.List(fields.String(), metadata={"example": ["1001: display_name is 'by hand'"]})
    is_put_back = fields.Boolean(metadata={"description": "false where the guard forbade it"})


class Pbx(Schema):
    """The PBX."""

    kind = fields.String(metadata={"example": "bundled"})
    state = fields.String(
        validate=validate.OneOf(STATES),
        metadata={
            "description": "none: no PBX is kept; away: it does not answer; held: it refused some; drifting: some wait, or the guard holds them back"
        },
    )
    reason = fields.String(metadata={"description": "Why it is away; empty where it answers"})
    since = Time(allow_none=True, metadata={"description": "Since when it answers, or is away"})
    version = fields.String()
    started_at = Time(allow_none=True)
    channels = fields.Integer(metadata={"description": "Legs of calls at this moment, to within seconds"})
    extensions = fields.Integer()
    drift = fields.Integer(metadata={"description": "Extensions and departments that it does not say as wanted, as far as is known"})
    errors = fields.Integer(metadata={"description": "Extensions and departments that it refused"})
    registrations = fields.Integer(metadata={"description": "Lines of phones that are registered"})
    rotating = fields.Integer(metadata={"description": "Extensions whose secret is on its way to the phones"})
    checked_at = Time(allow_none=True, metadata={"description": "When everything was last compared"})
    guard = fields.String(metadata={"description": "Why the last comparison was not applied, and what to do; empty where it was"})
    last_drift = fields.Nested(Drift, allow_none=True)


class Plan(Schema):
    """What would be, or was, done to the PBX."""

    lines = fields.List(fields.String(), metadata={"example": ["~ 1001 Alice: display_name is 'by hand'"]})
    create = fields.Integer()
    update = fields.Integer()
    delete = fields.Integer()
    guard = fields.String(metadata={"description": "Why it needs a confirmation; empty where it does not"})
    refused = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"description": "Number and why the PBX refused it"})
    applied = fields.Boolean()


class SyncBody(Strict):
    """Whether more may be changed than the guard lets through."""

    confirm = Flag(load_default=False)


@noun.route("/pbx")
class PbxState(MethodView):
    """The PBX."""

    @noun.gives(200, Pbx)
    def get(self) -> dict[str, Any]:
        """Show the state of the PBX."""
        place = installation()
        if not has_pbx():
            return {
                "kind": place.settings.pbx,
                "state": "none",
                "extensions": place.store.pbx_counts()["extensions"],
                "drift": 0,
                "errors": 0,
            }
        return {
            "kind": place.settings.pbx,
            **state_of(place.store.pbx_facts(), place.store.pbx_counts(), place.store.registration_counts()),
        }


@noun.route("/pbx/plan")
class PbxPlan(MethodView):
    """What comparing everything would do."""

    @allowed("admin")
    @noun.refuses(404, 503)
    @noun.gives(200, Plan)
    def get(self) -> dict[str, Any]:
        """Show what would be done to the PBX if everything were compared now."""
        return asked("plan")


@noun.route("/pbx/sync")
class PbxSync(MethodView):
    """Comparing everything, and putting right what differs."""

    @allowed("admin")
    @noun.refuses(404, 503)
    @noun.takes(SyncBody, required=False, example={"confirm": False})
    @noun.gives(200, Plan)
    def post(self, given: dict[str, Any]) -> dict[str, Any]:
        """Compare everything and put right what differs; 409 where that changes more than goes without a confirmation."""
        answer = asked("sync", confirmed=given["confirm"])
        if answer["guard"]:
            raise Refusal(409, "needs_confirmation", answer["guard"], lines=answer["lines"])
        return answer


def state_of(facts: dict[str, Any], counts: dict[str, int], lines: dict[str, int]) -> dict[str, Any]:
    """Returns what is shown of a PBX that is kept in lockstep."""
    drift, guard = facts.get("drift"), str(facts.get("guard", ""))
    behind = counts["drift"] + (drift["count"] if guard and drift else 0)
    is_away = facts.get("is_up") is False
    return {
        "state": "away" if is_away else "held" if counts["errors"] else "drifting" if behind else "in_lockstep",
        "reason": facts.get("reason", ""),
        "since": facts.get("since"),
        "version": facts.get("version", ""),
        "started_at": facts.get("started_at"),
        "channels": facts.get("channels", 0),
        "extensions": counts["extensions"],
        "drift": behind,
        "errors": counts["errors"],
        "registrations": lines["registrations"],
        "rotating": lines["rotating"],
        "checked_at": facts.get("checked_at"),
        "guard": guard,
        "last_drift": drift,
    }


def asked(what: str, *, confirmed: bool = False) -> dict[str, Any]:
    """Returns the worker's answer. Raises a problem where there is no PBX, or no answer in time."""
    if not has_pbx():
        raise Refusal(404, "not_found", "no PBX is kept in lockstep: PROVISIONER_PBX is none")
    place = installation()
    request = place.changes.ask_pbx(actor(), what, confirmed=confirmed)
    deadline = time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        answer = place.store.pbx_answer(request)
        if answer is not None and "error" in answer:
            raise Refusal(503, "not_ready", answer["error"])
        if answer is not None:
            return dict(answer)
        time.sleep(POLL_S)
    raise Refusal(503, "not_ready", "the worker did not answer: does it run? /readyz says which part does not")
