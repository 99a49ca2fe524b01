"""Who a text of the network speaks of: User-Agents, vendor classes, banners and makers' names against the catalogue. Pure; never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from provisioner.core.catalogue import MAX_USER_AGENT, Catalogue, parse_user_agent
from provisioner.core.hints import Hints
from provisioner.core.mac import Mac, try_parse
from provisioner.core.sightings import Fact, fact

LONGEST_CLASS = 255
LONGEST_BANNER = 4096
_PLAIN = re.compile(r"[^a-z0-9]")
_MAC = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{12}|[0-9A-Fa-f]{2}(?:[:\-][0-9A-Fa-f]{2}){5})(?![0-9A-Fa-f])")
# A binary vendor class: two zero bytes or none, the enterprise number, a length, then pairs of tag and length; 2 is the model, 4 the software.
_MODEL_TAG, _SOFTWARE_TAG = 2, 4
_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,6}){2,5}")


class Recognised(NamedTuple):
    """What a text says of its sender. ``vendor`` is a vendor's id, or the name of another maker."""

    vendor: str
    model: str = ""
    firmware: str = ""
    mac: Mac | None = None

    def facts(self, confidence: int) -> tuple[Fact, ...]:
        """Returns what it says as facts."""
        return (
            *fact("vendor", self.vendor, confidence),
            *fact("model", self.model, confidence),
            *fact("firmware", self.firmware, confidence),
        )


def makers(catalogue: Catalogue) -> Iterator[tuple[str, str, Hints]]:
    """Yields id or name, printed name, and hints of everyone in the catalogue, vendors first."""
    for vendor in catalogue.vendors.values():
        yield vendor.id, vendor.name, vendor.hints
    for maker in catalogue.makers:
        yield maker.name, maker.name, maker.hints


def hints_of(catalogue: Catalogue, vendor: str) -> Hints:
    """Returns the hints of a vendor's id or a maker's name; empty ones for nobody's."""
    return next((hints for own, _, hints in makers(catalogue) if own == vendor and hints != Hints()), Hints())


def by_user_agent(catalogue: Catalogue, text: str) -> Recognised | None:
    """Returns who a User-Agent (HTTP or SIP) is of, makers that are not provisioned among them."""
    agent = parse_user_agent(catalogue, text)
    if agent is not None:
        return Recognised(agent.vendor, agent.model or "", agent.version or "", agent.mac)
    if len(text) > MAX_USER_AGENT:
        return None
    return _first(((maker.name, maker.hints.user_agents) for maker in catalogue.makers), text)


def by_vendor_class(catalogue: Catalogue, value: bytes) -> Recognised | None:
    """Returns who a vendor class identifier (DHCP option 60) is of, in text or in the binary form of RFC 3925."""
    if len(value) > LONGEST_CLASS:
        return None
    text = value.rstrip(b"\0").decode("latin-1")
    for own, _, hints in makers(catalogue):
        for row in hints.dhcp_classes:
            match = row.pattern.match(text)
            if match:
                groups = match.groupdict()
                return Recognised(own, groups.get("model") or row.model, groups.get("version") or "")
    return by_enterprise(catalogue, value) or by_enterprise(catalogue, value[2:])


def by_enterprise(catalogue: Catalogue, value: bytes) -> Recognised | None:
    """Returns who a value that begins with an enterprise number is of (options 124 and 125), with what its pairs tell."""
    number = int.from_bytes(value[:4], "big") if len(value) >= 4 else 0
    own = next((own for own, _, hints in makers(catalogue) if hints.dhcp_enterprise and hints.dhcp_enterprise == number), None)
    if own is None:
        return None
    pairs = _pairs(value[5:])
    model = pairs.get(_MODEL_TAG, "").rpartition("-")[2]
    version = _VERSION.search(pairs.get(_SOFTWARE_TAG, ""))
    return Recognised(own, model, version[0] if version else "")


def by_name(catalogue: Catalogue, name: str) -> str:
    """Returns whose name this is, however it is spelled and whatever follows it; an empty text where it is nobody's of the catalogue."""
    plain = _PLAIN.sub("", name[:64].lower())
    for own, printed, hints in makers(catalogue):
        names = {_PLAIN.sub("", spelled.lower()) for spelled in (own, printed, *hints.pnp_names)}
        if any(plain.startswith(spelled) for spelled in names if spelled):
            return own
    return ""


def by_banner(catalogue: Catalogue, text: str) -> Recognised | None:
    """Returns whose a web page, a description or a name on the network is."""
    text = text[:LONGEST_BANNER]
    for own, _, hints in makers(catalogue):
        for pattern in hints.banners:
            match = pattern.search(text)
            if match:
                return _of(own, match)
    return None


def mac_in(text: str) -> Mac | None:
    """Returns the one MAC that a text has in it; None where there is none, or are several."""
    found = {mac for mac in map(try_parse, _MAC.findall(text[:LONGEST_BANNER])) if mac is not None}
    return found.pop() if len(found) == 1 else None


def _first(rows: Iterator[tuple[str, tuple[re.Pattern[str], ...]]], text: str) -> Recognised | None:
    for own, patterns in rows:
        for pattern in patterns:
            match = pattern.match(text)
            if match:
                return _of(own, match)
    return None


def _of(own: str, match: re.Match[str]) -> Recognised:
    groups = match.groupdict()
    mac = groups.get("mac")
    return Recognised(own, groups.get("model") or "", groups.get("version") or "", try_parse(mac) if mac else None)


def _pairs(data: bytes) -> dict[int, str]:
    """Returns tag -> text of pairs in a row; what does not fit ends them."""
    pairs: dict[int, str] = {}
    at = 0
    while at + 2 <= len(data) and data[at] != 0xFF:
        tag, length = data[at], data[at + 1]
        pairs[tag] = data[at + 2 : at + 2 + length].decode("latin-1")
        at += 2 + length
    return pairs
