"""The makers' redirect services: accounts there, and phones that are to be registered with them."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import Noun
from provisioner.api.paging import MacPageQuery, page, page_of
from provisioner.api.phones import found_phone, mac_of
from provisioner.api.schemas import MacField, Strict, Text, Time, Whole
from provisioner.core.catalogue import Vendor
from provisioner.core.mac import Mac
from provisioner.errors import NotFound
from provisioner.records_install import RedirectRemoval
from provisioner.redirect import SERVICES
from provisioner.redirecting import ask_redirect

noun = Noun("redirects", "The makers' redirect services, which tell phones fresh from the factory where their server is.")


class AccountBody(Strict):
    """The account at a vendor's service."""

    address = Text(longest=255, metadata={"example": "https://api.example.com", "description": "Of the service; absent: the catalogue's"})
    fields_ = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        data_key="fields",
        metadata={
            "example": {"api_key": "0123456789abcdef", "profile": "office"},
            "description": "As needs lists them; they are not shown again",
        },
    )


class ServiceShown(Schema):
    """A vendor's service, and whether there is an account."""

    vendor = fields.String(metadata={"example": "yealink"})
    service = fields.String(metadata={"example": "ztp"})
    title = fields.String()
    address = fields.String()
    needs = fields.List(fields.String(), metadata={"description": "Fields of an account"})
    needs_serial = fields.Boolean()
    has_own_address = fields.Boolean(metadata={"description": "Each phone gets an address of its own, with an install code in it"})
    is_set = fields.Boolean()


class RedirectBody(Strict):
    """What some services want to know of the phone."""

    serial = Text(longest=64, load_default="", metadata={"example": "20EXGQ1M01234567", "description": "Serial number on the label"})


class RedirectShown(Schema):
    """Where a phone is with the redirect service; it says nothing about what it fetched and whether it is registered with the PBX."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    state = fields.String(metadata={"enum": ["none", "asked", "registered", "refused"], "example": "asked"})
    wanted = fields.Boolean(metadata={"description": "false: it is to be taken off"})
    reason = fields.String(metadata={"description": "Why it is refused, or what the last try came to"})
    tries = Whole()
    changed_at = Time(allow_none=True)
    due_at = Time(allow_none=True, metadata={"description": "When it is tried next"})


class RemovalShown(Schema):
    """A phone that was taken off the list, and that its maker's redirect service is still to forget."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    vendor = fields.String(metadata={"example": "yealink"})
    state = fields.String(metadata={"enum": ["asked", "refused"], "example": "asked", "description": "refused: not tried again by itself"})
    reason = fields.String(metadata={"description": "Why it is refused, or what the last try came to"})
    asked_at = Time()
    changed_at = Time()
    tries = Whole()
    due_at = Time(allow_none=True, metadata={"description": "When it is tried next"})


@noun.route("/redirect-services")
class Services(MethodView):
    """All services."""

    @noun.gives(200, ServiceShown(many=True))
    def get(self) -> list[dict[str, Any]]:
        """List the vendors' redirect services; nothing secret is shown."""
        return [_shown(vendor) for vendor in installation().catalogue.vendors.values() if vendor.redirect is not None]


@noun.route("/redirect-services/<string:vendor>")
class Service(MethodView):
    """The account at one service."""

    @allowed("admin")
    @noun.takes(AccountBody, example={"fields": {"api_key": "0123456789abcdef", "profile": "office"}})
    @noun.gives(200, ServiceShown)
    def put(self, given: dict[str, Any], vendor: str) -> dict[str, Any]:
        """Set the account at a vendor's redirect service; its fields are encrypted and not shown again."""
        found = _found(vendor)
        facts = found.redirect
        if facts is not None:
            address = given.get("address") or facts.address
            installation().changes.set_redirect_account(actor(), vendor, address, given["fields_"], SERVICES[facts.service].fields)
        return _shown(found)

    @allowed("admin")
    @noun.gives(204)
    def delete(self, vendor: str) -> Response:
        """Forget the account at a vendor's redirect service; what is registered there stays registered."""
        installation().changes.remove_redirect_account(actor(), _found(vendor).id)
        return Response(status=204)


@noun.route("/phones/<string:mac>/redirect")
class PhoneRedirect(MethodView):
    """A phone at its maker's redirect service."""

    @noun.gives(200, RedirectShown)
    def get(self, mac: str) -> dict[str, Any]:
        """Show where a phone is with its maker's redirect service."""
        return _state(found_phone(mac).mac)

    @allowed("technician")
    @noun.takes(RedirectBody, required=False, example={"serial": "20EXGQ1M01234567"})
    @noun.gives(202, RedirectShown)
    def post(self, given: dict[str, Any], mac: str) -> dict[str, Any]:
        """Ask that a phone be registered with its maker's redirect service; the worker does it, and again after failures."""
        place = installation()
        parsed = mac_of(mac)
        ask_redirect(place.store, place.changes, actor(), parsed, given["serial"])
        return _state(parsed)

    @allowed("technician")
    @noun.gives(202, RedirectShown)
    def delete(self, mac: str) -> dict[str, Any]:
        """Ask that a phone be taken off its maker's redirect service."""
        parsed = mac_of(mac)
        installation().changes.end_redirect(actor(), parsed)
        return _state(parsed)


@noun.route("/redirect-removals")
class Removals(MethodView):
    """Phones that services are still to forget."""

    @noun.takes(MacPageQuery, location="query")
    @noun.gives(200, page_of(RemovalShown, "RedirectRemovalPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List phones that were taken off the list and that redirect services are still to forget, in the order of their MAC."""
        rows = installation().store.redirect_removals(after=query.get("after", ""), limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.mac.colons)


@noun.route("/redirect-removals/<string:mac>")
class OneRemoval(MethodView):
    """One phone that a service is still to forget."""

    @allowed("technician")
    @noun.gives(204)
    def delete(self, mac: str) -> Response:
        """Give a removal up: the service keeps the phone until somebody takes it off there by hand."""
        installation().changes.forget_redirect_removal(actor(), mac_of(mac))
        return Response(status=204)


@noun.route("/redirect-removals/<string:mac>/retry")
class RetriedRemoval(MethodView):
    """Another try."""

    @allowed("technician")
    @noun.gives(202, RemovalShown)
    def post(self, mac: str) -> RedirectRemoval:
        """Have a removal tried again now."""
        parsed = mac_of(mac)
        installation().changes.retry_redirect_removal(actor(), parsed)
        kept = installation().store.redirect_removal(parsed)
        if kept is None:  # the worker was faster
            raise NotFound({"mac": f"{parsed.colons} is forgotten already"})
        return kept


def _state(mac: Mac) -> dict[str, Any]:
    found = installation().store.redirect(mac)
    names = ("mac", "state", "reason", "tries", "changed_at", "due_at")
    leaving = installation().store.redirect_removal(mac) if found is None else None
    if leaving is not None:  # from before it was listed again
        return {**{name: getattr(leaving, name) for name in names}, "wanted": False}
    if found is None:
        return {"mac": mac, "state": "none", "wanted": False, "reason": "", "tries": 0, "changed_at": None, "due_at": None}
    return {name: getattr(found, name) for name in (*names, "wanted")}


def _found(name: str) -> Vendor:
    vendor = installation().catalogue.vendors.get(name)
    if vendor is None or vendor.redirect is None:
        raise NotFound({"vendor": f"'{name[:32]}' has no redirect service"})
    return vendor


def _shown(vendor: Vendor) -> dict[str, Any]:
    facts = vendor.redirect
    if facts is None:
        return {}
    kind, account = SERVICES[facts.service], installation().store.redirect_account(vendor.id)
    return {
        "vendor": vendor.id, "service": facts.service, "title": kind.title, "address": account.address if account else facts.address,
        "needs": list(kind.fields), "needs_serial": kind.needs_serial, "has_own_address": kind.has_own_address, "is_set": account is not None,
    }  # fmt: skip
