"""Firmware: which image phones are to run, and how far its roll-out is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import PageQuery, page_of, sliced
from provisioner.api.schemas import MacField, Rows, Strict, Text, Whole
from provisioner.changes.firmware import SHARES, TIMEOUT_S, PinInput
from provisioner.core.rollout import Pin
from provisioner.errors import NotFound
from provisioner.store import ReleaseCounts

noun = Noun(
    "firmware",
    "Images that phones are to run, rolled out share by share. A target is a model (`yealink/t46u`), a model and a group (`yealink/t46u@sales`) "
    "or a MAC; the nearest one counts for a phone. Everything here needs the role admin.",
)

Answer = tuple[dict[str, Any], int, dict[str, str]]


class PinBody(Strict):
    """An image to be pinned."""

    file = Text(required=True, longest=200, metadata={"description": "Name below firmware/ of the static files"})
    version = Text(required=True, longest=64, metadata={"description": "As the phones' User-Agent says it", "example": "108.86.0.90"})
    hardware = Text(longest=64, load_default="", metadata={"description": "Revision or part number that the image is for; empty: any"})
    shares = Rows(
        Whole(),
        longest=20,
        load_default=list(SHARES),
        metadata={"description": "Percent of the phones, rising to 100", "example": [5, 25, 100]},
    )
    timeout_s = Whole(load_default=TIMEOUT_S, metadata={"description": "Seconds in which a phone has to come back with the version"})


class PinShown(PinBody):
    """A pinned image and its roll-out."""

    target = fields.String(metadata={"example": "yealink/t46u"})
    model = fields.String(metadata={"example": "yealink/t46u"})
    group = fields.String(allow_none=True, metadata={"description": "Of its phones; null: all of the model, or the one phone"})
    mac = MacField(allow_none=True, metadata={"description": "The one phone; null: all that the target names"})
    sha256 = fields.String(metadata={"description": "Of the file when it was pinned: compare it with the maker's"})
    state = fields.String(validate=validate.OneOf(["rolling", "done", "stopped"]))
    share = Whole(metadata={"description": "Which of the shares is being given, from 1"})
    given = Whole(metadata={"description": "Phones that were given the image"})
    confirmed = Whole(metadata={"description": "Of them, those that were seen to run the version"})
    reason = fields.String(metadata={"description": "Why it stopped; empty where it did not"})
    revision = Whole()


@noun.route("/firmware")
class Pins(MethodView):
    """All pinned images."""

    @allowed("admin")
    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(PinShown, "FirmwarePage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List what is pinned, in the order of the targets."""
        shown = sliced(installation().store.firmware_pins(), query["after"], query["limit"], lambda pin: pin.target)
        counts = installation().store.release_counts()
        return {**shown, "items": [_shown(pin, counts) for pin in shown["items"]]}


@noun.route("/firmware/<path:target>")
class OnePin(MethodView):
    """One pinned image."""

    @allowed("admin")
    @conditional
    @noun.gives(200, PinShown, headers=ETAG)
    def get(self, target: str) -> Answer:
        """Show a pin and how far its roll-out is."""
        pin = _found(target)
        return _counted(pin), 200, tagged(pin.revision)

    @conditional
    @noun.takes(PinBody, example={"file": "gxp2170fw.bin", "version": "1.0.11.79", "shares": [5, 25, 100]})
    @noun.gives(200, PinShown, headers=ETAG)
    def put(self, given: dict[str, Any], target: str) -> Answer:
        """Pin an image and begin its roll-out anew: the next share is given only when the one before came back with the version."""
        there = installation().store.firmware_pin(target)
        expected = expected_revision(there.revision if there else 0)
        pin = installation().changes.put_pin(actor(), target, PinInput(**given), expected)
        return _counted(pin), 200, tagged(pin.revision)

    @conditional
    @noun.gives(204)
    def delete(self, target: str) -> Response:
        """Take a pin off: phones keep what they run."""
        installation().changes.delete_pin(actor(), target, expected_revision(_found(target).revision))
        return Response(status=204)


@noun.route("/firmware/<path:target>/resume")
class Resume(MethodView):
    """A stopped roll-out."""

    @noun.gives(200, PinShown, headers=ETAG)
    def post(self, target: str) -> Answer:
        """Let a stopped roll-out go on: the phones that did not come back are waited for once more."""
        pin = installation().changes.resume_pin(actor(), target)
        return _counted(pin), 200, tagged(pin.revision)


def _counted(pin: Pin) -> dict[str, Any]:
    return _shown(pin, installation().store.release_counts())


def _shown(pin: Pin, counts: Mapping[str, ReleaseCounts]) -> dict[str, Any]:
    facts = {"share": pin.share + 1, **counts.get(pin.target, ReleaseCounts())._asdict()}
    names = ("target", "model", "group", "mac", "file", "version", "hardware", "sha256", "state", "timeout_s", "reason", "revision")
    return {**{name: getattr(pin, name) for name in names}, "shares": list(pin.shares), **facts}


def _found(target: str) -> Pin:
    pin = installation().store.firmware_pin(target)
    if pin is None:
        raise NotFound({"target": f"no firmware is pinned for {target[:64]}"})
    return pin
