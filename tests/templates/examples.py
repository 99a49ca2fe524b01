"""The recorded examples of the catalogue: ``phone_templates/<vendor>/examples/<model>-<story>.toml`` and, in the folder of the
same name, the files that must come out of it, byte for byte. ``REWRITE_EXAMPLES=1 pytest tests/templates`` writes them anew, to be read in the diff.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from provisioner.catalog import DEFAULT_FOLDER
from provisioner.core.catalogue import Catalogue
from provisioner.core.layers import Layer, merged
from provisioner.core.mac import Mac
from provisioner.core.values import Key, Line, PhoneConfig

INSTALLATION = {"sip_server": "pbx.example", "sip_port": 5060, "admin_password": "adm1n-Xq7", "user_password": "us3r-Zp4"}
TOKEN = "tokentokentokentokentoke"


@dataclass(frozen=True)
class Example:
    vendor: str
    name: str
    path: Path
    config: PhoneConfig

    @property
    def model(self) -> str:
        return self.name.partition("-")[0]

    @property
    def folder(self) -> Path:
        return self.path.with_suffix("")


def example_config(catalogue: Catalogue, vendor: str, model: str, raw: dict) -> PhoneConfig:
    record = catalogue.model(f"{vendor}/{model}")
    layers = [
        Layer("default", "", {name: row.default for name, row in catalogue.settings.items()}),
        Layer("installation", "", INSTALLATION),
        Layer("vendor", vendor, catalogue.vendors[vendor].settings),
        Layer("model", model, record.settings if record else {}),
        Layer("phone", "", raw.get("settings", {})),
    ]
    mac = Mac.parse(raw["mac"])
    return PhoneConfig(
        mac=mac,
        model=f"{vendor}/{model}",
        lines=tuple(Line(**line) for line in raw.get("line", [])),
        keys=tuple(Key(**key) for key in raw.get("key", [])),
        settings=merged(layers),
        provisioning_url=raw.get("provisioning_url", f"http://prov.example:8080/p/{TOKEN}/"),
        modules=raw.get("modules", 0),
        firmware=raw.get("firmware", ""),
    )


def load_examples(catalogue: Catalogue) -> list[Example]:
    found = []
    for path in sorted(DEFAULT_FOLDER.glob("*/examples/*-*.toml")):
        vendor, model = path.parent.parent.name, path.stem.partition("-")[0]
        found.append(Example(vendor, path.stem, path, example_config(catalogue, vendor, model, tomllib.loads(path.read_text("utf-8")))))
    return found
