"""Every zone of the catalogue, against Python's own rules."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.zone_page import is_of_other_rules, wrong_spans
from provisioner.core.catalogue import Catalogue
from provisioner.core.timezone import YEARS, InvalidTimezone, Switch, TimezoneRule, offset_at, parse_posix_tz

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


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "time-zones.md").read_text("utf-8")


def instants(rule: TimezoneRule) -> list[int]:
    """Two moments of each month, and both sides of every switch, down to the second."""
    found = [int(datetime(year, month, day, 12, tzinfo=UTC).timestamp()) for year in YEARS for month in range(1, 13) for day in (1, 15)]
    if rule.start is not None and rule.end is not None and rule.summer_offset_s is not None:
        for year in YEARS:
            for at in (rule.start.local_s(year) - rule.offset_s, rule.end.local_s(year) - rule.summer_offset_s):
                found += [at + shift for shift in (-86_400, -3601, -1, 0, 3599, 86_400)]
    return found


def one_name_a_file(names: list[str]) -> list[str]:
    """Most names of zones stand for the same file as another name."""
    base = resources.files("tzdata").joinpath("zoneinfo")
    return list({base.joinpath(*name.split("/")).read_bytes(): name for name in names}.values())


def test_clock_of_a_phone_is_that_of_the_zone_but_where_the_page_says_why_not(catalogue: Catalogue) -> None:
    for name in one_name_a_file(list(catalogue.zones)):
        rule = catalogue.zones[name]
        wrong = [at for at in instants(rule) if offset(name, datetime.fromtimestamp(at, UTC)) != offset_at(rule, at)]
        if not wrong:
            continue
        spans = wrong_spans(name, rule)
        assert all(any(span.begin <= at < span.end for span in spans) for at in wrong), name
        assert f"| `{name}` |" in PAGE or is_of_other_rules(PAGE), f"{name}: run 'make docs'"


def test_page_names_no_zone_that_is_right(catalogue: Catalogue) -> None:
    named = [line.split("`")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert 5 < len(named) < 60
    if not is_of_other_rules(PAGE):
        assert [name for name in named if not wrong_spans(name, catalogue.zones[name])] == []


@pytest.mark.parametrize(
    ("posix", "start", "end"),
    [
        ("EET-2EEST,M4.5.5/0,M10.5.4/24", Switch(4, 5, 5, 0), Switch(10, 5, 4, 86_340)),
        ("IST-2IDT,M3.4.4/26,M10.5.0", Switch(3, 4, 4, 86_340), Switch(10, 5, 0, 7200)),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", Switch(3, 5, 0, 0), Switch(10, 5, 0, 0)),
        ("EET-2EEST,M3.4.4/50,M10.4.4/50", Switch(3, 4, 4, 86_340), Switch(10, 5, 6, 7200)),
    ],
    ids=[
        "midnight at the end",
        "two hours into the next day",
        "an hour before the day",
        "two days on: the last Saturday is wrong for fewer hours",
    ],
)
def test_switch_outside_its_day_is_written_as_near_as_a_phone_can(posix: str, start: Switch, end: Switch) -> None:
    rule = parse_posix_tz(posix)
    assert (rule.start, rule.end) == (start, end)


@pytest.mark.parametrize(
    ("week", "day"), [(1, 7), (2, 14), (3, 21), (4, 28), (5, 28)], ids=["first", "second", "third", "fourth", "last, of four"]
)
def test_week_of_the_month(week: int, day: int) -> None:
    at = Switch(2, week, 0, 3600).local_s(2027)  # February 2027 has four Sundays: 7, 14, 21, 28
    assert datetime.fromtimestamp(at, UTC) == datetime(2027, 2, day, 1, tzinfo=UTC)
