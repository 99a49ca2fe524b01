"""What the catalogue says, as frozen values: vendors, models, file rules, settings.

What lives here: shapes and pure look-ups. What does not: reading the folders (``provisioner.catalog``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from provisioner.core import raw
from provisioner.core.encoders import ENCRYPT_FILES, KEY_CHARACTERS, EncoderName
from provisioner.core.hints import Hints
from provisioner.core.installing import DHCPFacts, InstallWay, RedirectFacts
from provisioner.core.mac import Mac, try_parse
from provisioner.core.parameters import ReadingRule
from provisioner.core.raw import RawRule
from provisioner.core.timezone import TimezoneRule
from provisioner.core.values import SettingValue, UserAgent

MAX_USER_AGENT = 300
"""Characters: what is longer is no phone's."""
ADDRESS_OPTIONS = (43, 66, 160)
"""DHCP options that may carry the provisioning server's address. 43 differs from vendor to vendor, so it is given by class alone."""
Scope = Literal["phone", "model", "vendor", "book"]
EscapeName = Literal["line", "xml"]

FILE_KINDS: tuple[str, ...] = (
    "device_config", "master_config", "common_config", "boot", "override", "license", "directory", "phonebook", "call_list",
    "contacts_upload", "log", "firmware", "resource", "none",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the settings table."""

    name: str
    type: Literal["string", "secret", "integer", "boolean", "choice", "list", "host", "timezone", "multicast"]
    default: SettingValue
    label: str
    help: str
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    max_length: int = 255
    unit: str = ""
    by_server: bool = False
    """It is followed by the server, whatever the phone: no file has it."""


@dataclass(frozen=True, slots=True)
class FileRule:
    """A file name that phones of a vendor ask for."""

    name: str
    """Canonical name with placeholders: ``{mac}``, ``{common}``, ``{model}``, ``{part}``, ``{digits}``, ``{word}``."""
    kind: str
    scope: Scope
    regex: re.Pattern[str]
    template: str | None = None
    """Template that makes it; None for a name that is known and never there (answered at once, without a look)."""
    content_type: str = "application/octet-stream"
    escape: EscapeName | None = None
    """How values are written in it, where not as in the vendor's other files."""
    max_contacts: int = 1000
    """Of a phone book (scope ``book``): contacts that phones of the vendor take."""
    search_line: str = ""
    """How the line of one contact begins in a phone book that can be searched (``?search=``); empty where the vendor's phones do not."""
    with_book: bool = False
    """Whether the phone's book is merged into this directory when it is served."""
    encoder: EncoderName | None = None
    """How the file is encrypted for a phone that has a key; None: it always goes out in clear."""


@dataclass(frozen=True, slots=True)
class UploadRule:
    """A file that phones of a vendor send."""

    name: str
    kind: str
    regex: re.Pattern[str]
    mode: Literal["replace", "append"] = "replace"
    max_bytes: int = 1_048_576
    """A larger upload is refused."""
    keep_bytes: int = 1_048_576
    """Only the newest so many bytes are kept."""
    append_limit_bytes: int = 524_288
    """An append that would pass this replaces what was there."""
    readable: bool = False
    """Whether the phone gets it back when it asks."""
    content_type: str = "application/octet-stream"
    ours_from: int = 0
    """In a directory that phone and server both write: entries with a speed-dial index above this are the server's; 0 for no such file."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The expansion modules that a model takes: ``modules`` of them with ``keys`` positions each."""

    module: str
    modules: int
    keys: int
    reserved: tuple[int, ...] = ()
    """Positions on each module that the phone keeps for itself (its page keys): nothing can be laid on them."""
    per_page: int = 0
    """Positions that a module shows at a time; 0 where no source tells."""


PanelName = Literal["line", "memory", "multi_purpose"]


@dataclass(frozen=True, slots=True)
class Panel:
    """A block of keys on the phone itself, as a person sees it; its keys count on from those of the panel before."""

    name: PanelName
    keys: int
    per_page: int = 0
    """Keys that are there at a time, the others on further pages; 0: all."""
    left: int | None = None
    """Keys of a page left of the display, the others being right of it; None where no source tells how they sit."""

    def pages(self, first: int) -> list[list[int]]:
        """Returns the keys of each page, where ``first`` is the panel's first key."""
        step = self.per_page or self.keys
        return [list(range(start, min(start + step, first + self.keys))) for start in range(first, first + self.keys, step)]


@dataclass(frozen=True, slots=True)
class When:
    """A firmware quirk: ``quirks`` hold for firmware whose number fits ``firmware`` (``<84``, ``>=1.0.11``)."""

    firmware: str
    quirks: Mapping[str, SettingValue]


@dataclass(frozen=True, slots=True)
class Place:
    """Keys that cannot do all that others of the model can: ``first`` to ``last`` of the phone, or of every module."""

    first: int
    last: int
    lacks: tuple[str, ...]
    """Key types of the model that these keys do not have."""
    module: int = 0
    """0 is the phone, 1 every module."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A fact that sources tell differently: ``values`` are source -> what it says, ``chosen`` is what the model has, ``why`` the reason."""

    field: str
    values: Mapping[str, str]
    chosen: str
    why: str


@dataclass(frozen=True, slots=True)
class Model:
    """One phone model."""

    id: str
    """``yealink/t46u``: vendor folder and file name."""
    vendor: str
    name: str
    """File name without ending, ``t46u``."""
    title: str
    ua_models: tuple[str, ...]
    """How its User-Agent spells it, without prefix and underscores."""
    lines: int
    keys: int
    """Programmable keys on the phone itself, over all pages."""
    key_types: frozenset[str]
    common: str = ""
    """Number of its common file (Yealink), twelve digits."""
    parts: tuple[str, ...] = ()
    """Part numbers, where firmware file names carry them (Polycom)."""
    expansion: Expansion | None = None
    codecs: tuple[str, ...] = ()
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    quirks: Mapping[str, SettingValue] = field(default_factory=dict)
    when: tuple[When, ...] = ()
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Rows that stand over those of the vendor's tables of the same name."""
    series: str = ""
    """Name of the ``series/*.toml`` that it is built on, or empty."""
    places: tuple[Place, ...] = ()
    """Where a key type of the model is not possible."""
    panels: tuple[Panel, ...] = ()
    """How the keys sit on the phone; empty where no source tells."""
    unknown: tuple[str, ...] = ()
    """Fields that no source tells: what they hold is the least that is sure, or what works without knowing."""
    disagreements: tuple[Disagreement, ...] = ()
    sources: tuple[str, ...] = ()
    unsupported: Mapping[str, str] = field(default_factory=dict)
    """Settings that this model cannot follow -> why, those of its vendor among them."""
    missing_keys: Mapping[str, str] = field(default_factory=dict)
    """Every key type that it does not have -> why."""

    def takes(self, key_type: str, module: int, key: int) -> bool:
        """Returns whether a key of this type is possible at a place: on the phone (module 0) or on one of its modules."""
        here = (place for place in self.places if place.module == min(module, 1) and place.first <= key <= place.last)
        return key_type == "none" or (key_type in self.key_types and not any(key_type in place.lacks for place in here))


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor folder."""

    id: str
    name: str
    escape: EscapeName
    ouis: frozenset[str]
    user_agents: tuple[re.Pattern[str], ...]
    notify_event: str
    notify_reboot_event: str
    files: tuple[FileRule, ...]
    uploads: tuple[UploadRule, ...]
    maps: Mapping[str, Mapping[str, str]]
    masks: tuple[re.Pattern[str], ...]
    """Each has a group ``secret``: what it matches in a rendered file is never shown."""
    templates: Mapping[str, str]
    models: Mapping[str, Model]
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    ua_strip: str = ""
    """Characters to leave out of the model that a User-Agent names (``VVX_411`` is the VVX411)."""
    common_files: Mapping[str, str] = field(default_factory=dict)
    """Number of a common file -> model as the vendor spells it; evidence of the model on a wire without User-Agent."""
    unsupported: Mapping[str, str] = field(default_factory=dict)
    """Settings that no phone of this vendor can follow -> why."""
    reading: ReadingRule | None = None
    """How files of this vendor's phones are read; None where they are only written."""
    raw: RawRule | None = None
    """Which of the vendor's own parameters may be added by hand; None for none."""
    dhcp: DHCPFacts = field(default_factory=DHCPFacts)
    ways: tuple[InstallWay, ...] = ()
    redirect: RedirectFacts | None = None

    def ways_of(self, model: Model) -> list[InstallWay]:
        """Returns how a person writes the address into a phone of this model: at most one way for each place."""
        found: dict[str, InstallWay] = {}
        for way in self.ways:
            if not way.series or model.series in way.series:
                found.setdefault(way.where, way)
        return list(found.values())

    def key_characters(self, model: Model, settings: Mapping[str, SettingValue]) -> int:
        """Returns how long the key is with which the files of this phone are encrypted; 0 where they go out in clear."""
        encoder = next((rule.encoder for rule in self.files if rule.encoder), None)
        is_on = settings.get(ENCRYPT_FILES) is True and ENCRYPT_FILES not in model.unsupported
        return KEY_CHARACTERS[encoder] if encoder and is_on else 0

    provisions_again: bool = False
    """Whether a phone that is moved to another address fetches there at once: then a first fetch need not carry the SIP password."""
    hints: Hints = field(default_factory=Hints)
    factory: Mapping[str, SettingValue] = field(default_factory=dict)
    """Settings as new phones of this vendor have them, such as their logins: what a phone gets back that is taken out of service."""


@dataclass(frozen=True, slots=True)
class Maker:
    """A maker whose phones are recognised when seen, and not provisioned."""

    name: str
    names: tuple[re.Pattern[str], ...]
    ouis: frozenset[str]
    hints: Hints = field(default_factory=Hints)


class SettingRows(Mapping[str, Setting]):
    """The settings table by name. It also answers for ``raw.<parameter>``, where a vendor takes that, without listing every one."""

    def __init__(self, rows: Mapping[str, Setting], rules: Iterable[RawRule] = ()) -> None:
        self._rows = dict(rows)
        self.rules = tuple(rules)

    def __getitem__(self, name: str) -> Setting:
        row = self._rows.get(name)
        if row is not None:
            return row
        parameter = raw.parameter_of(name)
        if parameter is None or raw.why_refused(self.rules, parameter):
            raise KeyError(name)
        kind: Literal["secret", "string"] = "secret" if raw.is_secret(parameter) else "string"
        return Setting(name, kind, "", parameter, "A parameter of the maker, added by hand.", max_length=1024)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class FirstOf:
    """Tells which of many patterns matches a name first, in one look: most names of strangers match none of a hundred."""

    def __init__(self, patterns: Iterable[re.Pattern[str]]) -> None:
        bodies = [_GROUP_NAME.sub("(?:", pattern.pattern) for pattern in patterns]
        whole = "|".join(f"(?P<p{at}>{body})" for at, body in enumerate(bodies)) if bodies else r"(?!)"
        self._pattern = re.compile(whole, re.IGNORECASE | re.ASCII)

    def index(self, name: str) -> int | None:
        """Returns the place of the first pattern that matches, or None."""
        match = self._pattern.match(name)
        return int(match.lastgroup[1:]) if match is not None and match.lastgroup else None


_GROUP_NAME = re.compile(r"\(\?P<\w+>")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything in ``phone_templates/``, loaded once."""

    vendors: Mapping[str, Vendor]
    settings: SettingRows
    makers: Sequence[Maker]
    zones: Mapping[str, TimezoneRule]
    """IANA zone -> its rule; zones that phones cannot follow are absent."""
    withheld: Mapping[str, str] = field(default_factory=dict)
    """Vendor id -> why its phones keep the files that they have: a sentence. What is here of such a vendor is not what was asked for."""
    file_names: Mapping[str, FirstOf] = field(init=False, repr=False, compare=False)
    """Vendor id -> which of its file rules a name fits."""
    upload_names: Mapping[str, FirstOf] = field(init=False, repr=False, compare=False)
    maker_names: FirstOf = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        vendors = self.vendors.values()
        looks = {
            "file_names": {vendor.id: FirstOf(rule.regex for rule in vendor.files) for vendor in vendors},
            "upload_names": {vendor.id: FirstOf(rule.regex for rule in vendor.uploads) for vendor in vendors},
            "maker_names": FirstOf(pattern for maker in self.makers for pattern in maker.names),
        }
        for name, look in looks.items():
            object.__setattr__(self, name, look)

    def model(self, model_id: str) -> Model | None:
        """Returns the model ``yealink/t46u``, or None."""
        vendor = self.vendors.get(model_id.partition("/")[0])
        return vendor.models.get(model_id.partition("/")[2]) if vendor else None

    def vendor_of_oui(self, oui: str) -> str | None:
        """Returns the id of the vendor that the first six digits belong to, or None."""
        return next((vendor.id for vendor in self.vendors.values() if oui in vendor.ouis), None)


def parse_user_agent(catalogue: Catalogue, text: str) -> UserAgent | None:
    """Returns what a User-Agent (HTTP or SIP) says, or None where it is not one of our vendors' phones.

    A patterns' groups are ``model``, ``version``, ``mac`` and ``hardware``, each optional. A MAC that is none is left out.
    """
    if not text or len(text) > MAX_USER_AGENT:
        return None
    for vendor in catalogue.vendors.values():
        for pattern in vendor.user_agents:
            match = pattern.match(text)
            if match:
                groups = match.groupdict()
                model, mac = groups.get("model"), groups.get("mac")
                if model and vendor.ua_strip:
                    model = model.replace(vendor.ua_strip, "")
                return UserAgent(vendor.id, model, groups.get("version"), try_parse(mac) if mac else None, groups.get("hardware"))
    return None


def canonical_name(rule: FileRule | UploadRule, mac: Mac | None, model: Model | None = None) -> str:
    """Returns the one spelling of a file's name that is stored, logged and compared."""
    name = rule.name
    if mac is not None:
        name = name.replace("{mac}", mac)
    if model is not None:
        name = name.replace("{common}", model.common).replace("{model}", model.name)
    return name
