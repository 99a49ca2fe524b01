"""How far phones are between a change and its proof: of one phone, and of all of them in pages."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.context import has_pbx, installation
from provisioner.api.noun import Noun
from provisioner.api.paging import MacPageQuery, page, page_of
from provisioner.api.phones import STAGES, mac_of
from provisioner.api.schemas import MacField, Text, Time
from provisioner.core.lockstep import LockstepFacts, stage
from provisioner.core.mac import Mac
from provisioner.errors import NotFound
from provisioner.records import PhoneFilter, PhoneRecord, WakeRecord

noun = Noun("lockstep", "How far phones are between a change and its proof.", of_sites=True)

FACTS = (
    "wanted", "live", "served", "pbx_wanted", "pbx_verified", "live_at", "registered_at", "fetched_at", "notified_at", "error", "has_lines", "has_pbx",
    "retired_at",
)  # fmt: skip


class Wake(Schema):
    """What came of telling the phone that it has new files."""

    notified_at = Time(allow_none=True)
    tries = fields.Integer(metadata={"description": "How often it was told of its live files"})
    reached = fields.Integer(metadata={"description": "Contacts that the last NOTIFY went to"})
    due_at = Time(allow_none=True, metadata={"description": "When its turn comes, or whether it fetched is looked at"})
    error = fields.String(
        metadata={"description": "Why it was not, or to no avail, told", "example": "not registered: it fetches at its next restart"}
    )


class Lockstep(Schema):
    """The facts that a phone's stage follows from. Hashes are of whole sets of files; null equals nothing."""

    stage = fields.String(validate=validate.OneOf(STAGES))
    wanted = fields.String(allow_none=True, metadata={"description": "The files that it should have"})
    live = fields.String(allow_none=True, metadata={"description": "The files that it is served"})
    served = fields.String(allow_none=True, metadata={"description": "The files that it took to their last byte"})
    pbx_wanted = fields.String(allow_none=True, metadata={"description": "What the PBX should say of its extensions"})
    pbx_verified = fields.String(allow_none=True, metadata={"description": "What the PBX was last read to say"})
    live_at = Time(allow_none=True, metadata={"description": "Since when it is served them"})
    registered_at = Time(allow_none=True)
    fetched_at = Time(allow_none=True, metadata={"description": "Since when it has the last of them as it is; asking again does not count"})
    notified_at = Time(allow_none=True)
    error = fields.String(metadata={"description": "Why it is held; empty where it is not"})
    has_lines = fields.Boolean(metadata={"description": "false: there is nothing of it that the PBX or a registration could prove"})
    has_pbx = fields.Boolean(metadata={"description": "false: no PBX is kept in lockstep, and served files are all that is proven"})
    retired_at = Time(allow_none=True, metadata={"description": "When it was taken out of service; null: it is in service"})
    wake = fields.Nested(Wake)


class LockstepListed(Lockstep):
    """A phone in the list, with the facts that its stage follows from."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    model = fields.String(metadata={"example": "yealink/t46u"})
    site = fields.String(metadata={"example": "default"})


class LockstepQuery(MacPageQuery):
    """Which phones."""

    site = Text(load_default="")
    stage = fields.String(validate=validate.OneOf(STAGES, error=f"one of {', '.join(STAGES)} is needed"))


@noun.route("/lockstep")
class Locksteps(MethodView):
    """Where all phones stand between a change and its proof."""

    @noun.takes(LockstepQuery, location="query")
    @noun.gives(200, page_of(LockstepListed, "LockstepPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List how far phones are, in the order of their MAC."""
        store, limit = installation().store, query["limit"]
        wanted = PhoneFilter(stage=query.get("stage", ""), site=query["site"], has_pbx=has_pbx())
        rows = store.phones(after=query.get("after", ""), limit=limit + 1, wanted=wanted)
        known = _known([row.mac for row in rows])
        listed = page(rows, limit, lambda row: row.mac.colons)
        # A phone that is gone since its row was read is of no stage any more.
        return {**listed, "items": [_listed(row, *known[row.mac]) for row in listed["items"] if row.mac in known]}


@noun.route("/phones/<string:mac>/lockstep")
class PhoneLockstep(MethodView):
    """Where a phone stands between a change and its proof."""

    @noun.gives(200, Lockstep)
    def get(self, mac: str) -> dict[str, Any]:
        """Show how far a phone is."""
        parsed = mac_of(mac)
        known = _known([parsed])
        if parsed not in known:
            raise NotFound({"mac": f"phone {parsed.colons} is not listed"})
        return _shown(*known[parsed])


def _known(macs: list[Mac]) -> dict[Mac, tuple[LockstepFacts, WakeRecord]]:
    """Returns the facts of those phones that there are, however many, in as many statements as of one."""
    store = installation().store
    facts = store.locksteps(macs, has_pbx=has_pbx())
    wakes = store.wakes(macs)
    return {mac: (facts[mac], wakes[mac]) for mac in macs if mac in facts and mac in wakes}


def _shown(facts: LockstepFacts, wake: WakeRecord) -> dict[str, Any]:
    return {"stage": str(stage(facts)), **{name: getattr(facts, name) for name in FACTS}, "wake": wake}


def _listed(row: PhoneRecord, facts: LockstepFacts, wake: WakeRecord) -> dict[str, Any]:
    return {"mac": row.mac, "model": row.model, "site": row.site, **_shown(facts, wake)}
