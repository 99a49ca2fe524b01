"""When whoever sits at a hot desk is logged out by the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.seats import ends_at
from tests.installations import shared_catalogue

ZONES = shared_catalogue().zones


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("zone", "since", "until", "end"),
    [
        ("Europe/Amsterdam", "2027-01-15T09:00+01:00", "20:00", "2027-01-15T20:00+01:00"),
        ("Europe/Amsterdam", "2027-01-15T20:00+01:00", "20:00", "2027-01-16T20:00+01:00"),
        ("Europe/Amsterdam", "2027-03-27T21:00+01:00", "20:00", "2027-03-28T20:00+02:00"),
        ("Europe/Amsterdam", "2027-10-30T21:00+02:00", "03:00", "2027-10-31T03:00+01:00"),
        ("America/New_York", "2027-07-01T23:30-04:00", "00:00", "2027-07-02T00:00-04:00"),
        ("Asia/Kathmandu", "2027-07-01T12:00+05:45", "18:00", "2027-07-01T18:00+05:45"),
    ],
)
def test_it_is_the_first_such_hour_after_they_sat_down(zone: str, since: str, until: str, end: str) -> None:
    assert ends_at(at(since), until, ZONES[zone]) == at(end)


def test_off_is_never() -> None:
    assert ends_at(0.0, "off", ZONES["UTC"]) is None


@given(
    st.integers(1_700_000_000, 2_000_000_000),
    st.integers(0, 23),
    st.sampled_from(["Europe/Helsinki", "Asia/Ho_Chi_Minh", "America/Santiago"]),
)
def test_the_clock_on_the_wall_says_it_within_a_day(since: int, hour: int, zone: str) -> None:
    end = ends_at(float(since), f"{hour:02d}:00", ZONES[zone])
    assert end is not None and since < end <= since + 25 * 3600
    wall = datetime.fromtimestamp(end, UTC).astimezone(ZoneInfo(zone))
    assert wall.minute == 0 and (wall.hour - hour) % 24 in (0, 1, 23), "an hour that the clock leaves out or has twice is one beside it"
