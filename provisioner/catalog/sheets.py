"""Reads ``sheet.toml``: how a person writes the server's address into a phone by hand, as data for the instruction sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import fields, validate

from provisioner.catalog.layers import VendorFolder
from provisioner.catalog.reading import Mistakes, Strict
from provisioner.core.installing import STEP_FIELDS, InstallStep, InstallWay


class _StepSchema(Strict):
    do = fields.String(required=True, validate=validate.OneOf(tuple(STEP_FIELDS)))
    key = fields.String()
    path = fields.List(fields.String(), validate=validate.Length(min=1))
    field = fields.String()
    value = fields.String()
    user = fields.String()
    password = fields.String()


class _WaySchema(Strict):
    where = fields.String(required=True, validate=validate.OneOf(["computer", "phone"]))
    series = fields.List(fields.String(), load_default=list)
    steps = fields.List(fields.Nested(_StepSchema), required=True, validate=validate.Length(min=1))


class _SheetSchema(Strict):
    way = fields.List(fields.Nested(_WaySchema), required=True, validate=validate.Length(min=1))


def install_ways(folder: VendorFolder, series: Iterable[str], mistakes: Mistakes) -> tuple[InstallWay, ...]:
    """Returns the ways of a vendor folder, in their order; notes what is wrong."""
    path, known = folder / "sheet.toml", set(series)
    rows = mistakes.read(path, _SheetSchema()).get("way", ())
    for at, way in enumerate(rows):
        for name in sorted(set(way["series"]) - known):
            mistakes.note(path, f"way.{at}.series", f"there is no series/{name}.toml")
        for step in way["steps"]:
            wanted, given = set(STEP_FIELDS[step["do"]]), step.keys() - {"do"}
            if wanted != given:
                mistakes.note(
                    path, f"way.{at}.steps", f"{step['do']} needs {', '.join(sorted(wanted)) or 'nothing'}, and has {sorted(given)}"
                )
    return tuple(InstallWay(row["where"], tuple(_step(step) for step in row["steps"]), tuple(row["series"])) for row in rows)


def _step(row: Mapping[str, Any]) -> InstallStep:
    words = {name: value for name, value in row.items() if isinstance(value, str) and name != "do"}
    return InstallStep(row["do"], words, tuple(row.get("path", ())))
