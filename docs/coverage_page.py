"""The page of what each model has of what installers ask for, beside the counts of two other provisioning servers.

The features are rows of ``features.toml``; what the others have was counted in their repositories by ``peer_counts.py``.
"""

from __future__ import annotations

import json
import tomllib
from typing import Any

from docs.markdown import code, table
from docs.peer_counts import COUNTS, HERE
from provisioner.catalog import load_catalogue
from provisioner.core.catalogue import Catalogue, Model, Vendor
from provisioner.core.values import KEY_TYPES

YES, NONE, UNKNOWN = "yes", "-", "?"
_DOUBT = (
    "no source",
    "sources contradict",
    "could be read in a source",
    "was found",
    "that are not written",
    "that is not written",
    "was not tried",
)
"""In the reason why a setting is not followed: it says that nobody knows how, and not that the phones lack it."""


def coverage() -> str:
    """Returns the page."""
    catalogue = load_catalogue()
    features: dict[str, dict[str, str]] = tomllib.loads((HERE / "features.toml").read_text("utf-8"))["feature"]
    counts = json.loads(COUNTS.read_text("utf-8"))
    text = (
        "# What each model has\n\n"
        f"`{YES}`: the files of this model say it. `{NONE}`: its maker's lists have nothing for it, or it does not apply, or its phones have "
        f"it in another form, which is not written, as Polycom's have action URLs ([why](phone-settings.md)). "
        f"`{UNKNOWN}`: no source tells how, or it was not tried, so nothing is written; `{UNKNOWN} (6)`: no source tells how many, and 6 is what is counted on.\n\n"
        + _beside_others(catalogue, features, counts)
    )
    return text + "".join(_vendor(catalogue, vendor, features) for vendor in catalogue.vendors.values())


def state(model: Model, feature: dict[str, str]) -> str:
    """Returns what a cell says of a model and a feature that is a setting."""
    why = model.unsupported.get(feature["setting"])
    if why is None:
        return YES
    return UNKNOWN if any(doubt in why for doubt in _DOUBT) else NONE


def _has(model: Model, name: str, feature: dict[str, str]) -> bool:
    if "setting" in feature:
        return state(model, feature) == YES
    return model.keys > 0 if name == "keys" else model.expansion is not None


def _beside_others(catalogue: Catalogue, features: dict[str, dict[str, str]], counts: dict[str, Any]) -> str:
    vendors = [vendor for vendor in catalogue.vendors.values() if vendor.id in counts["wazo"]]
    headers = ["models with"]
    for vendor in vendors:
        headers += [vendor.name, "FusionPBX", "Wazo"]
    rows: list[list[object]] = [["all"]]
    for vendor in vendors:
        rows[0] += [len(vendor.models), *(counts[peer][vendor.id]["models"] for peer in ("fusionpbx", "wazo"))]
    for name, feature in features.items():
        row: list[object] = [feature["title"]]
        for vendor in vendors:
            row.append(sum(_has(model, name, feature) for model in vendor.models.values()))
            for peer in ("fusionpbx", "wazo"):
                told = vendor.id in feature or (peer == "wazo" and "setting" not in feature)
                row.append(counts[peer][vendor.id]["features"].get(name, 0) if told else UNKNOWN)
        rows.append(row)
    return (
        "## Beside others\n\n"
        + table(headers, rows)
        + f"Counted by `python docs/peer_counts.py` in [fusionpbx/fusionpbx](https://github.com/fusionpbx/fusionpbx) at {counts['fusionpbx']['commit']} and "
        f"[wazo-platform/wazo-provd-plugins](https://github.com/wazo-platform/wazo-provd-plugins) at {counts['wazo']['commit']}. FusionPBX: folders of "
        "templates, of which some stand for a family. Wazo: models that `plugin-info` names, with the templates of their version and the common ones; keys and "
        "modules as `plugin-info` counts them. A feature counts for them where a template writes the parameter at all (`docs/features.toml`), also with a fixed "
        "value that no setting changes; for this catalogue, where a setting decides it and a test holds the file to the maker's list. `?`: not counted, "
        "since their way has no parameter of its own name.\n\n"
    )


def _vendor(catalogue: Catalogue, vendor: Vendor, features: dict[str, dict[str, str]]) -> str:
    own = {name: feature for name, feature in features.items() if "setting" in feature}
    headers = [
        "model",
        "accounts",
        "keys",
        "modules x keys",
        f"key types of {len(KEY_TYPES) - 1}",
        f"settings of {len(catalogue.settings)}",
    ]
    rows = [_model(catalogue, model, own) for model in vendor.models.values()]
    return f"## {vendor.name}\n\n" + table([*headers, *(feature["title"] for feature in own.values())], rows)


def _model(catalogue: Catalogue, model: Model, features: dict[str, dict[str, str]]) -> list[object]:
    modules = f"{model.expansion.modules} x {model.expansion.keys - len(model.expansion.reserved)}" if model.expansion else NONE
    shown = {"lines": str(model.lines), "keys": str(model.keys or NONE), "expansion": modules}
    told = [f"{UNKNOWN} ({value})" if name in model.unknown else value for name, value in shown.items()]
    types = len(model.key_types - {"none"}) or NONE
    settings = len(catalogue.settings) - len(model.unsupported)
    return [code(model.name), *told, types, settings, *(state(model, feature) for feature in features.values())]
