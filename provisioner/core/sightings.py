"""What is known of a phone that was seen, merged from everything that spoke of it: pure, so that every process merges alike.

A fact is one thing that one source said, with how far it is to be believed. The most believed one counts, the newer one among equals;
what contradicts it is not hidden but becomes the conflict. A phone with a conflict gets no secret by anything found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from provisioner.core.catalogue import Catalogue
from provisioner.core.mac import Mac

Source = Literal["oui", "arp", "mdns", "lldp", "http", "dhcp", "pnp", "sip", "fetch", "registration"]
"""Who said it; ``oui`` is the register of MAC prefixes."""
FactName = Literal["vendor", "model", "firmware", "address", "extension", "name", "user_agent", "path", "refused", "stranger"]
"""What is said; ``stranger`` is an address outside the trusted networks that named the MAC of a phone within one: shown, and nothing rests on it."""
SOURCES: tuple[str, ...] = get_args(Source)
FACTS: tuple[str, ...] = get_args(FactName)
LONGEST = 200
"""Characters of a fact."""
GUESSED, TOLD, SHOWN, PROVEN = 30, 60, 80, 95
"""Confidence, of 100: concluded from a prefix or a name; told by a protocol of the network; shown by a request of its own; proven by a secret."""
FORGET_S = 30 * 24 * 3600.0
"""A fact that was not repeated for so long is forgotten, and with its last fact the phone."""


class Fact(NamedTuple):
    """One thing that a source says of a phone."""

    name: FactName
    value: str
    confidence: int


class Observation(NamedTuple):
    """What one source said at one time of one phone. Times in seconds since the epoch."""

    mac: Mac
    source: Source
    at: float
    facts: tuple[Fact, ...] = ()
    first_at: float = 0.0
    """Of several that are told as one; 0 where it is one."""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact as it is kept: one for each source and name."""

    source: str
    fact: str
    value: str
    confidence: int
    at: float


@dataclass(frozen=True, slots=True)
class Merged:
    """What counts of everything that is known of one phone; ``conflict`` in words, empty where all agrees."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""
    address: str = ""
    conflict: str = ""


def stored(text: str, longest: int = LONGEST) -> str:
    """Returns the text as every column takes it and no terminal is disturbed by: bounded, without control characters and lone surrogates."""
    text = text[:longest]
    return text if text.isprintable() else "".join(mark if mark.isprintable() else "?" for mark in text)


def fact(name: FactName, value: str | None, confidence: int) -> tuple[Fact, ...]:
    """Returns the fact, or nothing where the source was silent."""
    value = stored((value or "").strip())
    return (Fact(name, value, confidence),) if value else ()


def maker_of(catalogue: Catalogue, mac: Mac) -> str:
    """Returns who the MAC's prefix belongs to: a vendor's id, another maker's name, or an empty text."""
    vendor = catalogue.vendor_of_oui(mac.oui)
    return vendor or next((maker.name for maker in catalogue.makers if mac.oui in maker.ouis), "")


def merge(catalogue: Catalogue, evidence: Iterable[Evidence]) -> Merged:
    """Returns what counts. Of the same evidence it is always the same, in whatever order it comes."""
    best: dict[str, Evidence] = {}
    rows = list(evidence)
    for row in rows:
        if row.fact not in best or _weight(row) > _weight(best[row.fact]):
            best[row.fact] = row

    def of(name: str) -> str:
        return best[name].value if name in best else ""

    return Merged(of("vendor"), of("model"), of("firmware"), of("address"), _conflict(catalogue, rows))


def _weight(row: Evidence) -> tuple[int, float, str]:
    return row.confidence, row.at, row.source


def _conflict(catalogue: Catalogue, rows: Sequence[Evidence]) -> str:
    vendors = _spoken(row for row in rows if row.fact == "vendor" and (row.source == "oui" or row.confidence >= TOLD))
    models = _spoken(row for row in rows if row.fact == "model" and row.confidence >= TOLD)
    parts = [_disagreement("vendor", vendors)] if len({_plain(value) for value in vendors}) > 1 else []
    told = {_plain(value) for value in models}
    # Makers shorten their models' names as they like: only two that both are models of ours contradict each other.
    if len(told) > 1 and len(told & _known_models(catalogue)) > 1:
        parts.append(_disagreement("model", models))
    refused = _spoken(row for row in rows if row.fact == "refused" and row.value)
    return "; ".join([*parts, *(f"refused: {reason}" for reason in refused)])


def _known_models(catalogue: Catalogue) -> set[str]:
    """Returns the names of all models. It reads the whole catalogue: only where two names have to be judged."""
    return {_plain(name) for vendor in catalogue.vendors.values() for model in vendor.models.values() for name in model.ua_models}


def _spoken(rows: Iterable[Evidence]) -> dict[str, list[str]]:
    spoken: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: SOURCES.index(row.source)):
        spoken.setdefault(row.value, []).append(row.source)
    return spoken


def _disagreement(what: str, spoken: dict[str, list[str]]) -> str:
    return f"{what}: " + ", ".join(f"{value} by {' and '.join(sources)}" for value, sources in spoken.items())


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
