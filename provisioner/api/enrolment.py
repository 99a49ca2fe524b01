"""Taking phones in: windows, the warehouse, newcomers, and claims by technicians."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, ValidationError, fields, validates_schema

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import ETAG, Noun
from provisioner.api.paging import MacPageQuery, PageQuery, page, page_of, sliced
from provisioner.api.phones import PhoneShown, created, mac_of, shown
from provisioner.api.schemas import MacField, Rows, Strict, Text, Time, Whole, row_of
from provisioner.changes import LineInput, PhoneInput
from provisioner.changes.enrolment import Stocked
from provisioner.core.enrolment import CLAIM_MINUTES, WINDOW_MINUTES, WINDOW_PHONES, dialled
from provisioner.core.identify import model_of
from provisioner.core.mac import Mac, try_parse_tail
from provisioner.errors import InputError, NotFound
from provisioner.records_enrolment import NewcomerRecord, WindowRecord

noun = Noun("enrolment", "Taking phones in: windows, the warehouse, newcomers, claims. Writing needs the role technician.", of_sites=True)


class WindowBody(Strict):
    """For how long, and for how many."""

    minutes = Whole(load_default=WINDOW_MINUTES, metadata={"description": "1 to 1440"})
    phones = Whole(load_default=WINDOW_PHONES, metadata={"description": "1 to 1000; behind the last one the window closes"})


class Window(Schema):
    """A site's window."""

    site = fields.String()
    opened_at = Time()
    closes_at = Time()
    most = fields.Integer(metadata={"description": "Phones that may come in"})
    taken = fields.Integer(metadata={"description": "Phones that have"})
    opened_by = fields.String()


class StockBody(Strict):
    """A phone for the warehouse."""

    mac = MacField(required=True, metadata={"example": "80:5e:c0:aa:bb:cc"})
    model = Text(required=True, longest=64, metadata={"example": "yealink/t46u"})
    note = Text(longest=128, load_default="", metadata={"example": "order 4711"})


class WarehouseBody(Strict):
    """Phones for the warehouse: all of them, or none."""

    phones = Rows(row_of(StockBody), longest=5000, required=True)


class Stock(Schema):
    """A phone of the warehouse."""

    mac = MacField()
    model = fields.String()
    note = fields.String()
    added_at = Time()


class Added(Schema):
    """How many were added."""

    added = fields.Integer()


class Newcomer(Schema):
    """A MAC that asked for its files and was not let in."""

    mac = MacField()
    peer = fields.String()
    user_agent = fields.String()
    transport = fields.String()
    first_at = Time()
    at = Time()
    count = fields.Integer()
    waits = fields.Boolean(metadata={"description": "It got the configuration of the waiting room: claimed, it comes by itself"})
    waits_until = Time(allow_none=True, metadata={"description": "When it has to have been claimed"})
    judged_at = Time(allow_none=True, metadata={"description": "When its site's policy was last applied to it"})
    wrong_codes = fields.Integer(metadata={"description": "Codes dialled on it that were none"})
    code = fields.String(metadata={"description": "What it shows on its display while it waits", "example": "482913"})
    outcome = fields.String(metadata={"description": "What the site's policy made of it", "example": "it waits to be claimed"})
    stranger = fields.String(
        metadata={"description": "Address outside the trusted networks that named this MAC as well; nothing of it counts", "example": ""}
    )
    stranger_at = Time(allow_none=True)


class ClaimBody(Strict):
    """Which phone, and what becomes of it. Exactly one of ``mac``, ``mac_tail`` and ``code`` says which."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    mac_tail = Text(longest=17, metadata={"description": "The last six digits, as printed on its label", "example": "aabbcc"})
    code = Text(longest=6, metadata={"description": "The digits that its display shows", "example": "482913"})
    extension = Text(longest=32, metadata={"description": "For line 1; absent: the next one of the site's pool", "example": "1001"})
    site = Text(longest=64, metadata={"description": "Absent: the one whose networks it is in"})
    model = Text(longest=64, metadata={"description": "Absent: as the phone says", "example": "yealink/t46u"})

    @validates_schema
    def _one_name(self, given: dict[str, Any], **_: Any) -> None:
        if sum(name in given for name in ("mac", "mac_tail", "code")) != 1:
            raise ValidationError("exactly one of mac, mac_tail and code is needed", "mac_tail")


class CodeBody(Strict):
    """For which extension."""

    extension = Text(required=True, longest=32, metadata={"example": "1001"})
    minutes = Whole(load_default=CLAIM_MINUTES, metadata={"description": "1 to 1440"})


class Code(Schema):
    """A code to be dialled on the phone. It is shown this once."""

    extension = fields.String()
    dial = fields.String(metadata={"example": "*5548291377"})
    expires_at = Time()


@noun.route("/windows")
class Windows(MethodView):
    """The windows of all sites."""

    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(Window, "WindowPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the windows that were opened and not closed by hand, in the order of their site."""
        return sliced(installation().store.windows(), query["after"], query["limit"], lambda row: row.site)


@noun.route("/sites/<string:name>/window")
class SiteWindow(MethodView):
    """The window in which a site takes in phones that nobody listed."""

    @noun.gives(200, Window)
    def get(self, name: str) -> WindowRecord:
        """Show the open window of a site."""
        now = installation().changes.clock()
        found = next((window for window in installation().store.windows() if window.site == name and window.is_open(now)), None)
        if found is None:
            raise NotFound({"site": f"no window is open at {name[:64]}"})
        return found

    @allowed("technician")
    @noun.takes(WindowBody, required=False, example={"minutes": WINDOW_MINUTES, "phones": WINDOW_PHONES})
    @noun.gives(200, Window)
    def put(self, given: dict[str, Any], name: str) -> WindowRecord:
        """Open the window of a site, for a bounded time and number; it closes itself."""
        return installation().changes.open_window(actor(), name, given["minutes"], given["phones"])

    @allowed("technician")
    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Close the window of a site."""
        installation().changes.close_window(actor(), name)
        return Response(status=204)


@noun.route("/warehouse")
class Warehouse(MethodView):
    """Phones that have no place yet."""

    @noun.takes(MacPageQuery, location="query")
    @noun.gives(200, page_of(Stock, "StockPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the phones of the warehouse, in the order of their MAC."""
        rows = installation().store.warehouse(after=query.get("after", ""), limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.mac.colons)

    @allowed("technician")
    @noun.takes(WarehouseBody, example={"phones": [{"mac": "80:5e:c0:aa:bb:cc", "model": "yealink/t46u"}]})
    @noun.gives(201, Added)
    def post(self, given: dict[str, Any]) -> tuple[dict[str, int], int]:
        """Add phones to the warehouse: each is taken in at the site where it is first plugged in, with an extension of that site's pool."""
        return {"added": installation().changes.add_to_warehouse(actor(), [Stocked(**row) for row in given["phones"]])}, 201


@noun.route("/warehouse/<string:mac>")
class OneStocked(MethodView):
    """One phone of the warehouse."""

    @allowed("technician")
    @noun.gives(204)
    def delete(self, mac: str) -> Response:
        """Take a phone out of the warehouse."""
        installation().changes.remove_from_warehouse(actor(), mac_of(mac))
        return Response(status=204)


@noun.route("/newcomers")
class Newcomers(MethodView):
    """MACs that asked and were not let in."""

    @noun.takes(MacPageQuery, location="query")
    @noun.gives(200, page_of(Newcomer, "NewcomerPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List MACs that asked for files by their name alone and were not let in, with what their site's policy made of it."""
        rows = installation().store.newcomers(after=query.get("after", ""), limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.mac.colons, _shown)


@noun.route("/claims")
class Claims(MethodView):
    """A technician's word that a phone belongs here."""

    @allowed("technician")
    @noun.takes(ClaimBody, example={"mac_tail": "aabbcc", "extension": "1001"})
    @noun.gives(201, PhoneShown, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Take in a phone that asked for its files. A listed one that asks as a fresh one, as after a reset, is let in again (200)."""
        place, seen = installation(), _newcomer(given)
        if place.store.listed([seen.mac]):
            return shown(place.changes.reopen_first_fetch(actor(), seen.mac))
        lines = [LineInput(1, given["extension"])] if "extension" in given else None
        model = given.get("model") or model_of(place.catalogue, seen.mac, seen.user_agent)[0] or None
        wanted = PhoneInput(model=model, site=given.get("site"), lines=lines)
        return created(place.changes.adopt_phone(actor(), seen.mac, wanted, seen.peer))


@noun.route("/claim-codes")
class ClaimCodes(MethodView):
    """Codes that are dialled on a phone in the waiting room."""

    @allowed("technician")
    @noun.takes(CodeBody, example={"extension": "1001"})
    @noun.gives(201, Code)
    def post(self, given: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Make a code that, dialled once on a phone in the waiting room, puts the extension on it."""
        code, expires_at = installation().changes.make_claim_code(actor(), given["extension"], given["minutes"])
        return {"extension": given["extension"], "dial": dialled(code), "expires_at": expires_at}, 201


def _newcomer(given: dict[str, Any]) -> NewcomerRecord:
    """Returns the one newcomer that is meant. Raises ``NotFound``, and ``InputError`` where it could be several."""
    store, box = installation().store, installation().box
    name = next(name for name in ("mac", "mac_tail", "code") if name in given)
    if name == "mac":
        found = store.newcomers(tail=given["mac"], limit=1)
    elif name == "mac_tail":
        found = store.newcomers(tail=_tail(given["mac_tail"]), limit=2)
    else:
        found = [row for row in store.newcomers(limit=10_000) if row.waits and box.waiting_code(row.mac) == given["code"]]
    if len(found) > 1:
        raise InputError({name: f"{' and '.join(row.mac.colons for row in found[:3])} are meant by that: say the whole MAC"})
    if not found:
        raise NotFound({name: "no such phone has asked for its files: is it plugged in, and does it know this server?"})
    return found[0]


def _tail(text: str) -> str:
    tail = try_parse_tail(text)
    if tail is None:
        raise InputError({"mac_tail": "the last six digits of the MAC are needed, for example aabbcc"})
    return tail


def _shown(row: NewcomerRecord) -> dict[str, Any]:
    names = (
        "mac",
        "peer",
        "user_agent",
        "transport",
        "first_at",
        "at",
        "count",
        "waits",
        "outcome",
        "stranger",
        "stranger_at",
        "waits_until",
        "judged_at",
        "wrong_codes",
    )
    code = installation().box.waiting_code(Mac(row.mac)) if row.waits else ""
    return {**{name: getattr(row, name) for name in names}, "code": code}
