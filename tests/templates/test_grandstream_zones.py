"""Grandstream: the clock of a phone follows its zone from 2025 to 2035."""

from __future__ import annotations

import dataclasses
import re
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from provisioner.core.timezone import parse_posix_tz
from tests.conftest import load_cases
from tests.templates.grandstream_phones import (
    CATALOGUE,
    VENDOR,
    name_of,
    names_in,
    parameters,
    render,
)

# Time zones


NO_ROOM_FOR_SUMMER = {
    "Australia/Adelaide",
    "Australia/Broken_Hill",
    "Australia/South",
    "Australia/Yancowinna",
    "Pacific/Chatham",
    "NZ-CHAT",
}
"""Their texts are longer than 32 characters: phones with so little room stay in winter time."""


def zone_of(model: str, zone: str) -> str:
    """Returns the POSIX text that the phone is given for a zone, from either parameter."""
    found = parameters(render(model, settings={"timezone": zone}, line=[]))
    table = f"phone_{VENDOR.models[model].quirks['format']}"
    listed, custom = name_of(model, table, "zone"), name_of(model, table, "custom_zone")
    if found[listed] != "customize":
        assert found[listed] in names_in("grandstream_zones.txt")
        return found[listed]
    return found[custom]


@pytest.mark.parametrize(
    "case", [case for case in load_cases("timezone_cases") if case["vendor"] == "Grandstream"], ids=lambda case: case["id"]
)
def test_zone_is_as_recorded(case: dict) -> None:
    paris = "CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00:00"
    if "tz_string" in case["expect"]:
        assert {zone_of(model, case["zone"]) for model in ("gxp2170", "grp2614")} == {case["expect"]["tz_string"]} == {paris}
    else:
        assert zone_of("gxp2170", case["zone"]) != paris


@pytest.mark.parametrize(("model", "longest"), [("gxp2170", 64), ("dp750", 32), ("gxv3140", 32)])
def test_every_zone_follows_its_rule(model: str, longest: int) -> None:
    hours_outside_the_day = set()
    for name, rule in CATALOGUE.zones.items():
        text = zone_of(model, name)
        if longest == 32 and name in NO_ROOM_FOR_SUMMER:
            assert "," not in text and rule.has_summer
            continue
        # No angle brackets, no hour beyond the day, and what the phone takes at most.
        change = r"M\d+\.\d\.\d(/[012]?\d(:\d\d(:00)?)?)?"
        assert re.fullmatch(rf"[A-Za-z]{{3,6}}[-+]?\d+(:\d\d)?([A-Za-z]{{3,6}}-?\d+(:\d\d)?(,{change}){{2}})?", text), (name, text)
        assert len(text) <= longest, (name, text)
        if re.search(r"/(-|2[5-9]|[3-9]\d)", rule.posix):
            hours_outside_the_day.add(rule.posix)
        else:
            assert dataclasses.replace(parse_posix_tz(text), posix=rule.posix) == rule, (name, text)
    # The begin or the end of the day stands for these: two hours a year are wrong in Jerusalem, one in Nuuk.
    assert len(hours_outside_the_day) <= 3


def test_android_phones_are_given_the_name_of_the_zone() -> None:
    found = parameters(render("gxv3380", settings={"timezone": "Asia/Kolkata"}))
    assert found["dateTime.timezone"] == "Asia/Kolkata" and "dateTime.timezone.custom" not in found


# fmt: off
SAMPLE = [
    "UTC", "Europe/Amsterdam", "Europe/Dublin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/St_Johns",
    "America/Santiago", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Phnom_Penh",
    "Asia/Ho_Chi_Minh", "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "model"), [(name, "gxp2170") for name in SAMPLE] + [(name, "dp750") for name in SAMPLE if name not in NO_ROOM_FOR_SUMMER]
)
def test_clock_is_right_from_2025_to_2035(name: str, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = ZoneInfo(name)
    begin, end = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2036, 1, 1, tzinfo=UTC).timestamp())
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone_of(model, name))
        time.tzset()
        wrong = [at for at in range(begin, end, 7200) if time.localtime(at).tm_gmtoff != offset_at(zone, at)]
    time.tzset()
    assert [datetime.fromtimestamp(at, UTC).isoformat() for at in wrong[:3]] == []


def offset_at(zone: ZoneInfo, at: int) -> float:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return offset.total_seconds()
