"""Reads the recorded examples of a catalogue: ``<vendor>/examples/<model>-<story>.toml`` and, in the folder of the same name, the files
that must come out of it, byte for byte. ``provisioner check`` and the tests hold them; ``boot.toml`` beside them is read by tests alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.core.catalogue import Catalogue
from provisioner.core.layers import Layer, merged
from provisioner.core.mac import InvalidMac, Mac
from provisioner.core.values import Key, Line, PhoneConfig, SettingValue
from provisioner.errors import CatalogueError

INSTALLATION: Mapping[str, SettingValue] = {
    "sip_server": "pbx.example", "sip_port": 5060, "admin_password": "adm1n-Xq7", "user_password": "us3r-Zp4",
}  # fmt: skip
"""What an installation fills in by itself."""
RECORDED_ADDRESS = "http://prov.example:8080/p/tokentokentokentokentoke/"
"""The phone's own address in recorded files."""


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
    """Returns an example. Raises ``CatalogueError`` with file and, where TOML tells it, line."""
    model = path.stem.partition("-")[0]
    if catalogue.model(f"{vendor}/{model}") is None:
        raise CatalogueError([f"{path}:1: there is no models/{model}.toml"])
    try:
        return Example(vendor, path.stem, path, example_config(catalogue, vendor, model, tomllib.loads(path.read_text("utf-8"))))
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError([f"{path}:{_line(str(error))}: {error}"]) from error
    except (KeyError, TypeError, InvalidMac, UnicodeDecodeError) as error:
        raise CatalogueError([f"{path}:1: {error}"]) from error


def load_examples(catalogue: Catalogue, folder: Path) -> list[Example]:
    """Returns every example of the catalogue in ``folder``. Raises ``CatalogueError``."""
    return [read_example(catalogue, vendor, path) for vendor in catalogue.vendors for path in example_paths(folder, vendor)]


def _line(sentence: str) -> str:
    return sentence.partition("(at line ")[2].partition(",")[0] or "1"
