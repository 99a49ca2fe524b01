"""Why a model lacks a key type: ``[missing_keys]`` of its own file, of its series or of its vendor, so that none is left out in silence.

A row is key type -> reason; ``"*"`` stands for all that have no row. The nearer table wins, with its ``"*"``, over the one above it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from marshmallow import fields, validate

from provisioner.core.values import KEY_TYPES

ALL_OTHERS = "*"
_NEEDS_KEY = {"shared_lines": "shared_line"}
"""Settings that matter to keys of one type only."""


def missing_keys_field() -> fields.Dict:
    """Returns the field of a table ``[missing_keys]``."""
    return fields.Dict(
        keys=fields.String(validate=validate.OneOf([*KEY_TYPES, ALL_OTHERS])), values=fields.String(validate=validate.Length(min=1))
    )


def missing_keys(have: frozenset[str], own: Mapping[str, str], vendor: Mapping[str, str]) -> dict[str, str]:
    """Returns key type -> why a phone with the key types ``have`` lacks it; an empty reason where nobody gives one."""
    return {
        name: own.get(name) or own.get(ALL_OTHERS) or vendor.get(name) or vendor.get(ALL_OTHERS, "")
        for name in KEY_TYPES
        if name not in have and name != "none"
    }


def lacking_mistakes(have: frozenset[str], own: Mapping[str, str], found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields where in a model's file and what is wrong: a type without a reason, a reason for a type that is there."""
    silent = [name for name, why in found.items() if not why]
    if silent:
        yield "missing_keys", f"neither key_types nor this table has {', '.join(silent)}"
    for name in sorted(own.keys() & have):
        yield f"missing_keys.{name}", "the model has this key type"


def unsupported_without(missing: Mapping[str, str]) -> dict[str, str]:
    """Returns the settings that a phone cannot follow because it lacks the keys that they are for -> why."""
    return {setting: missing[name] for setting, name in _NEEDS_KEY.items() if name in missing}
