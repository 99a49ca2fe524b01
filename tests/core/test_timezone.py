"""Every zone of the catalogue, against Python's own rules."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.catalogue import Catalogue
from provisioner.core.timezone import InvalidTimezone, parse_posix_tz

# Cuba's file lists dates of its own for these years (a summer time that does not end), and the rule at its end, which is all that a phone
# can be given, holds only after those.
EXCEPT: frozenset[str] = frozenset({"America/Havana", "Cuba"})
JANUARY, JULY = datetime(2027, 1, 15, 12, tzinfo=UTC), datetime(2027, 7, 15, 12, tzinfo=UTC)


@cache
def zone_of(name: str) -> ZoneInfo:
    """From the package that the catalogue reads, not from the machine, whose rules may be older."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def offset(zone: str, at: datetime) -> float:
    found = at.astimezone(zone_of(zone)).utcoffset()
    assert found is not None
    return found.total_seconds()


def test_offsets_of_every_zone_in_winter_and_summer(catalogue: Catalogue) -> None:
    assert len(catalogue.zones) >= 590
    wrong = {}
    for zone, rule in catalogue.zones.items():
        expected = {offset(zone, JANUARY), offset(zone, JULY)}
        told = {float(rule.offset_s), float(rule.offset_s if rule.summer_offset_s is None else rule.summer_offset_s)}
        if expected != told:
            wrong[zone] = (expected, told)
    assert set(wrong) == EXCEPT, wrong


def test_summer_is_on_the_right_half_of_the_year(catalogue: Catalogue) -> None:
    for zone, rule in catalogue.zones.items():
        if rule.start is None or rule.end is None or zone in EXCEPT:
            continue
        january_is_summer = offset(zone, JANUARY) > offset(zone, JULY)
        assert (rule.start.month > rule.end.month) == january_is_summer, zone
        for switch in (rule.start, rule.end):
            assert 1 <= switch.month <= 12 and 1 <= switch.week <= 5 and 0 <= switch.weekday <= 6 and 0 <= switch.time_s < 86_400


@given(st.text(max_size=40) | st.text("<>+-,M./0123456789ABC", max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    try:
        rule = parse_posix_tz(text)
    except InvalidTimezone:
        return
    assert rule.posix == text and (rule.start is None) == (rule.end is None)


@pytest.mark.parametrize(
    ("text", "hours", "shift"),
    [("UTC0", "0", 0), ("CET-1CEST,M3.5.0,M10.5.0/3", "+1", 60), ("IST-1GMT0,M10.5.0,M3.5.0/1", "0", 60), ("NST3:30", "-3:30", 0)],
)
def test_rule_in_a_vendors_words(text: str, hours: str, shift: int) -> None:
    rule = parse_posix_tz(text)
    assert (rule.hours, rule.shift_min) == (hours, shift)
