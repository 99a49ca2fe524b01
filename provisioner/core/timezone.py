"""Time zones as rules: the POSIX TZ text of an IANA zone, taken apart for templates.

Phones want a rule ("last Sunday of March, 02:00"), never this year's dates. The POSIX text stands at the end of every
compiled zone file (RFC 9636 section 3.3) and is read by the catalogue; nothing here touches a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"(?:<[^>]+>|[A-Za-z]{3,})"
_OFFSET = r"[+-]?\d{1,3}(?::\d{2}){0,2}"
_POSIX = re.compile(
    rf"^(?P<std>{_NAME})(?P<std_off>{_OFFSET})(?:(?P<dst>{_NAME})(?P<dst_off>{_OFFSET})?,(?P<start>[^,]+),(?P<end>[^,]+))?$"
)
_RULE = re.compile(rf"^M(?P<month>\d+)\.(?P<week>\d)\.(?P<day>\d)(?:/(?P<time>{_OFFSET}))?$")


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
    # RFC 9636 allows -167 to 167 hours ("50 hours after Thursday"). Phones know only a time of that very day, and moving the weekday
    # would be a week wrong in some years; so the change is made on the right day, at its nearest end.
    time_s = min(max(_seconds(match["time"]) if match["time"] else 7200, 0), 86_340)
    return Switch(int(match["month"]), int(match["week"]), int(match["day"]), time_s)
