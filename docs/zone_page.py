"""The page about time zones: where the clock of a phone that follows its rule is not that of the zone, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata, resources
from itertools import pairwise
from zoneinfo import ZoneInfo

from docs.markdown import code, table
from provisioner.core.timezone import YEARS, Switch, TimezoneRule, offset_at

_BEGIN = int(datetime(YEARS[0], 1, 1, tzinfo=UTC).timestamp())
_END = int(datetime(YEARS[-1] + 1, 1, 1, tzinfo=UTC).timestamp())
_STEP_S = 86_400
"""Zones stay as they are for weeks; a change within a day and back would be missed, and no zone has one."""
_OUTSIDE = re.compile(r"/(?:-\d|2[4-9]|[3-9]\d|\d{3})")


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which the phone's clock is wrong. Seconds since the epoch, the end not included."""

    begin: int
    end: int


def zone_of(name: str) -> ZoneInfo:
    """Returns a zone from the package that the catalogue reads, not from the machine, whose rules may be older."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def wrong_spans(name: str, rule: TimezoneRule) -> list[Span]:
    """Returns when, in ``YEARS``, a phone that follows ``rule`` has another offset than the zone; spans that meet are one."""
    zone = zone_of(name)
    edges = sorted({_BEGIN, _END, *_changes(zone), *(at for at in _switches(rule) if _BEGIN < at < _END)})
    spans: list[Span] = []
    for begin, end in pairwise(edges):
        if _offset(zone, begin) == offset_at(rule, begin):
            continue
        meets = bool(spans) and spans[-1].end == begin
        spans.append(Span(spans.pop().begin if meets else begin, end))
    return spans


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.fromtimestamp(at, zone).utcoffset() or timedelta()
    return int(offset.total_seconds())


def _changes(zone: ZoneInfo) -> Iterator[int]:
    before = _offset(zone, _BEGIN)
    for at in range(_BEGIN + _STEP_S, _END + 1, _STEP_S):
        after = _offset(zone, at)
        if after != before:
            low, high = at - _STEP_S, at
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
            yield high
        before = after


def _switches(rule: TimezoneRule) -> Iterator[int]:
    for year in (*YEARS, YEARS[-1] + 1) if rule.start and rule.end and rule.summer_offset_s is not None else ():
        yield _local(rule.start, year) - rule.offset_s
        yield _local(rule.end, year) - (rule.summer_offset_s or 0)


def _local(switch: Switch | None, year: int) -> int:
    return switch.local_s(year) if switch else 0


def zones() -> str:
    """Returns the page."""
    from provisioner.catalog import load_zones

    every = load_zones()
    found = {name: spans for name, rule in every.items() if (spans := wrong_spans(name, rule))}
    rows = [
        (code(name), sum(span.end - span.begin for span in spans) // 3600 or "less than 1", _day(spans[0].begin), _day(spans[-1].end), _reason(every[name], spans))
        for name, spans in found.items()
    ]  # fmt: skip
    return (
        "# Time zones\n\n"
        "A phone is given a rule (\"last Sunday of March, 02:00\"), never the dates of one year, so it stays right without a new file. The rules are "
        f"those of the `tzdata` package (this page: release {_release()}), taken from the end of each zone's file.\n\n"
        f"Of the {len(every)} zones that a phone can be given, {len(every) - len(found)} are right at every second from {YEARS[0]} to "
        f"{YEARS[-1]}. These are not:\n\n" + table(["zone", "hours wrong", "from", "to", "why"], rows)
        + "The form of each maker adds what its phones cannot say: minutes of a switch, for example. `SOURCES.md` of the vendor folder tells.\n"
    )  # fmt: skip


def is_of_other_rules(text: str) -> bool:
    """Returns whether a page was made from another release of the zone rules than the one that is installed."""
    match = re.search(r"\(this page: release ([\w.]+)\)", text)
    return match is not None and match[1] != _release()


def _release() -> str:
    return metadata.version("tzdata")


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _reason(rule: TimezoneRule, spans: list[Span]) -> str:
    if _OUTSIDE.search(rule.posix):
        return (
            "its clock changes at an hour outside the day that the rule names; the phone changes it at the nearest time that it can be told"
        )
    if spans[-1].end < _END and len({_day(span.begin)[:4] for span in spans}) <= 2:
        return "it had another rule, or dates of its own, until then; what holds after that is written"
    return "its file lists dates that follow no rule"
