"""The pages about what ``phone_templates/`` holds: models, and the settings of phones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from docs.markdown import code, table
from provisioner.catalog import load_catalogue
from provisioner.core.catalogue import Catalogue, Model, Vendor
from provisioner.core.raw import with_numbers
from provisioner.core.values import KEY_TYPES


def phone_settings() -> str:
    """Returns the page of the settings that may be given to phones."""
    catalogue = load_catalogue()
    rows = [
        (code(row.name), row.type, _bounds(row), code(json.dumps(row.default).strip('"')) or "empty", f"{row.label}. {row.help}", _not_on(catalogue, row.name))
        for row in catalogue.settings.values()
    ]  # fmt: skip
    return (
        "# Settings of phones\n\n"
        "A setting may be given for a site, a group or a phone, and by a vendor's or model's file. The most specific layer wins; the order is: "
        "default, installation, vendor, site, group, model, phone. `provisioner explain MAC NAME` says which layer a value comes from, and why a "
        "phone does not follow it where it cannot.\n"
        "They are rows of `phone_templates/settings.toml`.\n\n"
        + table(["name", "type", "bounds", "default", "meaning", "not on"], rows)
        + _raw(catalogue)
        + _unsupported(catalogue)
    )


def _bounds(row: Any) -> str:
    if row.choices:
        return ", ".join(code(choice) for choice in row.choices)
    if row.minimum is not None:
        return f"{row.minimum} to {row.maximum}{' ' + row.unit if row.unit else ''}"
    return f"at most {row.max_length} characters" if row.type in {"string", "secret"} else ""


def _not_on(catalogue: Catalogue, name: str) -> str:
    whole = [vendor.name for vendor in catalogue.vendors.values() if name in vendor.unsupported]
    some = [
        f"{count} models of {vendor.name}"
        for vendor in catalogue.vendors.values()
        if name not in vendor.unsupported and (count := sum(name in model.unsupported for model in vendor.models.values()))
    ]
    return ", ".join([*whole, *some])


def _raw(catalogue: Catalogue) -> str:
    rows = [
        (vendor.name, len(vendor.raw.names), sum(vendor.raw.refuses(with_numbers(name)) for name in vendor.raw.names))
        for vendor in catalogue.vendors.values()
        if vendor.raw
    ]
    return (
        "## Parameters added by hand\n\n"
        "What no setting covers: `raw.<parameter>`, with the name as the maker writes it (`raw.account.1.nat.rport`). The name must stand in the "
        "list of the vendor folder. It is written last, in place of what the templates say of it. Refused is what would take the phone away "
        "from this server or its PBX (`[raw]` in `vendor.toml`). A value whose name says that it is a password is kept as a secret.\n\n"
        + table(["maker", "names in its list", "of them refused"], rows)
    )


def _unsupported(catalogue: Catalogue) -> str:
    text = "## Settings that phones cannot follow\n\n"
    for vendor in catalogue.vendors.values():
        reasons: dict[tuple[str, str], list[str]] = {}
        for model in vendor.models.values():
            for name, why in model.unsupported.items():
                if name not in vendor.unsupported:
                    reasons.setdefault((model.series or model.name, why), []).append(name)
        rows = [("all", why, _names(names)) for why, names in _by_reason(vendor.unsupported).items()]
        rows += [(code(where), why, _names(names)) for (where, why), names in sorted(reasons.items())]
        if rows:
            text += f"{vendor.name}:\n\n" + table(["models", "why", "settings"], rows)
    return text


def _by_reason(unsupported: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, why in unsupported.items():
        found.setdefault(why, []).append(name)
    return found


def _names(names: Iterable[str]) -> str:
    return ", ".join(code(name) for name in dict.fromkeys(names))


def models() -> str:
    """Returns the page of all models."""
    catalogue = load_catalogue()
    text = (
        "# Models\n\nThe catalogue in `phone_templates/`. `provisioner check --models` lists the one that an installation uses. "
        "[How to add a model](../howto/add-a-model.md).\n\n" + _counts(catalogue)
    )
    return text + "".join(_vendor(catalogue, vendor) for vendor in catalogue.vendors.values())


def _counts(catalogue: Catalogue) -> str:
    rows = [
        (vendor.name, len(vendor.models), len(_key_types(vendor)), len(catalogue.settings) - len(vendor.unsupported))
        for vendor in catalogue.vendors.values()
    ]  # fmt: skip
    return table(["maker", "models", f"key types (of {len(KEY_TYPES)})", f"settings (of {len(catalogue.settings)})"], rows) + (
        "A model counts here when its file names the source of its numbers. [What each model has](coverage.md), beside FusionPBX and Wazo.\n\n"
    )


def _vendor(catalogue: Catalogue, vendor: Vendor) -> str:
    text = f"## {vendor.name}\n\n"
    text += f"Prefixes of its MACs: {', '.join(code(oui) for oui in sorted(vendor.ouis)) or 'none, they are made up'}. "
    text += f"A phone is woken by `{vendor.notify_event}`, restarted by `{vendor.notify_reboot_event}`.\n\n"
    headers = ["model", "title", "series", "lines", "keys", "expansion modules", "codecs", "key types", "settings"]
    text += table(headers, [_model(catalogue, vendor, model) for model in vendor.models.values()])
    text += f"Key types of {vendor.name}: {', '.join(code(name) for name in sorted(_key_types(vendor)))}.\n\n"
    text += _missing_keys(vendor)
    text += _disagreements(vendor)
    text += table(
        ["file", "kind", "belongs to", "made here"], [(code(rule.name), rule.kind, rule.scope, "yes" if rule.template else "no") for rule in vendor.files]
    )  # fmt: skip
    if vendor.uploads:
        rows = [(code(rule.name), rule.kind, f"{rule.max_bytes // 1024} KiB", "yes" if rule.readable else "no") for rule in vendor.uploads]
        text += "Taken from the phone:\n\n" + table(["file", "kind", "at most", "given back"], rows)
    return text


def _model(catalogue: Catalogue, vendor: Vendor, model: Model) -> tuple[object, ...]:
    modules = "none"
    if model.expansion:
        usable = model.expansion.keys - len(model.expansion.reserved)
        modules = f"{model.expansion.modules} x {model.expansion.module}, {usable} keys each"
    shown = {"lines": str(model.lines), "keys": str(model.keys), "expansion": modules, "codecs": ", ".join(model.codecs)}
    told = {name: f"{value} (unknown: what is counted on)" if name in model.unknown else value for name, value in shown.items()}
    types = "all" if model.key_types == _key_types(vendor) else ", ".join(sorted(model.key_types - {"none"})) or "none"
    return (code(model.id), model.title, model.series, *told.values(), types, len(catalogue.settings) - len(model.unsupported))


def _key_types(vendor: Vendor) -> frozenset[str]:
    return frozenset().union(*(model.key_types for model in vendor.models.values()))


def _missing_keys(vendor: Vendor) -> str:
    """Returns why which models lack a type of key; models of a series stand under its name."""
    reasons: dict[str, dict[str, set[str]]] = {}
    for model in vendor.models.values():
        for name, why in model.missing_keys.items():
            reasons.setdefault(why, {}).setdefault(name, set()).add(model.name)
    rows = [
        (_who(vendor, names), ", ".join(code(kind) for kind, has in kinds.items() if has == names), why)
        for why, kinds in reasons.items()
        for names in _distinct(kinds.values())
    ]
    return table(["models", "lack the key types", "why"], rows) if rows else ""


def _distinct(sets: Iterable[set[str]]) -> list[set[str]]:
    found: list[set[str]] = []
    for names in sets:
        if names not in found:
            found.append(names)
    return found


def _who(vendor: Vendor, names: set[str]) -> str:
    """Returns the models in few words: all, whole series by their name, the rest one by one."""
    if len(names) == len(vendor.models):
        return "all"
    series: dict[str, set[str]] = {}
    for model in vendor.models.values():
        series.setdefault(model.series or model.name, set()).add(model.name)
    whole = [name for name, members in series.items() if members <= names]
    rest = names - set().union(*(series[name] for name in whole))
    return ", ".join(code(name) for name in (*sorted(whole), *sorted(rest)))


def _disagreements(vendor: Vendor) -> str:
    rows = [
        (code(model.name), row.field, ", ".join(f"{source}: {value}" for source, value in row.values.items()), row.chosen, row.why)
        for model in vendor.models.values()
        for row in model.disagreements
    ]
    return "Where sources disagree:\n\n" + table(["model", "of", "told", "taken from", "why"], rows) if rows else ""
