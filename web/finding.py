"""Which phone somebody means who stands before it: by the digits of its label, by a scanned barcode, or out of those that were seen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from provisioner.api.context import installation
from provisioner.api.sightings import catalogue_model
from provisioner.core.identify import model_of
from provisioner.core.mac import Mac, try_parse, try_parse_tail
from provisioner.errors import InputError
from provisioner.places import SiteFinder
from provisioner.records import PhoneFilter, SightingRecord
from provisioner.records_enrolment import NewcomerRecord
from web.i18n import _

SHOWN = 30
"""Phones seen that are offered; whoever stands before one has just plugged it in."""
_WHOLE = re.compile(r"(?<![0-9a-z])(?:mac[^0-9a-z]*)?([0-9a-f]{2}(?:[:.-]?[0-9a-f]{2}){5})(?![0-9a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a phone that nobody listed. Texts are empty where nothing is known."""

    mac: Mac
    vendor: str = ""
    model: str = ""
    """Of the catalogue."""
    named: str = ""
    """The model as the phone names it."""
    firmware: str = ""
    peer: str = ""
    last_seen: float | None = None
    conflict: str = ""
    waits: bool = False
    """It is in the waiting room: taken in, it comes by itself at once."""
    code: str = ""
    """What its display shows while it waits."""

    @property
    def site(self) -> str:
        """Returns the site whose networks it was seen in, as far as the caller sees it; empty where that is none."""
        return SiteFinder(installation().store.sites()).site_of(self.peer) or ""


def newest() -> list[Found]:
    """Returns the phones seen last that nobody listed."""
    return _known(installation().store.newest_sightings(limit=SHOWN))


def about(mac: Mac) -> Found:
    """Returns what is known of a phone that nobody listed, be it only its maker."""
    rows = installation().store.sightings(mac=mac, limit=1)
    return _known(rows)[0] if rows else _of(mac, None, installation().store.newcomers_of([mac]).get(mac))


def asks_as_fresh(mac: Mac) -> bool:
    """Returns whether a listed phone asked by its MAC alone and was not let in: it was reset, or its time was over."""
    store = installation().store
    return bool(store.newcomers_of([mac]) or store.bootstrap_refusals(mac=mac, limit=1))


def meant(text: str) -> list[Mac]:
    """Returns the phones that a text may mean: a whole MAC, listed, seen or neither, or the last six digits of one that is known.

    Raises ``InputError`` where it is neither, or means none.
    """
    if whole := _whole(text):
        return [whole]
    tail = try_parse_tail(text)
    if tail is None:
        raise InputError({"phone": _("The last six letters and digits of the MAC are needed, for example aabbcc.")})
    store = installation().store
    listed = [row.mac for row in store.phones(wanted=PhoneFilter(search=tail), limit=SHOWN) if row.mac.endswith(tail)]
    found = [*listed, *(row.mac for row in store.newest_sightings(tail=tail, limit=SHOWN))]
    if not found:
        raise InputError({"phone": _("No such phone has asked yet. Is it plugged in? With the whole MAC it can be installed before.")})
    return found


def _whole(text: str) -> Mac | None:
    """Returns the MAC in a text: of several, as on a label with more than one barcode, that of a maker in the catalogue."""
    macs = [mac for found in _WHOLE.findall(text) if isinstance(mac := try_parse(found), Mac)]
    known = [mac for mac in macs if installation().catalogue.vendor_of_oui(mac.oui)]
    return next(iter(known or macs), None)


def _known(rows: Iterable[SightingRecord]) -> list[Found]:
    seen = list(rows)
    newcomers = installation().store.newcomers_of([row.mac for row in seen])
    return [_of(row.mac, row, newcomers.get(row.mac)) for row in seen]


def _of(mac: Mac, seen: SightingRecord | None, newcomer: NewcomerRecord | None) -> Found:
    place = installation()
    vendor, model, conflict = place.catalogue.vendor_of_oui(mac.oui) or "", "", ""
    if newcomer is not None:
        model, conflict = model_of(place.catalogue, mac, newcomer.user_agent)
    if seen is not None:
        vendor, model, conflict = seen.vendor or vendor, catalogue_model(place.catalogue, seen) or model, seen.conflict or conflict
    waits = newcomer is not None and newcomer.waits
    return Found(
        mac, vendor, model,
        named=seen.model if seen else "",
        firmware=seen.firmware if seen else "",
        peer=seen.peer if seen else newcomer.peer if newcomer else "",
        last_seen=seen.last_seen if seen else newcomer.at if newcomer else None,
        conflict=conflict,
        waits=waits,
        code=place.box.waiting_code(mac) if waits else "",
    )  # fmt: skip
