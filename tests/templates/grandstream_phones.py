"""Grandstream phones for tests: rendered files as parameters, the numbers of keys, names looked up in the tables of a model."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from provisioner.catalog import DEFAULT_FOLDER
from provisioner.catalog.examples import example_config, load_examples
from provisioner.core.render import Renderer, tables
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
VENDOR = CATALOGUE.vendors["grandstream"]
ALONE = dataclasses.replace(CATALOGUE, vendors={"grandstream": VENDOR})
RENDERER = Renderer(ALONE)
TESTS = Path(__file__).resolve().parent.parent
EXAMPLES = [example for example in load_examples(CATALOGUE, DEFAULT_FOLDER) if example.vendor == "grandstream"]
LINE = {"line": 1, "extension": "201", "display_name": "Ann", "secret": "s3cret-201"}
MAC = "000b82a1b2c3"
MODELS = sorted(VENDOR.models)
SERIES = sorted({model.series for model in VENDOR.models.values()})
STAND_IN = {model.series: model.name for model in sorted(VENDOR.models.values(), key=lambda model: (model.lines, model.keys))}
"""Series -> its largest model: tests of what the series decides try this one."""
TRIED = sorted(STAND_IN.values())


def names_in(file: str) -> list[str]:
    lines = (TESTS / "data" / file).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def render(model: str, **raw: object) -> bytes:
    raw = {"mac": MAC, "line": [LINE]} | raw
    [file] = RENDERER.phone_files(example_config(CATALOGUE, "grandstream", model, raw))
    return file.body


def parameters(body: bytes) -> dict[str, str]:
    """Returns P number or alias -> value; a parameter that is written twice fails."""
    found: dict[str, str] = {}
    for element in ElementTree.fromstring(body).find("config") or []:
        name = element.get("name") or element.tag
        assert name not in found, name
        found[name] = element.text or ""
    return found


@cache
def key_numbers() -> dict[tuple[str, int], list[str]]:
    """Returns kind and number of a key -> P numbers of mode, account, description and value."""
    return {(row.split()[0], int(row.split()[1])): row.split()[2:] for row in names_in("grandstream_key_pvalues.txt")}


def key_of(model: str, found: dict[str, str], module: int, key: int) -> list[str]:
    """Returns mode, account, description and value of one key."""
    record = VENDOR.models[model]
    vpk = int(record.quirks["vpk"])
    kind, place = ("vpk", key) if key <= vpk else ("mpk", key - vpk)
    if module and record.expansion:
        kind, place = "ext", record.expansion.keys * (module - 1) + key
    if record.quirks["format"] == "aliases":
        fields = (record.quirks["mode_alias"], "account", "description", "value")
        return [found[f"pks.{kind}.{place}.{field}"] for field in fields]
    return [found[p] for p in key_numbers()[str(record.quirks["ext"]) if module else kind, place]]


def all_keys(model: str, **fields: object) -> list[dict]:
    record = VENDOR.models[model]
    places = [(0, key) for key in range(1, record.keys + 1)]
    if record.expansion:
        places += [(module, key) for module in range(1, record.expansion.modules + 1) for key in range(1, record.expansion.keys + 1)]
    return [{"module": module, "key": key, **fields} for module, key in places]


def fullest(model: str, **chosen: object) -> bytes:
    """Returns the file of a phone with every line, module and key, and every setting that adds a parameter."""
    record = VENDOR.models[model]
    lines = [LINE | {"line": number, "extension": str(200 + number)} for number in range(1, record.lines + 1)]
    keys = [key for at, key in enumerate(all_keys(model)) for key in [key | {"type": sorted(record.key_types)[at % len(record.key_types)]}]]
    chosen = {"firmware_url": "a/b.bin", "tone_country": "nl", "timezone": "Europe/Paris", **chosen}
    modules = record.expansion.modules if record.expansion else 0
    return render(model, line=lines, key=[key | {"value": "203", "label": "Ann"} for key in keys], modules=modules, settings=chosen)


def name_of(model: str, table: str, name: str, account: int = 1) -> str:
    """Returns the parameter that a name of the tables stands for on a model: ``P34``, ``account.1.sip.userid``."""
    record = VENDOR.models[model]
    cell = tables(VENDOR, record)[table][name]
    if record.quirks["format"] == "aliases":
        return f"account.{account}.{cell}" if table.startswith("account") else cell
    return f"P{int(cell[:-1]) + account - 1}" if cell.endswith("+") else f"P{cell.split()[account - 1]}"


def account_name(model: str, name: str, account: int = 1) -> str:
    """Returns the parameter of an account or port of a model."""
    record = VENDOR.models[model]
    own = record.quirks["accounts"] == "profile" and name in {"active", "user", "auth_user", "password", "name"}
    return name_of(model, "port" if own else str(record.quirks["account_table"]), "enabled" if own and name == "active" else name, account)
