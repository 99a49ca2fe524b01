"""The Yealink folder: every value is one that the vendor's comments allow, with every setting at its ends and every choice once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.templates.test_yealink import CATALOGUE, ONE_OF_EACH_SERIES, VENDOR, rendered

CHOICES = [(row.name, choice) for row in CATALOGUE.settings.values() if row.type in {"choice", "list"} for choice in row.choices]
CHOICES += [(row.name, choice) for row in CATALOGUE.settings.values() if row.type == "boolean" for choice in (True, False)]
CHOICES += [(row.name, bound) for row in CATALOGUE.settings.values() if row.type == "integer" for bound in (row.minimum, row.maximum)]
VALUES = json.loads((Path(__file__).parent.parent / "data" / "yealink_values.json").read_text("utf-8"))["parameters"]


def allowed(name: str, value: str) -> bool:
    """Whether the vendor's comments allow the value; a parameter that they say nothing of may hold any."""
    rule = VALUES.get(re.sub(r"\.\d+(?=\.|$)", ".N", name.partition("[")[0]), {})
    if not rule or value in ("", "%NULL%", *rule.get("values", ())):
        return True
    least, most = rule.get("range", (1, 0))
    return re.fullmatch(r"-?\d+", value) is not None and least <= int(value) <= most


@pytest.mark.parametrize("model", ONE_OF_EACH_SERIES)
def test_every_value_is_one_that_the_vendors_comments_allow(model: str) -> None:
    rows, last = CATALOGUE.settings.values(), VENDOR.models[model].lines
    for end in ("default", "minimum", "maximum"):
        chosen = {row.name: getattr(row, end) for row in rows if row.type == "integer"}
        found = rendered(model, lines=last, **chosen, dnd_default="on", forward_default="set")
        assert {name: value for name, value in found.items() if not allowed(name, value)} == {}, end
    for name, value in CHOICES:
        found = rendered(model, **{name: value})
        assert all(found.values()), (name, value)
        assert {name: value for name, value in found.items() if not allowed(name, value)} == {}, (name, value)


@pytest.mark.parametrize(("model", "mode"), [("t28p", "3"), ("t46u", "4")])
def test_a_network_login_that_old_firmware_lacks_is_the_nearest_one(model: str, mode: str) -> None:
    found = rendered(model, dot1x_mode="ttls")
    assert found.get("network.802_1x.mode", found.get("static.network.802_1x.mode")) == mode
