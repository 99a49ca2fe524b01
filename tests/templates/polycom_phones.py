"""Polycom phones for tests: rendered files as parameters and contacts, names looked up as serving does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from provisioner.catalog import DEFAULT_FOLDER
from provisioner.catalog.examples import example_config, load_examples
from provisioner.core.catalogue import FileRule, UploadRule
from provisioner.core.render import Renderer
from provisioner.core.values import Key, Line, PhoneConfig
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
VENDOR = CATALOGUE.vendors["polycom"]
RENDERER = Renderer(CATALOGUE)
EXAMPLES = [example for example in load_examples(CATALOGUE, DEFAULT_FOLDER) if example.vendor == "polycom"]
KNOWN = frozenset((Path(__file__).parent.parent / "data" / "polycom_params.txt").read_text("ascii").split())
MODELS = sorted(VENDOR.models)
TRIED = sorted({model.series: model.name for model in sorted(VENDOR.models.values(), key=lambda model: model.keys)}.values())
"""Of each series the model with most keys: tests of what a series decides try these."""
KEYED = [name for name in TRIED if VENDOR.models[name].keys > 2]
VALUES = json.loads((Path(__file__).parent.parent / "data" / "polycom_values.json").read_text("utf-8"))["parameters"]
SPELLINGS = {spelling: model.name for model in VENDOR.models.values() for spelling in model.ua_models}
MAC = "0004f2abcdef"
FILES = [f"{MAC}.cfg", f"{MAC}-user.cfg", f"{MAC}-directory.xml"]


def config(model: str, keys: tuple[Key, ...] = (), lines: int = 1, modules: int = 0, **chosen: object) -> PhoneConfig:
    raw = {"mac": MAC, "modules": modules, "settings": chosen}
    registrations = tuple(Line(number, f"10{number:02}", f"Name {number}", f"secret-{number}") for number in range(1, lines + 1))
    return replace(example_config(CATALOGUE, "polycom", model, raw), lines=registrations, keys=keys)


def documents(phone: PhoneConfig) -> list[ElementTree.Element]:
    """The three files, parsed strictly: ill-formed XML and an attribute that is there twice are errors of the parser."""
    files = RENDERER.phone_files(phone)
    assert [file.name for file in files] == FILES
    return [ElementTree.fromstring(file.body) for file in files]


def parameters(phone: PhoneConfig) -> dict[str, str]:
    """Every parameter of the settings file. The same name in two elements would leave it to the phone which one counts."""
    pairs = [pair for element in documents(phone)[1].iter() for pair in element.attrib.items()]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def contacts(phone: PhoneConfig) -> dict[str, tuple[str, str]]:
    """Speed-dial index -> what it dials and what stands beside it."""
    items = documents(phone)[2].findall("./item_list/item")
    assert [[part.tag for part in item] for item in items] == [["fn", "ct", "sd"]] * len(items)
    return {item.findtext("sd", ""): (item.findtext("ct", ""), item.findtext("fn", "")) for item in items}


def rule_of(path: str) -> FileRule | None:
    """The rule that a path finds: whole, then its last two segments, then its last one."""
    segments = path.lstrip("/").split("/")
    for tail in ["/".join(segments), "/".join(segments[-2:]), segments[-1]]:
        for rule in VENDOR.files:
            if rule.regex.match(tail):
                return rule
    return None


def upload_of(path: str) -> UploadRule | None:
    return next((rule for rule in VENDOR.uploads if rule.regex.match(path)), None)
