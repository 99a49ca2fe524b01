"""Hot desks: phones that anybody may sit down at, and when whoever sits there is logged out by the clock. Pure."""

from __future__ import annotations

from provisioner.core.timezone import TimezoneRule, offset_at

HOT_DESK, HOT_DESK_UNTIL, TIMEZONE = "hot_desk", "hot_desk_until", "timezone"
"""The settings that say so."""
NEVER = "off"
_DAY_S = 86_400


def ends_at(since: float, until: str, rule: TimezoneRule) -> float | None:
    """Returns when the local clock first shows ``until`` (``20:00``) after ``since``; None where nobody is logged out by the clock."""
    if until == NEVER:
        return None
    hour, _, minute = until.partition(":")
    day = int(since + offset_at(rule, int(since))) // _DAY_S
    local = (each * _DAY_S + int(hour) * 3600 + int(minute) * 60 for each in (day, day + 1, day + 2))
    return next(at for at in (_instant(each, rule) for each in local) if at > since)


def _instant(local_s: int, rule: TimezoneRule) -> float:
    """Returns when the local clock shows ``local_s``, read as seconds since the epoch."""
    nearly = local_s - rule.offset_s
    return float(local_s - offset_at(rule, nearly))
