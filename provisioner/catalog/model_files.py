"""Reads the models of one vendor: ``models/*.toml``, each on top of the ``series/*.toml`` that it names.

A series holds what its models share. A model's own value wins; ``[quirks]``, ``[settings]`` and ``[maps.*]`` are laid over those of
the series row by row, ``[[when]]``, ``[[disagreement]]``, ``[[cannot]]`` and ``sources`` stand after them. ``[[cannot]]`` is
``[unsupported]`` for many settings with one reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marshmallow import fields, validate

from provisioner.catalog import lacking, words
from provisioner.catalog.layers import VendorFolder
from provisioner.catalog.reading import Mistakes, Strict, checked_settings
from provisioner.core.catalogue import Disagreement, Expansion, Model, Panel, Place, SettingRows, When
from provisioner.core.timezone import TimezoneRule
from provisioner.core.values import KEY_TYPES

_LAID_OVER = ("quirks", "settings", "unsupported", "missing_keys")
_APPENDED = ("when", "disagreement", "cannot", "sources")
_REQUIRED = ("title", "ua_models", "lines", "keys", "codecs", "sources")


class _ExpansionSchema(Strict):
    module = fields.String(required=True)
    modules = fields.Integer(required=True, validate=validate.Range(min=1, max=16))
    keys = fields.Integer(required=True, validate=validate.Range(min=1, max=200))
    reserved = fields.List(fields.Integer(validate=validate.Range(min=1)))
    per_page = fields.Integer(validate=validate.Range(min=1, max=200))


class _PanelSchema(Strict):
    name = fields.String(required=True, validate=validate.OneOf(["line", "memory", "multi_purpose"]))
    keys = fields.Integer(required=True, validate=validate.Range(min=1, max=200))
    per_page = fields.Integer(validate=validate.Range(min=1, max=200))
    left = fields.Integer(validate=validate.Range(min=0, max=200))


class _WhenSchema(Strict):
    firmware = fields.String(required=True, validate=validate.Regexp(r"^(<|<=|>|>=|=)[\dx]+(\.[\dx]+)*$"))
    quirks = fields.Dict(keys=fields.String(), values=fields.Raw(), required=True)


class _DisagreementSchema(Strict):
    field = fields.String(required=True)
    values = fields.Dict(keys=fields.String(), values=fields.String(), required=True, validate=validate.Length(min=2))
    chosen = fields.String(required=True)
    why = fields.String(required=True, validate=validate.Length(min=1))


class _PlaceSchema(Strict):
    first = fields.Integer(required=True, validate=validate.Range(min=1, max=200))
    last = fields.Integer(required=True, validate=validate.Range(min=1, max=200))
    lacks = fields.List(fields.String(validate=validate.OneOf(KEY_TYPES)), required=True, validate=validate.Length(min=1))
    module = fields.Integer(validate=validate.Range(min=0, max=1))


class _CannotSchema(Strict):
    why = fields.String(required=True, validate=validate.Length(min=1))
    settings = fields.String(required=True, validate=validate.Length(min=1))


class _SeriesSchema(Strict):
    lines = fields.Integer(validate=validate.Range(min=1, max=250))
    keys = fields.Integer(validate=validate.Range(min=0, max=200))
    # "unknown" itself is a word of marshmallow's schemas.
    not_known = fields.List(fields.String(validate=validate.OneOf(["lines", "keys", "expansion", "codecs"])), data_key="unknown")
    key_types = fields.List(fields.String(validate=validate.OneOf(KEY_TYPES)))
    missing_keys = lacking.missing_keys_field()
    common = fields.String(validate=validate.Regexp(r"^\d{12}$"))
    parts = fields.List(fields.String(validate=validate.Regexp(r"^\d{4}-\d{5}-\d{3}$")))
    expansion = fields.Nested(_ExpansionSchema)
    codecs = fields.List(fields.String())
    maps = fields.Dict(keys=fields.String(), values=fields.Dict(keys=fields.String(), values=fields.String()))
    settings = fields.Dict(keys=fields.String(), values=fields.Raw())
    quirks = fields.Dict(keys=fields.String(), values=fields.Raw())
    unsupported = fields.Dict(keys=fields.String(), values=fields.String(validate=validate.Length(min=1)))
    when = fields.List(fields.Nested(_WhenSchema))
    place = fields.List(fields.Nested(_PlaceSchema))
    panel = fields.List(fields.Nested(_PanelSchema))
    cannot = fields.List(fields.Nested(_CannotSchema))
    disagreement = fields.List(fields.Nested(_DisagreementSchema))
    sources = fields.List(fields.String(), required=True, validate=validate.Length(min=1))


class _ModelSchema(_SeriesSchema):
    series = fields.String(validate=validate.Length(min=1))
    title = fields.String(required=True)
    ua_models = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    sources = fields.List(fields.String())


@dataclass(frozen=True, slots=True)
class VendorPart:
    """What a vendor's models need of the vendor and of the catalogue around it."""

    folder: VendorFolder
    key_types: frozenset[str]
    missing_keys: Mapping[str, str]
    settings: SettingRows
    zones: Mapping[str, TimezoneRule]
    unsupported: Mapping[str, str]
    looks: list[words.LookedUp]


def vendor_models(part: VendorPart, mistakes: Mistakes) -> dict[str, Model]:
    """Returns model name -> model, and notes every mistake of the model and series files."""
    # One schema for all files: making one costs more than reading a file.
    series_schema, model_schema = _SeriesSchema(), _ModelSchema()
    series = {path.stem: mistakes.read(path, series_schema) for path in part.folder.glob("series/*.toml")}
    for name, raw in series.items():
        words.note_unknown_words(part.folder / f"series/{name}.toml", raw.get("maps", {}), part.looks, mistakes)
    named: set[str] = set()
    models_read: list[bool] = []
    models: dict[str, Model] = {}
    for path in part.folder.glob("models/*.toml"):
        own = mistakes.read(path, model_schema)
        models_read.append(bool(own))
        name = own.pop("series", "")
        named.add(name)
        if name and name not in series:
            mistakes.note(path, "series", f"there is no series/{name}.toml")
        whole = merged_rows(series.get(name, {}), own)
        for field in _REQUIRED if own else ():
            if not whole.get(field) and whole.get(field) != 0:
                mistakes.note(path, field, "is missing here and in the series")
        for setting in whole["unsupported"]:
            if setting not in part.settings:
                mistakes.note(path, f"unsupported.{setting}", "there is no such setting")
        for field, sentence in (*_panel_mistakes(whole), *_told_mistakes(whole), *_place_mistakes(whole, part.settings)):
            mistakes.note(path, field, sentence)
        words.note_unknown_words(path, own.get("maps", {}), part.looks, mistakes)
        model = models[path.stem] = _model(part, path, name, whole, mistakes)
        known = own and part.key_types
        for field, sentence in lacking.lacking_mistakes(model.key_types, whole["missing_keys"], model.missing_keys) if known else ():
            mistakes.note(path, field, sentence)
    # A file that could not be read may be of any series.
    for name in series.keys() - named if all(models_read) else ():
        mistakes.append(f"{part.folder / f'series/{name}.toml'}:1: no model is of this series")
    _note_doubles(part.folder, models, mistakes)
    return models


def merged_rows(series: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a model's fields with those of its series below them."""
    whole: dict[str, Any] = {**series, **own}
    for field in _LAID_OVER:
        whole[field] = {**series.get(field, {}), **own.get(field, {})}
    for field in _APPENDED:
        whole[field] = [*series.get(field, ()), *own.get(field, ())]
    reasons = {name: row["why"] for row in whole["cannot"] for name in row["settings"].split()}
    whole["unsupported"] = {**reasons, **whole["unsupported"]}
    tables = {**series.get("maps", {}), **own.get("maps", {})}
    whole["maps"] = {name: {**series.get("maps", {}).get(name, {}), **own.get("maps", {}).get(name, {})} for name in tables}
    return whole


def _model(part: VendorPart, path: Path, series: str, raw: Mapping[str, Any], mistakes: Mistakes) -> Model:
    expansion = raw.get("expansion")
    types = frozenset(raw["key_types"]) if "key_types" in raw else part.key_types
    missing = lacking.missing_keys(types, raw["missing_keys"], part.missing_keys)
    return Model(
        id=f"{part.folder.name}/{path.stem}",
        vendor=part.folder.name,
        name=path.stem,
        title=raw.get("title", path.stem),
        ua_models=tuple(raw.get("ua_models", ())),
        lines=raw.get("lines", 1),
        keys=raw.get("keys", 0),
        key_types=types,
        missing_keys=missing,
        common=raw.get("common", ""),
        parts=tuple(raw.get("parts", ())),
        expansion=Expansion(**{**expansion, "reserved": tuple(expansion.get("reserved", ()))}) if expansion else None,
        codecs=tuple(raw.get("codecs", ())),
        settings=checked_settings(raw.get("settings", {}), part.settings, part.zones, path, mistakes),
        quirks=raw.get("quirks", {}),
        when=tuple(When(**row) for row in raw.get("when", ())),
        maps=raw.get("maps", {}),
        series=series,
        places=tuple(Place(**{**row, "lacks": tuple(row["lacks"])}) for row in raw.get("place", ())),
        panels=tuple(Panel(**row) for row in raw.get("panel", ())),
        unknown=tuple(raw.get("not_known", ())),
        disagreements=tuple(Disagreement(**row) for row in raw.get("disagreement", ())),
        sources=tuple(raw.get("sources", ())),
        unsupported={**lacking.unsupported_without(missing), **part.unsupported, **raw.get("unsupported", {})},
    )


def _panel_mistakes(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields what cannot be of how the keys sit: the panels hold every key once, and a page is no larger than its panel."""
    panels, keys = raw.get("panel", ()), raw.get("keys", 0)
    if panels and (there := sum(row["keys"] for row in panels)) != keys:
        yield "panel", f"the panels have {there} keys and the model {keys}"
    for row in panels:
        per_page = row.get("per_page", row["keys"])
        if per_page > row["keys"]:
            yield "panel", f"a page of {per_page} keys is larger than its panel of {row['keys']}"
        if row.get("left", 0) > per_page:
            yield "panel", f"{row['left']} keys are left of the display, and a page has {per_page}"
    expansion = raw.get("expansion", {})
    if expansion.get("per_page", 0) > expansion.get("keys", 0):
        yield "expansion", f"a page of {expansion['per_page']} keys is larger than the module of {expansion['keys']}"


def _place_mistakes(raw: Mapping[str, Any], settings: SettingRows) -> Iterator[tuple[str, str]]:
    """Yields places where there is no key, and codecs that nobody can choose."""
    size = raw.get("expansion", {}).get("keys", 0)
    for at, row in enumerate(raw.get("place", ())):
        most = size if row.get("module", 0) else raw.get("keys", 0)
        if not row["first"] <= row["last"] <= most:
            yield f"place.{at}", f"keys {row['first']} to {row['last']}: there are 1 to {most}"
    for number in raw.get("expansion", {}).get("reserved", ()):
        if number > size:
            yield "expansion.reserved", f"key {number}: the module has 1 to {size}"
    known = settings["codecs"].choices if "codecs" in settings else ()
    for codec in raw.get("codecs", ()) if known else ():
        if codec not in known:
            yield "codecs", f"{codec} is no choice of the setting codecs: there are {', '.join(known)}"


def _told_mistakes(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields which disagreement of sources does not say which of them was followed."""
    for at, row in enumerate(raw["disagreement"]):
        if row["chosen"] not in {*row["values"], *row["values"].values()}:
            yield f"disagreement.{at}.chosen", f"{row['chosen']} is none of {', '.join(row['values'])}"


def _note_doubles(folder: VendorFolder, models: Mapping[str, Model], mistakes: Mistakes) -> None:
    """Notes what two models cannot share: how their User-Agents spell them, their title, a part number."""
    for field in ("ua_models", "title", "parts"):
        owners: dict[str, str] = {}
        for model in models.values():
            value = getattr(model, field)
            for token in (value,) if isinstance(value, str) else value:
                if token in owners:
                    mistakes.note(folder / f"models/{model.name}.toml", field, f"{token} belongs to {owners[token]} already")
                owners[token] = model.name
