"""Loads ``phone_templates/`` into frozen values, and lists every mistake of it at once, each with its file and line.

A vendor is a folder: ``vendor.toml``, ``models/*.toml``, ``series/*.toml``, ``templates/*.j2``, ``examples/``, ``SOURCES.md``. Adding one
adds no Python. Here: settings, vendors, other makers. ``model_files`` reads the models, ``reading`` any one file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from marshmallow import fields, validate

from provisioner.catalog import followed, lacking, parts, sheets, words
from provisioner.catalog.hinted import HintsSchema, agent_pattern, hints
from provisioner.catalog.layers import Layers, VendorFolder, layers_of
from provisioner.catalog.model_files import VendorPart, vendor_models
from provisioner.catalog.readable import ReadingSchema, reading_rule
from provisioner.catalog.reading import Mistakes, Strict, checked_settings
from provisioner.core.catalogue import ADDRESS_OPTIONS, FILE_KINDS, Catalogue, FileRule, Maker, Setting, SettingRows, UploadRule, Vendor
from provisioner.core.encoders import ENCODERS, ENCRYPT_FILES
from provisioner.core.installing import DHCPFacts, RedirectFacts
from provisioner.core.timezone import InvalidTimezone, TimezoneRule, parse_posix_tz
from provisioner.core.values import KEY_TYPES
from provisioner.errors import CatalogueError

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent.parent / "phone_templates"

_GROUP_BIT = 0x010000
"""Of the first three bytes of a MAC: set in addresses of groups (IEEE 802)."""

PLACEHOLDERS: Mapping[str, str] = {
    "{mac}": r"(?P<mac>(?:[0-9a-f]{2}[:\-]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}|[0-9a-f]{12})",
    "{common}": r"(?P<common>\d{12})",
    "{digits}": r"\d{12}",
    "{model}": r"(?P<model>[a-z0-9]{3,20})",
    "{part}": r"\d{4}-\d{5}-\d{3}",
    "{word}": r"[\w.\-]{1,80}",
    "{file}": r"[\w.\-(),+]{1,120}",
}


OUI = fields.String(validate=validate.Regexp(r"^[0-9a-f]{6}\Z", error="'{input}' is no OUI: six small hex digits"))


class _SettingSchema(Strict):
    type = fields.String(
        required=True,
        validate=validate.OneOf(["string", "secret", "integer", "boolean", "choice", "list", "host", "timezone", "multicast"]),
    )
    default = fields.Raw(required=True)
    label = fields.String(required=True, validate=validate.Length(min=1))
    help = fields.String(required=True, validate=validate.Length(min=1))
    choices = fields.List(fields.String())
    minimum = fields.Integer()
    maximum = fields.Integer()
    max_length = fields.Integer()
    unit = fields.String()
    by_server = fields.Boolean()


class _FileSchema(Strict):
    name = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(FILE_KINDS))
    scope = fields.String(required=True, validate=validate.OneOf(["phone", "model", "vendor", "book"]))
    template = fields.String()
    content_type = fields.String()
    escape = fields.String(validate=validate.OneOf(["line", "xml"]))
    max_contacts = fields.Integer(validate=validate.Range(min=1, max=10_000))
    search_line = fields.String(validate=validate.Length(min=1))
    with_book = fields.Boolean()
    encoder = fields.String(validate=validate.OneOf(ENCODERS))


class _UploadSchema(Strict):
    name = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(FILE_KINDS))
    mode = fields.String(validate=validate.OneOf(["replace", "append"]))
    max_bytes = fields.Integer(validate=validate.Range(min=1, max=64 * 1024 * 1024))
    keep_bytes = fields.Integer(validate=validate.Range(min=1))
    append_limit_bytes = fields.Integer(validate=validate.Range(min=1))
    readable = fields.Boolean()
    ours_from = fields.Integer(validate=validate.Range(min=1, max=9999))
    content_type = fields.String()


class _DHCPSchema(Strict):
    # Plain characters, or bytes as hexadecimal digits: both are written into the files of DHCP servers.
    classes = fields.List(fields.String(validate=validate.Regexp(r"^(?:0x(?:[0-9a-f]{2}){1,32}|[A-Za-z0-9 ._\-]{1,32})\Z")), required=True)
    options = fields.List(fields.Integer(validate=validate.OneOf(ADDRESS_OPTIONS)), required=True, validate=validate.Length(min=1))


class _RedirectSchema(Strict):
    service = fields.String(required=True, validate=validate.OneOf(["ymcs", "gdms", "ztp"]))
    address = fields.URL(required=True, schemes={"https"})


class _VendorSchema(Strict):
    name = fields.String(required=True)
    escape = fields.String(required=True, validate=validate.OneOf(["line", "xml"]))
    content_type = fields.String(required=True)
    ouis = fields.List(OUI, required=True)
    user_agents = fields.List(fields.String(), required=True)
    ua_strip = fields.String()
    notify_event = fields.String(required=True)
    notify_reboot_event = fields.String(required=True)
    file = fields.List(fields.Nested(_FileSchema), required=True)
    upload = fields.List(fields.Nested(_UploadSchema))
    maps = fields.Dict(keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.String()))
    masks = fields.List(fields.String(), required=True)
    key_types = fields.List(fields.String(validate=validate.OneOf(KEY_TYPES)), required=True)
    missing_keys = lacking.missing_keys_field()
    settings = fields.Dict(keys=fields.String(), values=fields.Raw())
    factory = fields.Dict(keys=fields.String(), values=fields.Raw())
    common_files = fields.Dict(keys=fields.String(validate=validate.Regexp(r"^\d{12}$")), values=fields.String())
    unsupported = fields.Dict(keys=fields.String(), values=fields.String(validate=validate.Length(min=1)))
    raw = fields.Nested(followed.RawSchema)
    reading = fields.Nested(ReadingSchema)
    dhcp = fields.Nested(_DHCPSchema)
    redirect = fields.Nested(_RedirectSchema)
    provisions_again = fields.Boolean()
    discovery = fields.Nested(HintsSchema(exclude=("dhcp_options", "user_agents")))


class _MakerSchema(Strict):
    name = fields.String(required=True)
    names = fields.List(fields.String(), required=True)
    ouis = fields.List(OUI, required=True)
    source = fields.String(required=True, validate=validate.Length(min=1))
    discovery = fields.Nested(HintsSchema)


def load_catalogue(place: Path | Layers = DEFAULT_FOLDER) -> Catalogue:
    """Returns the whole catalogue. Raises ``CatalogueError`` listing every mistake found."""
    folder, mistakes = layers_of(place), Mistakes()
    zones = load_zones()
    settings = _settings(folder / "settings.toml", zones, mistakes)
    # A folder without vendor.toml is read too, so that its lack is told.
    vendors = {each.name: _vendor(each, settings, zones, mistakes) for each in folder.vendors()}
    makers = _makers(folder / "other_makers.toml", mistakes)
    _note_ouis(folder, vendors, makers, mistakes)
    if mistakes:
        raise CatalogueError(mistakes)
    rules = [vendor.raw for vendor in vendors.values() if vendor.raw is not None]
    return Catalogue(vendors, SettingRows(settings, rules), makers, zones)


def name_pattern(name: str) -> re.Pattern[str]:
    """Returns the pattern of a file rule's name: placeholders open, the rest literal, any case."""
    pieces = re.split(r"(\{\w+\})", name)
    body = "".join(PLACEHOLDERS[part] if part in PLACEHOLDERS else re.escape(part) for part in pieces)
    return re.compile(rf"^{body}\Z", re.IGNORECASE | re.ASCII)


@cache
def load_zones() -> Mapping[str, TimezoneRule]:
    """Returns every IANA zone that a weekday rule can follow, from the ``tzdata`` package so that all machines agree."""
    base = resources.files("tzdata").joinpath("zoneinfo")
    names = resources.files("tzdata").joinpath("zones").read_text("ascii").split()
    zones: dict[str, TimezoneRule] = {}
    for name in names:
        posix = base.joinpath(*name.split("/")).read_bytes().rsplit(b"\n", 2)[-2].decode("ascii")
        try:
            zones[name] = parse_posix_tz(posix)
        except InvalidTimezone:
            continue
    return zones


def _settings(path: Path, zones: Mapping[str, TimezoneRule], mistakes: Mistakes) -> SettingRows:
    rows: dict[str, Setting] = {}
    schema = _SettingSchema()
    for name, row in mistakes.read(path).items():
        checked = mistakes.loaded(path, schema, row, name)
        if checked:
            rows[name] = Setting(name=name, **{**checked, "choices": tuple(checked.get("choices", ()))})
    table = SettingRows(rows)
    wrong = {name: dict(_row_mistakes(row)) for name, row in rows.items()}
    for name, found in wrong.items():
        for field, what in found.items():
            mistakes.note(path, f"{name}.{field}", what)
    sound = {name: row.default for name, row in rows.items() if not wrong[name]}
    checked_settings(sound, table, zones, path, mistakes, "{}.default")
    return table


def _row_mistakes(row: Setting) -> Iterator[tuple[str, str]]:
    if row.type in ("choice", "list") and not row.choices:
        yield "choices", f"a setting of type {row.type} needs its choices"
    if row.minimum is not None and row.maximum is not None and row.minimum > row.maximum:
        yield "minimum", f"{row.minimum} is more than the maximum {row.maximum}"


def _vendor(folder: VendorFolder, settings: SettingRows, zones: Mapping[str, TimezoneRule], mistakes: Mistakes) -> Vendor:
    path = folder / "vendor.toml"
    raw = mistakes.read(path, _VendorSchema())
    templates = {file.name: mistakes.text(file) for file in folder.glob("templates/*.j2")}
    types = frozenset(raw.get("key_types", ()))
    follows = followed.followed_settings(templates, settings)
    unsupported = followed.unsupported_by_vendor(raw.get("unsupported", {}), settings, follows, settings)
    looks = words.looked_up(templates, settings)
    models = vendor_models(VendorPart(folder, types, raw.get("missing_keys", {}), settings, zones, unsupported, looks), mistakes)
    words.note_words(path, raw, models, looks, mistakes)
    rules, uploads = _rules(raw, path, templates, mistakes)
    if raw:  # what cannot be read would lack everything: that it cannot is said already
        _note_vendor(folder, raw, (rules, uploads), templates, settings, mistakes)
    return Vendor(
        id=folder.name,
        name=raw.get("name", folder.name),
        escape=raw.get("escape", "line"),
        ouis=frozenset(raw.get("ouis", ())),
        user_agents=tuple(agent_pattern(path, "user_agents", text, mistakes) for text in raw.get("user_agents", ())),
        notify_event=raw.get("notify_event", ""),
        notify_reboot_event=raw.get("notify_reboot_event", ""),
        files=rules,
        uploads=uploads,
        maps=raw.get("maps", {}),
        masks=tuple(mistakes.pattern(path, "masks", text) for text in raw.get("masks", ())),
        templates=templates,
        models=models,
        settings=checked_settings(raw.get("settings", {}), settings, zones, path, mistakes),
        ua_strip=raw.get("ua_strip", ""),
        common_files=raw.get("common_files", {}),
        unsupported=unsupported,
        reading=reading_rule(raw, path, mistakes),
        raw=followed.raw_rule(folder, raw.get("raw", {}), mistakes),
        hints=hints(raw.get("discovery", {}) | {"dhcp_options": _told(raw)}, path, "discovery", mistakes),
        dhcp=_dhcp_facts(raw.get("dhcp", {})),
        redirect=RedirectFacts(**raw["redirect"]) if "redirect" in raw else None,
        ways=sheets.install_ways(folder, (model.series for model in models.values()), mistakes),
        provisions_again=raw.get("provisions_again", False),
        factory=checked_settings(raw.get("factory", {}), settings, zones, path, mistakes, "factory.{}"),
    )


def _rules(
    raw: dict[str, Any], path: Path, templates: Mapping[str, str], mistakes: Mistakes
) -> tuple[tuple[FileRule, ...], tuple[UploadRule, ...]]:
    files = tuple(_file_rule(row, raw, f"file.{at}", path, templates, mistakes) for at, row in enumerate(raw.get("file", ())))
    return files, tuple(UploadRule(regex=name_pattern(row["name"]), **row) for row in raw.get("upload", ()))


def _note_vendor(
    folder: VendorFolder,
    raw: Mapping[str, Any],
    rules: tuple[tuple[FileRule, ...], tuple[UploadRule, ...]],
    templates: Mapping[str, str],
    settings: SettingRows,
    mistakes: Mistakes,
) -> None:
    """Notes what no schema can tell of a ``vendor.toml`` and of the folder around it."""
    used = followed.used_settings(templates)
    found = [*_vendor_mistakes(raw, used), *_upload_mistakes(raw.get("upload", ()), rules[1])]
    if settings:
        found += followed.vendor_mistakes(raw.get("unsupported", {}), used, settings)
    for where, what in found:
        mistakes.note(folder / "vendor.toml", where, what)
    for name, mistake in parts.circle_mistakes(templates):
        mistakes.append(f"{folder / f'templates/{name}'}:{mistake}")
    mistakes.extend(_folder_mistakes(folder, rules[0]))


def _told(raw: Mapping[str, Any]) -> dict[int, str]:
    """Returns option -> what is in it where this server answers by DHCP itself: its phones add the names of their files."""
    return dict.fromkeys(raw.get("dhcp", {}).get("options", ()), "{url}")


def _dhcp_facts(raw: Mapping[str, Any]) -> DHCPFacts:
    return DHCPFacts(
        tuple(bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("ascii") for text in raw.get("classes", ())),
        tuple(raw.get("options", ())),
    )


def _file_rule(
    row: dict[str, Any], vendor: dict[str, Any], where: str, path: Path, templates: Mapping[str, str], mistakes: Mistakes
) -> FileRule:
    template = row.get("template")
    if template is not None and template not in templates:
        mistakes.note(path, f"{where}.template", f"there is no templates/{template}")
    return FileRule(**{"content_type": vendor["content_type"], **row}, regex=name_pattern(row["name"]))


def _vendor_mistakes(raw: Mapping[str, Any], used: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yields where in a ``vendor.toml`` and what is wrong, of what no schema can tell."""
    for mask in raw.get("masks", ()):
        if "(?P<secret>" not in mask:
            yield "masks", f"'{mask}' has no group named secret"
    for kind in ("file", "upload"):
        seen: set[str] = set()
        for at, name in enumerate(row["name"] for row in raw.get(kind, ())):
            if name in seen:
                yield f"{kind}.{at}", f"{name} is there twice"
            seen.add(name)
            yield from ((f"{kind}.{at}", what) for what in _name_mistakes(name))
    books = [(at, row.get("template")) for at, row in enumerate(raw.get("file", ())) if row["scope"] == "book"]
    for at, template in books:
        if template is None or template != books[0][1]:
            yield f"file.{at}", "phone books of a vendor have one form: each rule of scope book needs the same template"
    for at, row in enumerate(raw.get("file", ())):
        if row["scope"] in ("phone", "book") and "{mac}" not in row["name"]:
            yield f"file.{at}", f"{row['name']}: a file of scope {row['scope']} needs {{mac}} in its name"
    yield from _encoder_mistakes(raw, writes_key=ENCRYPT_FILES in used)


def _name_mistakes(name: str) -> Iterator[str]:
    for placeholder in re.findall(r"\{\w*\}", name):
        if placeholder not in PLACEHOLDERS:
            yield f"{name}: {placeholder} is no placeholder; there are {', '.join(PLACEHOLDERS)}"


def _upload_mistakes(rows: Iterable[Mapping[str, Any]], rules: Iterable[UploadRule]) -> Iterator[tuple[str, str]]:
    """Yields uploads that could be of any phone, and those of which more would be kept than is taken."""
    for at, (row, rule) in enumerate(zip(rows, rules, strict=True)):
        if "{mac}" not in rule.name:
            yield f"upload.{at}", f"{rule.name}: an upload needs {{mac}} in its name: it is kept for one phone"
        if row.get("keep_bytes", 0) > rule.max_bytes:
            yield f"upload.{at}.keep_bytes", "more would be kept than is taken"


def _encoder_mistakes(raw: Mapping[str, Any], *, writes_key: bool) -> Iterator[tuple[str, str]]:
    """Yields what would shut phones out of their own encrypted files: a key that is not written, or a file that knows no phone."""
    encoded = [(at, row) for at, row in enumerate(raw.get("file", ())) if "encoder" in row]
    for at, row in encoded:
        if row["scope"] != "phone" or "template" not in row:
            yield f"file.{at}.encoder", "only a file of scope phone with a template can be encrypted: each phone has a key of its own"
        if row["encoder"] != encoded[0][1]["encoder"]:
            yield f"file.{at}.encoder", "a phone has one key: each file of a vendor needs the same encoder"
        if not writes_key:
            yield f"file.{at}.encoder", "no template writes file_key: the phone could not open the file"
    if writes_key and not encoded:
        yield "file", "a template writes file_key, and no file has an encoder"


def _folder_mistakes(folder: VendorFolder, rules: tuple[FileRule, ...]) -> Iterator[str]:
    sources = folder / "SOURCES.md"
    if not sources.is_file() or not sources.read_bytes().strip():
        yield f"{sources}:1: SOURCES.md is missing or empty: say where each fact comes from"
    used = {rule.template for rule in rules}
    for template in folder.glob("templates/*.j2"):
        if template.name not in used and not template.name.startswith("_"):
            yield f"{template}:1: no file rule uses this template (begin the name of a part with _)"


def _note_ouis(folder: Layers, vendors: Mapping[str, Vendor], makers: Iterable[Maker], mistakes: Mistakes) -> None:
    """Notes prefixes of MACs that two vendors have, that another maker has too, or that no phone can have."""
    owners: dict[str, str] = {}
    for vendor in vendors.values():
        path = folder / f"{vendor.id}/vendor.toml"
        for oui in sorted(vendor.ouis):
            if oui in owners:
                mistakes.note(path, "ouis", f"OUI {oui} belongs to {owners[oui]} already")
            if int(oui, 16) & _GROUP_BIT:
                mistakes.note(path, "ouis", f"{oui} is of group addresses, which no phone has")
            owners[oui] = vendor.id
    for at, maker in enumerate(makers):
        for oui in sorted(maker.ouis & owners.keys()):
            mistakes.note(folder / "other_makers.toml", f"maker.{at}.ouis", f"OUI {oui} belongs to {owners[oui]} already")


def _makers(path: Path, mistakes: Mistakes) -> list[Maker]:
    makers = []
    for at, row in enumerate(mistakes.read(path).get("maker", ())):
        checked = mistakes.loaded(path, _MakerSchema(), row, f"maker.{at}")
        if not checked:
            continue
        for name in checked["names"]:
            for what in (
                *_name_mistakes(name),
                *(() if "{mac}" in name else (f"{name}: needs {{mac}}: it is by the MAC that a phone is known",)),
            ):
                mistakes.note(path, f"maker.{at}.names", what)
        found = hints(checked.get("discovery", {}), path, f"maker.{at}.discovery", mistakes)
        makers.append(Maker(checked["name"], tuple(name_pattern(name) for name in checked["names"]), frozenset(checked["ouis"]), found))
    return makers
