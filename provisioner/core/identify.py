"""Who is asking, for what: from the requested name, with the record deciding and the evidence compared.

Two pure steps. ``parse_path`` reads a path against the catalogue's file names; it depends on nothing else, so serving keeps its
results. ``identify`` joins that with the record of the phone and with what the User-Agent says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl

from provisioner.core.catalogue import Catalogue, FileRule, FirstOf, UploadRule, Vendor, canonical_name, parse_user_agent
from provisioner.core.mac import Mac, try_parse
from provisioner.core.values import UserAgent

MAX_PATH = 512
QUERY_FIELDS = 20
"""A query of more is no phone's, and is not read."""
SHAPES = 4_096
"""Shapes of paths kept: strangers choose some of them, so the memory for them is bounded and then dropped whole."""
CODE_LENGTH = 10
"""Letters and digits of an install code (50 bits), which stands where a token of 24 stands."""
_TOKEN = re.compile(r"^p/([a-z2-7]{24}|[a-z2-7]{10})/(.*)$", re.DOTALL)
_BAD = re.compile(r"[\x00-\x1f\x7f\\]|(?:^|/)\.{1,2}(?:/|$)|//")
_MAC_RUN = re.compile(
    r"(?<![0-9a-zA-Z])(?:[0-9a-fA-F]{12}|(?:[0-9a-fA-F]{2}[:\-]){5}[0-9a-fA-F]{2}|(?:[0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4})(?![0-9a-fA-F])"
)
_HEX_RUN = re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])")
_USUAL = re.compile(
    r"(?:p/([a-z2-7]{24}|[a-z2-7]{10})/)?([a-z._-]{0,12}(?<![0-9a-f]))([0-9a-f][02468ace][0-9a-f]{10})([g-z._-][a-z._-]{0,12})\Z"
)
"""What most phones ask for: a name with a MAC and few letters, where a second run of twelve hex digits has no room."""
_TOKEN_BEFORE = re.compile(r"^p/([a-z2-7]{24}|[a-z2-7]{10})/")
_CAPABILITY = re.compile(r"(?i)(^|[/?=&])p/+[^/]+")
_Shape = tuple[str, bool, str, str]
_Rule = TypeVar("_Rule", FileRule, UploadRule)


class Candidate(NamedTuple):
    """One vendor's reading of a name. A tuple, as the next, for a storm makes thousands in a second."""

    vendor: str
    rule: FileRule | None
    upload: UploadRule | None
    name: str
    """Canonical spelling, ``805ec0aabbcc.cfg``."""
    model: str | None = None
    """The model that the name itself tells, as the vendor spells it (common files)."""
    upload_name: str = ""
    """Canonical spelling of the upload, which may stand in a folder of its own (``calls/...``)."""

    @property
    def kind(self) -> str:
        return self.rule.kind if self.rule else self.upload.kind if self.upload else "none"


_NONE: Mapping[str, Candidate] = {}


class ParsedPath(NamedTuple):
    """What a path says by itself."""

    token: str | None = None
    mac: Mac | None = None
    candidates: Mapping[str, Candidate] = _NONE
    """Vendor id -> its reading. Yealink and Polycom share ``<mac>.cfg``: then there are two."""
    maker: str | None = None
    """Another maker's name whose scheme or prefix this is."""
    malformed: bool = False
    rest: str = ""
    """The path without token, for static files."""

    @property
    def has_code(self) -> bool:
        """Whether an install code stands where a token stands."""
        return self.token is not None and len(self.token) == CODE_LENGTH


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks for what. ``conflict`` says in words what does not fit; empty where all agrees."""

    vendor: str | None
    mac: Mac | None
    model: str | None
    kind: str
    name: str
    conflict: str = ""
    candidate: Candidate | None = None


def parse_path(catalogue: Catalogue, path: str) -> ParsedPath:
    """Returns what ``path`` (decoded, no leading slash, perhaps with ``?query``) says. Never raises."""
    path = path.lstrip("/")
    if len(path) > MAX_PATH or _BAD.search(path):
        return ParsedPath(malformed=True)
    token_match = _TOKEN.match(path)
    token, rest = (token_match[1], token_match[2]) if token_match else (None, path)
    rest, _, query = rest.partition("?")
    for tail in _tails(rest):
        candidates, mac = _candidates(catalogue, tail)
        if candidates:
            return ParsedPath(token, mac, candidates, _maker(catalogue, tail, mac) if mac else None, rest=rest)
    last = rest.rpartition("/")[2]
    mac = _loose_mac(rest, query) or _maker_mac(catalogue, last)
    return ParsedPath(token, mac, {}, _maker(catalogue, last, mac), rest=rest)


class PathReader:
    """Reads paths as ``parse_path`` does, and remembers the shapes of names: in a storm thousands of phones ask for the same few.

    A shape is a path with its MAC left out. File rules see of a MAC that it is one, and a maker's rules its prefix besides; a MAC of decimal
    digits alone might also be the number of a common file, so such a path is read anew.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._shapes: dict[_Shape, tuple[Mac, ParsedPath]] = {}

    def parse(self, path: str) -> ParsedPath:
        """Returns what ``parse_path`` returns."""
        usual = _USUAL.match(path)
        if usual is not None:
            token, before, digits, after = usual.groups()
            known = self._shapes.get((before, token is None, digits[:6], after))
            if known is not None and not digits.isdecimal():
                return _respelled(known[1], known[0], Mac(digits), token, before + digits + after)
        return self._parse_any(path)

    def _parse_any(self, path: str) -> ParsedPath:
        path = path.lstrip("/")
        runs = _HEX_RUN.findall(path)
        if len(runs) != 1 or len(path) > MAX_PATH or "?" in path:
            return parse_path(self._catalogue, path)
        digits: str = runs[0]
        before, _, after = path.partition(digits)
        capability = _TOKEN_BEFORE.match(before)
        token, rest_at = (capability[1], capability.end()) if capability else (None, 0)
        shape = (before[rest_at:], token is None, digits[:6], after)
        known = self._shapes.get(shape)
        if known is None:
            return self._learned(path, shape)
        mac = try_parse(digits)
        if mac is None or digits.isdecimal():
            return parse_path(self._catalogue, path)
        return _respelled(known[1], known[0], mac, token, path[rest_at:])

    def _learned(self, path: str, shape: _Shape) -> ParsedPath:
        parsed = parse_path(self._catalogue, path)
        if parsed.mac is not None and parsed.mac in path and not parsed.mac.isdecimal():
            if len(self._shapes) >= SHAPES:
                self._shapes.clear()
            self._shapes[shape] = (parsed.mac, parsed)
        return parsed


def _respelled(parsed: ParsedPath, old: Mac, mac: Mac, token: str | None, rest: str) -> ParsedPath:
    """Returns what ``parsed``, of a path with the MAC ``old``, is for one that differs in MAC and token alone."""
    candidates = {
        vendor: Candidate(vendor, found.rule, found.upload, found.name.replace(old, mac), found.model, found.upload_name.replace(old, mac))
        for vendor, found in parsed.candidates.items()
    }
    return ParsedPath(token, mac, candidates, parsed.maker, False, rest)


def masked_path(path: str) -> str:
    """Returns the path with a capability token hidden, wherever and however spelled it stands: for the record."""
    if "/" not in path:
        return path
    if path.startswith("p/") and path.find("/", 2) == 26 and path.find("/", 27) < 0 and "?" not in path:
        return f"p/***{path[26:]}"  # as every phone asks: four times as quick as the pattern
    return _CAPABILITY.sub(r"\1p/***", path)


def identify(catalogue: Catalogue, parsed: ParsedPath, record_model: str | None, agent: UserAgent | None) -> Identity:
    """Returns who asks. ``record_model`` (``yealink/t46u``) is that of the listed phone with the path's MAC, or None.

    The record decides; for an unknown MAC the User-Agent, then the prefix of the MAC. Evidence that names another MAC, vendor or model
    than the record makes a conflict and changes nothing else.
    """
    if parsed.malformed:
        return Identity(None, None, None, "none", "")
    vendor = _vendor(catalogue, parsed, record_model, agent)
    candidate = parsed.candidates.get(vendor) if vendor else None
    if candidate is None and parsed.candidates and record_model is None and parsed.maker is None:
        candidate = next(iter(parsed.candidates.values()))
        vendor = vendor or (candidate.vendor if len(parsed.candidates) == 1 else None)
    kind = candidate.kind if candidate else "device_config" if parsed.mac else "none"
    name = candidate.name if candidate else ""
    model = agent.model if agent and agent.vendor == vendor else candidate.model if candidate else None
    conflict = conflict_of(catalogue, parsed.mac, record_model, agent) if record_model else ""
    return Identity(parsed.maker if vendor is None else vendor, parsed.mac, model, kind, name, conflict, candidate)


def conflict_of(catalogue: Catalogue, mac: Mac | None, record_model: str, agent: UserAgent | None) -> str:
    """Returns in words how the User-Agent contradicts the record, or the MAC's prefix; an empty text where it does not."""
    if agent is None:
        return ""
    model = catalogue.model(record_model)
    if model is None or agent.vendor != model.vendor:
        return f"the User-Agent is that of a {agent.vendor} phone"
    owner = catalogue.vendor_of_oui(mac.oui) if mac is not None else None
    if owner is not None and owner != agent.vendor:
        return f"the User-Agent is that of a {agent.vendor} phone, the MAC that of a {owner} phone"
    if agent.mac is not None and mac is not None and agent.mac != mac:
        return f"the User-Agent names the MAC {agent.mac.colons}"
    if agent.model is not None and agent.model not in model.ua_models:
        return f"the User-Agent names the model {agent.model}"
    return ""


def model_of(catalogue: Catalogue, mac: Mac, user_agent: str) -> tuple[str, str]:
    """Returns the catalogue's model that a User-Agent names, or an empty text; and in words what contradicts it."""
    agent = parse_user_agent(catalogue, user_agent)
    if agent is None:
        return "", ""
    models = catalogue.vendors[agent.vendor].models.values()
    model = next((model.id for model in models if agent.model in model.ua_models), "")
    if agent.mac is not None and agent.mac != mac:
        return model, f"its User-Agent names the MAC {agent.mac.colons}"
    maker = catalogue.vendor_of_oui(mac.oui)
    if maker is not None and maker != agent.vendor:
        return model, f"its User-Agent is that of a {agent.vendor} phone, and its MAC is one of {maker}"
    return model, ""


def _tails(rest: str) -> list[str]:
    parts = rest.split("/")
    tails = ["/".join(parts[-count:]) for count in (len(parts), 2, 1) if count <= len(parts)]
    return list(dict.fromkeys(tails))


def _candidates(catalogue: Catalogue, tail: str) -> tuple[dict[str, Candidate], Mac | None]:
    found: dict[str, Candidate] = {}
    mac: Mac | None = None
    for vendor in catalogue.vendors.values():
        candidate, own_mac = _candidate(catalogue, vendor, tail)
        if candidate:
            found[vendor.id] = candidate
            mac = mac or own_mac
    return found, mac


def _candidate(catalogue: Catalogue, vendor: Vendor, tail: str) -> tuple[Candidate | None, Mac | None]:
    file_rule, file_match = _first_match(vendor.files, catalogue.file_names[vendor.id], tail)
    upload_rule, upload_match = _first_match(vendor.uploads, catalogue.upload_names[vendor.id], tail)
    match, rule = file_match or upload_match, file_rule or upload_rule
    if match is None or rule is None:
        return None, None
    groups = match.groupdict()
    mac = try_parse(groups["mac"]) if groups.get("mac") else None
    if groups.get("mac") and mac is None:
        return None, None  # 000000000000 and multicast addresses are no phone's
    model = vendor.common_files.get(groups.get("common") or "") or _named_model(vendor, groups.get("model"))
    upload_name = _spelled(upload_rule, mac, tail) if upload_rule else ""
    return Candidate(vendor.id, file_rule, upload_rule, _spelled(rule, mac, tail), model, upload_name), mac


def _spelled(rule: FileRule | UploadRule, mac: Mac | None, tail: str) -> str:
    name = canonical_name(rule, mac)
    return tail.lower() if "{" in name else name


def _first_match(rules: Sequence[_Rule], names: FirstOf, tail: str) -> tuple[_Rule | None, re.Match[str] | None]:
    at = names.index(tail)
    return (None, None) if at is None else (rules[at], rules[at].regex.match(tail))


def _named_model(vendor: Vendor, name: str | None) -> str | None:
    return name.upper() if name and name.lower() in {model.name for model in vendor.models.values()} else None


def _loose_mac(rest: str, query: str) -> Mac | None:
    for name, value in parse_qsl(query) if query.count("&") < QUERY_FIELDS else ():
        if name.lower() == "mac":
            return try_parse(value)
    runs = _MAC_RUN.findall(rest.rpartition("/")[2]) or _MAC_RUN.findall(rest)
    return try_parse(runs[0]) if len(runs) == 1 else None


def _maker_mac(catalogue: Catalogue, tail: str) -> Mac | None:
    if catalogue.maker_names.index(tail) is None:
        return None
    matches = (pattern.match(tail) for maker in catalogue.makers for pattern in maker.names)
    return next((try_parse(match["mac"]) for match in matches if match and "mac" in match.groupdict()), None)


def _maker(catalogue: Catalogue, tail: str, mac: Mac | None) -> str | None:
    if catalogue.maker_names.index(tail) is None:
        return None
    for maker in catalogue.makers:
        fits = not maker.ouis or (mac is not None and mac.oui in maker.ouis)
        if fits and any(pattern.match(tail) for pattern in maker.names):
            return maker.name
    return None


def _vendor(catalogue: Catalogue, parsed: ParsedPath, record_model: str | None, agent: UserAgent | None) -> str | None:
    if record_model is not None:
        return record_model.partition("/")[0]
    if agent is not None and (not parsed.candidates or agent.vendor in parsed.candidates):
        return agent.vendor
    if parsed.maker is not None:
        return None
    if parsed.mac is not None:
        by_oui = catalogue.vendor_of_oui(parsed.mac.oui)
        if by_oui is not None and (not parsed.candidates or by_oui in parsed.candidates):
            return by_oui
        return next(iter(parsed.candidates)) if len(parsed.candidates) == 1 else None
    return next(iter(parsed.candidates)) if len(parsed.candidates) == 1 else None
