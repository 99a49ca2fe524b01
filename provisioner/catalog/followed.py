"""Which settings the phones of a vendor follow: every one stands in a template, or is declared as one that they cannot follow.

So no setting is dropped in silence. Here too: the vendor's own parameters that may be added by hand (``[raw]`` in ``vendor.toml``).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import fields, validate

from provisioner.catalog.layers import VendorFolder
from provisioner.catalog.reading import Mistakes, Strict
from provisioner.core.encoders import ENCRYPT_FILES
from provisioner.core.raw import RawForm, RawRule, listed

ALL_OTHERS = "*"
"""In ``[unsupported]``: every setting that no template uses."""
_USED = re.compile(r"""settings(?:\.|\[["'])(\w+)""")
_INDIRECT = {
    "timezone": re.compile(r"\btz\."),
    "codecs": re.compile(r"\bcodecs\b"),
    "line_label": re.compile(r"\blabel_of\("),
    ENCRYPT_FILES: re.compile(r"\bfile_key\b"),
    "shared_lines": re.compile(r"\bshared_line\b"),
}
"""Settings that templates get in another shape than ``settings.<name>``."""


class RawFormSchema(Strict):
    """A table ``[raw.forms.<value of the quirk>]``."""

    names = fields.String(required=True)
    example = fields.String(required=True)


class RawSchema(Strict):
    """The table ``[raw]``."""

    parameters = fields.String(required=True)
    refused = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    written = fields.String(required=True)
    parameter = fields.String()
    form_quirk = fields.String()
    forms = fields.Dict(keys=fields.String(), values=fields.Nested(RawFormSchema))


def used_settings(templates: Mapping[str, str]) -> frozenset[str]:
    """Returns the settings that the templates use."""
    text = "\n".join(templates.values())
    return frozenset(_USED.findall(text)) | {name for name, pattern in _INDIRECT.items() if pattern.search(text)}


def followed_settings(templates: Mapping[str, str], every: Mapping[str, Any]) -> frozenset[str]:
    """Returns the settings that the templates use, and those that the server itself follows."""
    return used_settings(templates) | {name for name, row in every.items() if row.by_server}


def unsupported_by_vendor(
    declared: Mapping[str, str], known: Container[str], used: frozenset[str], every: Mapping[str, Any]
) -> dict[str, str]:
    """Returns setting -> why no phone of the vendor follows it."""
    others = dict.fromkeys((name for name in every if name not in used), declared[ALL_OTHERS]) if ALL_OTHERS in declared else {}
    return {**others, **{name: why for name, why in declared.items() if name in known}}


def vendor_mistakes(declared: Mapping[str, str], used: frozenset[str], every: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields where in a ``vendor.toml`` and what is wrong with the settings that its phones follow."""
    for name in declared:
        if name not in every and name != ALL_OTHERS:
            yield f"unsupported.{name}", "there is no such setting"
        elif name in used:
            yield f"unsupported.{name}", "a template uses this setting: it is supported"
    missing = [name for name, row in every.items() if name not in used and name not in declared and not row.by_server]
    silent = missing if ALL_OTHERS not in declared else []
    if silent:
        yield "unsupported", f"neither a template nor this table has {', '.join(silent)}"
    for name in sorted(used - set(every)):
        yield "unsupported", f"a template uses settings.{name}, which is no setting"
    for name in sorted(name for name in used & set(every) if every[name].by_server):
        yield "unsupported", f"a template uses settings.{name}, which the server follows: it belongs into no file"


def raw_rule(folder: VendorFolder, raw: Mapping[str, Any], mistakes: Mistakes) -> RawRule | None:
    """Returns what may be added by hand, or None where the vendor folder says nothing of it."""
    path = folder / "vendor.toml"
    if not raw:
        return None
    file = folder / str(raw["parameters"])
    if not file.is_file():
        mistakes.note(path, "raw.parameters", f"there is no {raw['parameters']}")
        return None
    text = mistakes.text(file)
    if text and not text.startswith("#"):
        mistakes.append(f"{file}:1: the first line says where the list is from (# source)")
    if "{name}" not in str(raw["written"]):
        mistakes.note(path, "raw.written", "has no {name}")
    mistakes.pattern(path, "raw.written", str(raw["written"]).replace("{name}", "name"))
    refused = tuple(mistakes.pattern(path, "raw.refused", pattern) for pattern in raw["refused"])
    forms = {
        value: RawForm(mistakes.pattern(path, f"raw.forms.{value}.names", form["names"]), form["example"])
        for value, form in raw.get("forms", {}).items()
    }
    return RawRule(
        names=frozenset(listed(text)),
        refused=refused,
        written=str(raw["written"]),
        parameter=_parameter(path, raw, mistakes),
        form_quirk=str(raw.get("form_quirk", "")),
        forms=forms,
    )


def _parameter(path: Path, raw: Mapping[str, Any], mistakes: Mistakes) -> re.Pattern[str] | None:
    if "parameter" not in raw:
        return None
    pattern = mistakes.pattern(path, "raw.parameter", raw["parameter"])
    if "name" not in pattern.groupindex:
        mistakes.note(path, "raw.parameter", "has no group named name")
        return None
    return pattern
