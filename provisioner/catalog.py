"""Loads ``phone_templates/`` into frozen values, and lists every mistake of it at once, each with its file.

A vendor is a folder: ``vendor.toml``, ``models/*.toml``, ``templates/*.j2``, ``examples/``, ``SOURCES.md``. Adding one adds no Python.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, cast

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from provisioner.core.catalogue import (
    FILE_KINDS,
    Catalogue,
    Expansion,
    FileRule,
    Maker,
    Model,
    Setting,
    UploadRule,
    Vendor,
    When,
)
from provisioner.core.settings_check import checked_setting
from provisioner.core.timezone import InvalidTimezone, TimezoneRule, parse_posix_tz
from provisioner.core.values import KEY_TYPES, SettingValue
from provisioner.errors import CatalogueError, InputError

DEFAULT_FOLDER = Path(__file__).resolve().parent.parent / "phone_templates"

PLACEHOLDERS: Mapping[str, str] = {
    "{mac}": r"(?P<mac>(?:[0-9a-f]{2}[:\-]){5}[0-9a-f]{2}|[0-9a-f]{12})",
    "{common}": r"(?P<common>\d{12})",
    "{digits}": r"\d{12}",
    "{model}": r"(?P<model>[a-z0-9]{3,20})",
    "{part}": r"\d{4}-\d{5}-\d{3}",
    "{word}": r"[\w.\-]{1,80}",
    "{file}": r"[\w.\-(),+]{1,120}",
}


class _Strict(Schema):
    class Meta:
        unknown = RAISE


class _SettingSchema(_Strict):
    type = fields.String(
        required=True, validate=validate.OneOf(["string", "secret", "integer", "boolean", "choice", "list", "host", "timezone"])
    )
    default = fields.Raw(required=True)
    label = fields.String(required=True, validate=validate.Length(min=1))
    help = fields.String(required=True, validate=validate.Length(min=1))
    choices = fields.List(fields.String())
    minimum = fields.Integer()
    maximum = fields.Integer()
    max_length = fields.Integer()
    unit = fields.String()


class _FileSchema(_Strict):
    name = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(FILE_KINDS))
    scope = fields.String(required=True, validate=validate.OneOf(["phone", "model", "vendor"]))
    template = fields.String()
    content_type = fields.String()


class _UploadSchema(_Strict):
    name = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(FILE_KINDS))
    mode = fields.String(validate=validate.OneOf(["replace", "append"]))
    max_bytes = fields.Integer(validate=validate.Range(min=1, max=64 * 1024 * 1024))
    keep_bytes = fields.Integer(validate=validate.Range(min=1))
    append_limit_bytes = fields.Integer(validate=validate.Range(min=1))
    readable = fields.Boolean()
    content_type = fields.String()


class _VendorSchema(_Strict):
    name = fields.String(required=True)
    escape = fields.String(required=True, validate=validate.OneOf(["line", "xml"]))
    content_type = fields.String(required=True)
    ouis = fields.List(fields.String(validate=validate.Regexp(r"^[0-9a-f]{6}$")), required=True)
    user_agents = fields.List(fields.String(), required=True)
    ua_strip = fields.String()
    notify_event = fields.String(required=True)
    notify_reboot_event = fields.String(required=True)
    file = fields.List(fields.Nested(_FileSchema), required=True)
    upload = fields.List(fields.Nested(_UploadSchema))
    maps = fields.Dict(keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.String()))
    masks = fields.List(fields.String(), required=True)
    key_types = fields.List(fields.String(validate=validate.OneOf(KEY_TYPES)), required=True)
    settings = fields.Dict(keys=fields.String(), values=fields.Raw())
    common_files = fields.Dict(keys=fields.String(validate=validate.Regexp(r"^\d{12}$")), values=fields.String())


class _ExpansionSchema(_Strict):
    module = fields.String(required=True)
    modules = fields.Integer(required=True, validate=validate.Range(min=1, max=16))
    keys = fields.Integer(required=True, validate=validate.Range(min=1, max=200))


class _WhenSchema(_Strict):
    firmware = fields.String(required=True, validate=validate.Regexp(r"^(<|<=|>|>=|=)[\dx]+(\.[\dx]+)*$"))
    quirks = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)


class _ModelSchema(_Strict):
    title = fields.String(required=True)
    ua_models = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    lines = fields.Integer(required=True, validate=validate.Range(min=1, max=250))
    keys = fields.Integer(required=True, validate=validate.Range(min=0, max=200))
    key_types = fields.List(fields.String(validate=validate.OneOf(KEY_TYPES)))
    common = fields.String(validate=validate.Regexp(r"^\d{12}$"))
    parts = fields.List(fields.String(validate=validate.Regexp(r"^\d{4}-\d{5}-\d{3}$")))
    expansion = fields.Nested(_ExpansionSchema)
    codecs = fields.List(fields.String(), required=True)
    settings = fields.Dict(keys=fields.String(), values=fields.Raw())
    quirks = fields.Dict(keys=fields.String(), values=fields.Raw())
    when = fields.List(fields.Nested(_WhenSchema))
    sources = fields.List(fields.String(), required=True, validate=validate.Length(min=1))


class _MakerSchema(_Strict):
    name = fields.String(required=True)
    names = fields.List(fields.String(), required=True)
    ouis = fields.List(fields.String(validate=validate.Regexp(r"^[0-9a-f]{6}$")), required=True)
    source = fields.String(required=True)


class _Mistakes(list[str]):
    """Mistakes found so far; loading goes on so that all are listed."""

    def read(self, path: Path, schema: Schema | None = None) -> dict[str, Any]:
        """Returns the file's content, checked; notes what is wrong and returns an empty dict then."""
        try:
            content = tomllib.loads(path.read_text("utf-8"))
            return cast("dict[str, Any]", schema.load(content)) if schema else content
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            self.append(f"{path}: {error}")
        except ValidationError as error:
            self.extend(f"{path}: {where}: {what}" for where, what in _flat(error.messages))
        return {}

    def pattern(self, where: str, text: str) -> re.Pattern[str]:
        try:
            return re.compile(text)
        except re.error as error:
            self.append(f"{where}: bad pattern '{text}': {error}")
            return re.compile(r"(?!)")


def load_catalogue(folder: Path = DEFAULT_FOLDER) -> Catalogue:
    """Returns the whole catalogue. Raises ``CatalogueError`` listing every mistake found."""
    mistakes = _Mistakes()
    settings = _settings(folder / "settings.toml", mistakes)
    zones = load_zones()
    vendors = {path.name: _vendor(path, settings, zones, mistakes) for path in sorted(folder.iterdir()) if (path / "vendor.toml").exists()}
    makers = _makers(folder / "other_makers.toml", mistakes)
    mistakes.extend(_shared_ouis(folder, vendors))
    if mistakes:
        raise CatalogueError(mistakes)
    return Catalogue(vendors, settings, makers, zones)


def name_pattern(name: str) -> re.Pattern[str]:
    """Returns the pattern of a file rule's name: placeholders open, the rest literal, any case."""
    parts = re.split(r"(\{\w+\})", name)
    body = "".join(PLACEHOLDERS[part] if part in PLACEHOLDERS else re.escape(part) for part in parts)
    return re.compile(rf"^{body}\Z", re.IGNORECASE | re.ASCII)


def load_zones() -> dict[str, TimezoneRule]:
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


def _settings(path: Path, mistakes: _Mistakes) -> dict[str, Setting]:
    rows: dict[str, Setting] = {}
    for name, row in mistakes.read(path).items():
        try:
            checked = cast("dict[str, Any]", _SettingSchema().load(row))
        except ValidationError as error:
            mistakes.extend(f"{path}: {name}.{where}: {what}" for where, what in _flat(error.messages))
            continue
        checked["choices"] = tuple(checked.get("choices", ()))
        rows[name] = Setting(name=name, **checked)
    return rows


def _vendor(folder: Path, settings: Mapping[str, Setting], zones: Mapping[str, TimezoneRule], mistakes: _Mistakes) -> Vendor:
    path = folder / "vendor.toml"
    raw = mistakes.read(path, _VendorSchema())
    templates = {file.name: file.read_text("utf-8") for file in sorted((folder / "templates").glob("*.j2"))}
    types = frozenset(raw.get("key_types", ()))
    models = {file.stem: _model(file, folder.name, types, settings, zones, mistakes) for file in sorted((folder / "models").glob("*.toml"))}
    rules = tuple(_file_rule(row, raw, path, templates, mistakes) for row in raw.get("file", ()))
    uploads = tuple(UploadRule(regex=name_pattern(row["name"]), **row) for row in raw.get("upload", ()))
    mistakes.extend(_vendor_mistakes(folder, raw, rules, uploads, models))
    return Vendor(
        id=folder.name,
        name=raw.get("name", folder.name),
        escape=raw.get("escape", "line"),
        ouis=frozenset(raw.get("ouis", ())),
        user_agents=tuple(mistakes.pattern(f"{path}: user_agents", text) for text in raw.get("user_agents", ())),
        notify_event=raw.get("notify_event", ""),
        notify_reboot_event=raw.get("notify_reboot_event", ""),
        files=rules,
        uploads=uploads,
        maps=raw.get("maps", {}),
        masks=tuple(mistakes.pattern(f"{path}: masks", text) for text in raw.get("masks", ())),
        templates=templates,
        models=models,
        settings=_checked_values(raw.get("settings", {}), settings, zones, path, mistakes),
        ua_strip=raw.get("ua_strip", ""),
        common_files=raw.get("common_files", {}),
    )


def _file_rule(row: dict[str, Any], vendor: dict[str, Any], path: Path, templates: Mapping[str, str], mistakes: _Mistakes) -> FileRule:
    template = row.get("template")
    if template is not None and template not in templates:
        mistakes.append(f"{path}: file {row['name']}: there is no templates/{template}")
    return FileRule(
        name=row["name"],
        kind=row["kind"],
        scope=row["scope"],
        regex=name_pattern(row["name"]),
        template=template,
        content_type=row.get("content_type", vendor["content_type"]),
    )


def _model(
    path: Path,
    vendor: str,
    vendor_types: frozenset[str],
    settings: Mapping[str, Setting],
    zones: Mapping[str, TimezoneRule],
    mistakes: _Mistakes,
) -> Model:
    raw = mistakes.read(path, _ModelSchema())
    expansion = raw.get("expansion")
    return Model(
        id=f"{vendor}/{path.stem}",
        vendor=vendor,
        name=path.stem,
        title=raw.get("title", path.stem),
        ua_models=tuple(raw.get("ua_models", ())),
        lines=raw.get("lines", 1),
        keys=raw.get("keys", 0),
        key_types=frozenset(raw["key_types"]) if "key_types" in raw else vendor_types,
        common=raw.get("common", ""),
        parts=tuple(raw.get("parts", ())),
        expansion=Expansion(**expansion) if expansion else None,
        codecs=tuple(raw.get("codecs", ())),
        settings=_checked_values(raw.get("settings", {}), settings, zones, path, mistakes),
        quirks=raw.get("quirks", {}),
        when=tuple(When(**row) for row in raw.get("when", ())),
    )


def _checked_values(
    values: Mapping[str, Any], settings: Mapping[str, Setting], zones: Mapping[str, TimezoneRule], path: Path, mistakes: _Mistakes
) -> dict[str, SettingValue]:
    checked: dict[str, SettingValue] = {}
    for name, value in values.items():
        try:
            checked[name] = checked_setting(settings, zones, name, value)
        except InputError as error:
            mistakes.append(f"{path}: {error}")
    return checked


def _vendor_mistakes(
    folder: Path, raw: Mapping[str, Any], rules: tuple[FileRule, ...], uploads: tuple[UploadRule, ...], models: Mapping[str, Model]
) -> Iterator[str]:
    path = folder / "vendor.toml"
    if not (folder / "SOURCES.md").exists():
        yield f"{folder}: SOURCES.md is missing: say where each fact comes from"
    for mask in raw.get("masks", ()):
        if "(?P<secret>" not in mask:
            yield f"{path}: masks: '{mask}' has no group named secret"
    for kind in ([rule.name for rule in rules], [rule.name for rule in uploads]):
        for name in sorted({name for name in kind if kind.count(name) > 1}):
            yield f"{path}: {name} is there twice"
    for name in [*(rule.name for rule in rules), *(rule.name for rule in uploads)]:
        for placeholder in re.findall(r"\{\w*\}", name):
            if placeholder not in PLACEHOLDERS:
                yield f"{path}: {name}: {placeholder} is no placeholder; there are {', '.join(PLACEHOLDERS)}"
    for template in sorted((folder / "templates").glob("*.j2")):
        used = {rule.template for rule in rules}
        if template.name not in used and not template.name.startswith("_"):
            yield f"{template}: no file rule uses this template (begin the name of a part with _)"
    yield from _shared_agents(folder, models)


def _shared_agents(folder: Path, models: Mapping[str, Model]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for model in models.values():
        for token in model.ua_models:
            if token in owners:
                yield f"{folder}/models/{model.name}.toml: ua_models {token} belongs to {owners[token]} already"
            owners[token] = model.name


def _shared_ouis(folder: Path, vendors: Mapping[str, Vendor]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for vendor in vendors.values():
        for oui in sorted(vendor.ouis):
            if oui in owners:
                yield f"{folder / vendor.id}/vendor.toml: OUI {oui} belongs to {owners[oui]} already"
            owners[oui] = vendor.id


def _makers(path: Path, mistakes: _Mistakes) -> list[Maker]:
    makers = []
    for row in mistakes.read(path).get("maker", ()):
        try:
            checked = cast("dict[str, Any]", _MakerSchema().load(row))
        except ValidationError as error:
            mistakes.extend(f"{path}: {where}: {what}" for where, what in _flat(error.messages))
            continue
        makers.append(Maker(checked["name"], tuple(name_pattern(name) for name in checked["names"]), frozenset(checked["ouis"])))
    return makers


def _flat(messages: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, value in messages.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield prefix, str(message)
