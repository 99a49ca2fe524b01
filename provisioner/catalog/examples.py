"""Reads the recorded examples of a catalogue: ``<vendor>/examples/<model>-<story>.toml`` and, in the folder of the same name, the files
that must come out of it, byte for byte. ``provisioner check`` and the tests hold them; ``boot.toml`` beside them is read by tests alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marshmallow import ValidationError, fields, validate

from provisioner.catalog.reading import Mistakes, Strict, checked_settings
from provisioner.core.catalogue import Catalogue, Model
from provisioner.core.layers import Layer, merged
from provisioner.core.mac import InvalidMac, Mac
from provisioner.core.values import KEY_TYPES, Key, Line, PhoneConfig, SettingValue
from provisioner.errors import CatalogueError

INSTALLATION: Mapping[str, SettingValue] = {
    "sip_server": "pbx.example", "sip_port": 5060, "admin_password": "adm1n-Xq7", "user_password": "us3r-Zp4",
}  # fmt: skip
"""What an installation fills in by itself."""
RECORDED_ADDRESS = "http://prov.example:8080/p/tokentokentokentokentoke/"
"""The phone's own address in recorded files."""


_COUNT = validate.Range(min=1, max=250)


class _MacField(fields.String):
    """A MAC address of a phone."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return str(Mac.parse(text))
        except InvalidMac as error:
            raise ValidationError(str(error)) from error


class _LineSchema(Strict):
    line = fields.Integer(required=True, validate=_COUNT)
    extension = fields.String(required=True)
    display_name = fields.String(required=True)
    secret = fields.String(required=True)
    label = fields.String()


class _KeySchema(Strict):
    module = fields.Integer(required=True, validate=validate.Range(min=0, max=16))
    key = fields.Integer(required=True, validate=_COUNT)
    type = fields.String(required=True, validate=validate.OneOf(KEY_TYPES))
    value = fields.String()
    label = fields.String()
    line = fields.Integer(validate=_COUNT)


class _ExampleSchema(Strict):
    mac = _MacField(required=True)
    firmware = fields.String()
    provisioning_url = fields.String()
    file_key = fields.String()
    modules = fields.Integer(validate=validate.Range(min=0, max=16))
    settings = fields.Dict(keys=fields.String(), values=fields.Raw())
    line = fields.List(fields.Nested(_LineSchema))
    key = fields.List(fields.Nested(_KeySchema))


@dataclass(frozen=True)
class Example:
    """One phone of which the files are recorded."""

    vendor: str
    name: str
    path: Path
    config: PhoneConfig

    @property
    def model(self) -> str:
        """The model's name, without its vendor."""
        return self.name.partition("-")[0]

    @property
    def folder(self) -> Path:
        """Where the files are that must come out."""
        return self.path.with_suffix("")


def example_config(catalogue: Catalogue, vendor: str, model: str, raw: Mapping[str, Any]) -> PhoneConfig:
    """Returns the phone that a TOML of an example tells, with every layer of settings below its own."""
    record = catalogue.model(f"{vendor}/{model}")
    layers = [
        Layer("default", "", {name: row.default for name, row in catalogue.settings.items()}),
        Layer("installation", "", INSTALLATION),
        Layer("vendor", vendor, catalogue.vendors[vendor].settings),
        Layer("model", model, record.settings if record else {}),
        Layer("phone", "", raw.get("settings", {})),
    ]
    settings = merged(layers)
    characters = catalogue.vendors[vendor].key_characters(record, settings) if record else 0
    return PhoneConfig(
        mac=Mac.parse(raw["mac"]),
        model=f"{vendor}/{model}",
        lines=tuple(Line(**line) for line in raw.get("line", [])),
        keys=tuple(Key(**key) for key in raw.get("key", [])),
        settings=settings,
        provisioning_url=raw.get("provisioning_url", RECORDED_ADDRESS),
        modules=raw.get("modules", 0),
        firmware=raw.get("firmware", ""),
        file_key=raw.get("file_key", "k" * characters),
    )


def example_paths(folder: Path, vendor: str) -> list[Path]:
    """Returns the examples of a vendor; ``boot.toml`` is none."""
    return sorted((folder / vendor / "examples").glob("*-*.toml"))


def read_example(catalogue: Catalogue, vendor: str, path: Path) -> Example:
    """Returns an example. Raises ``CatalogueError`` listing every mistake of it with file and line."""
    name, mistakes = path.stem.partition("-")[0], Mistakes()
    model = catalogue.model(f"{vendor}/{name}")
    if model is None:
        raise CatalogueError([f"{path}:1: there is no models/{name}.toml"])
    raw = mistakes.read(path, _ExampleSchema())
    raw["settings"] = checked_settings(raw.get("settings", {}), catalogue.settings, catalogue.zones, path, mistakes)
    for where, what in _layout_mistakes(model, raw):
        mistakes.note(path, where, what)
    if mistakes:
        raise CatalogueError(mistakes)
    return Example(vendor, path.stem, path, example_config(catalogue, vendor, name, raw))


def load_examples(catalogue: Catalogue, folder: Path) -> list[Example]:
    """Returns every example of the catalogue in ``folder``. Raises ``CatalogueError``."""
    return [read_example(catalogue, vendor, path) for vendor in catalogue.vendors for path in example_paths(folder, vendor)]


def _layout_mistakes(model: Model, raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields what the model has no place for: nobody could lay it out so."""
    modules, size = (model.expansion.modules, model.expansion.keys) if model.expansion else (0, 0)
    if raw.get("modules", 0) > modules:
        yield "modules", f"the model takes {modules} modules at most"
    for at, line in enumerate(raw.get("line", ())):
        if line["line"] > model.lines:
            yield f"line.{at}.line", f"the model has lines 1 to {model.lines}"
    for at, key in enumerate(raw.get("key", ())):
        most = size if key["module"] else model.keys
        if key["module"] > raw.get("modules", 0) or key["key"] > most:
            yield (
                f"key.{at}.key",
                f"there is no such key: {most} are on the phone" if not key["module"] else f"module {key['module']} has {most}",
            )
        elif not model.takes(key["type"], key["module"], key["key"]):
            yield f"key.{at}.type", f"a {key['type']} key is not possible there"
