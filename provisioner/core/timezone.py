"""Time zones as rules: the POSIX TZ text of an IANA zone, taken apart for templates.

Phones want a rule ("last Sunday of March, 02:00"), never this year's dates. The POSIX text stands at the end of every
compiled zone file (RFC 9636 section 3.3) and is read by the catalogue; nothing here touches a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NAME = r"(?:<[^>]+>|[A-Za-z]{3,})"
_OFFSET = r"[+-]?\d{1,3}(?::\d{2}){0,2}"
_POSIX = re.compile(
    rf"^(?P<std>{_NAME})(?P<std_off>{_OFFSET})(?:(?P<dst>{_NAME})(?P<dst_off>{_OFFSET})?,(?P<start>[^,]+),(?P<end>[^,]+))?$"
)
_RULE = re.compile(rf"^M(?P<month>\d+)\.(?P<week>\d)\.(?P<day>\d)(?:/(?P<time>{_OFFSET}))?$")


YEARS = range(2025, 2036)
"""What a rule is judged by: the years that phones bought now will see."""
_DAY_S = 86_400


class InvalidTimezone(ValueError):
    """The text is no POSIX TZ string of the kind that phones can follow."""


@dataclass(frozen=True, slots=True)
class Switch:
    """When the clock changes, in local time before the change."""

    month: int
    week: int
    """1 to 4, or 5 for the last such weekday of the month."""
    weekday: int
    """0 is Sunday, as in POSIX."""
    time_s: int
    """Seconds after midnight, 0 to 86399."""

    @property
    def hour(self) -> int:
        return self.time_s // 3600

    @property
    def minute(self) -> int:
        return self.time_s % 3600 // 60

    def local_s(self, year: int) -> int:
        """Returns when the clock changes in ``year``: seconds since the epoch, read as local time before the change."""
        return _day_s(year, self.month, self.week, self.weekday) + self.time_s


@dataclass(frozen=True, slots=True)
class TimezoneRule:
    """A zone as a rule. East of Greenwich is positive."""

    posix: str
    offset_s: int
    summer_offset_s: int | None
    """Offset in summer, or None for a zone without summer time."""
    start: Switch | None
    end: Switch | None

    @property
    def has_summer(self) -> bool:
        return self.start is not None

    @property
    def shift_min(self) -> int:
        """How far summer time moves the clock, in minutes; 0 without summer time."""
        return 0 if self.summer_offset_s is None else (self.summer_offset_s - self.offset_s) // 60

    @property
    def hours(self) -> str:
        """``+1``, ``-3:30``, ``0``: the sign always shown, minutes only where there are any."""
        sign = "-" if self.offset_s < 0 else "+" if self.offset_s else ""
        hours, rest = divmod(abs(self.offset_s), 3600)
        return f"{sign}{hours}" + (f":{rest // 60:02d}" if rest else "")


def offset_at(rule: TimezoneRule, at: int) -> int:
    """Returns the offset in seconds that a phone with this rule has at ``at`` (seconds since the epoch)."""
    if rule.start is None or rule.end is None or rule.summer_offset_s is None:
        return rule.offset_s
    year = _year(at + rule.offset_s)
    start, end = rule.start.local_s(year) - rule.offset_s, rule.end.local_s(year) - rule.summer_offset_s
    is_summer = start <= at < end if start < end else not end <= at < start
    return rule.summer_offset_s if is_summer else rule.offset_s


def parse_posix_tz(text: str) -> TimezoneRule:
    """Returns the rule of a POSIX TZ string such as ``CET-1CEST,M3.5.0,M10.5.0/3``. Raises ``InvalidTimezone``."""
    match = _POSIX.match(text)
    if match is None:
        raise InvalidTimezone(f"'{text}' is not a POSIX time zone")
    offset = -_seconds(match["std_off"])
    if match["dst"] is None:
        return TimezoneRule(text, offset, None, None, None)
    summer = -_seconds(match["dst_off"]) if match["dst_off"] else offset + 3600
    start, end = _switch(match["start"], text), _switch(match["end"], text)
    if summer < offset:
        # Ireland writes its winter as the exception; phones only know summers.
        offset, summer, start, end = summer, offset, end, start
    return TimezoneRule(text, offset, summer, start, end)


def _seconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    parts = [int(part) for part in text.lstrip("+-").split(":")] + [0, 0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def _switch(text: str, whole: str) -> Switch:
    match = _RULE.match(text)
    if match is None:
        raise InvalidTimezone(f"'{whole}' changes its clock on fixed days; phones follow only weekday rules")
    time_s = _seconds(match["time"]) if match["time"] else 7200
    return _within_a_day(int(match["month"]), int(match["week"]), int(match["day"]), time_s)


def _within_a_day(month: int, week: int, weekday: int, time_s: int) -> Switch:
    """Returns the switch that a phone can be given for one that may lie outside its day ("50 hours after the fourth Thursday").

    RFC 9636 allows -167 to 167 hours; phones know only a time of a weekday. The neighbouring weekday is a whole week wrong in some years,
    the nearest end of the right day some hours wrong in each: taken is what is wrong for the fewest hours in ``YEARS``.
    """
    if 0 <= time_s < _DAY_S:
        return Switch(month, week, weekday, time_s)
    days, rest = divmod(time_s, _DAY_S)
    nearest_end = Switch(month, week, weekday, 0 if time_s < 0 else _DAY_S - 60)
    moved = (Switch(month, other, (weekday + days) % 7, rest) for other in range(1, 6))
    return min((nearest_end, *moved), key=lambda switch: _wrong_s(switch, (_day_s(year, month, week, weekday) + time_s for year in YEARS)))


def _wrong_s(switch: Switch, right: Iterable[int]) -> int:
    return sum(abs(switch.local_s(year) - at) for year, at in zip(YEARS, right, strict=True))


def _day_s(year: int, month: int, week: int, weekday: int) -> int:
    """Returns the midnight that begins the ``week``-th (5: the last) such day of the month."""
    first = _days(year, month)
    beyond = _days(year + month // 12, month % 12 + 1)
    # The first of January 1970 was a Thursday.
    day = first + (weekday - first - 4) % 7 + 7 * (week - 1)
    return (day if day < beyond else day - 7) * _DAY_S


def _days(year: int, month: int) -> int:
    """Returns the days from 1970 to the first of a month; the year is counted from March, so that a leap day ends it."""
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 - 719_468


def _year(at: int) -> int:
    year = 1970 + at // 31_556_952  # of 365.2425 days: the year, or one beside it at its ends
    days = at // _DAY_S
    return year - 1 if days < _days(year, 1) else year + 1 if days >= _days(year + 1, 1) else year
