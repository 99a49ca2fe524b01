"""Checks one setting's value against its row: the single place where a phone setting is judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches

from provisioner.core import raw
from provisioner.core.catalogue import Setting, SettingRows
from provisioner.core.multicast import multicast_mistake
from provisioner.core.timezone import TimezoneRule
from provisioner.core.values import SettingValue
from provisioner.errors import InputError

_HOST = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9\-_.]*[A-Za-z0-9])?$")
_IPV6 = re.compile(r"^\[?[0-9A-Fa-f:.]{2,45}\]?$")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Line breaks, controls, and halves of UTF-16 pairs, which no file and no database can hold."""


def checked_setting(settings: SettingRows, zones: Mapping[str, TimezoneRule], name: str, value: object) -> SettingValue:
    """Returns ``value`` in the type of setting ``name``. Raises ``InputError`` naming the setting and the mend."""
    row = settings.get(name)
    parameter = raw.parameter_of(name)
    if row is None and parameter is not None:
        raise InputError({f"settings.{name}": raw.why_refused(settings.rules, parameter) or "it cannot be set"})
    if row is None:
        near = get_close_matches(name[:64], settings, n=1)
        raise InputError({f"settings.{name}": "there is no such setting" + (f"; did you mean {near[0]}?" if near else "")})
    if row.type == "timezone":
        return _timezone(row, zones, value)
    return _CHECKS[row.type](row, value)


def text_mistakes(where: str, text: str, longest: int) -> dict[str, str]:
    """Returns ``where`` -> what is wrong with a short text that somebody typed, or nothing."""
    if len(text) > longest:
        return {where: f"at most {longest} characters; these are {len(text)}"}
    return {where: "line breaks and control characters are not possible here"} if CONTROL.search(text) else {}


def _refuse(row: Setting, sentence: str) -> InputError:
    return InputError({f"settings.{row.name}": sentence})


def _shown(value: object) -> str:
    """Returns the beginning of a value that somebody sent; Python itself refuses to write out a number of more than 4300 digits."""
    try:
        return str(value)[:40]
    except ValueError:
        return type(value).__name__


def _string(row: Setting, value: object) -> str:
    if not isinstance(value, str):
        raise _refuse(row, f"a text is needed, not {type(value).__name__}")
    if len(value) > row.max_length:
        raise _refuse(row, f"at most {row.max_length} characters; these are {len(value)}")
    if CONTROL.search(value):
        raise _refuse(row, "line breaks and control characters are not possible here")
    return value


def _integer(row: Setting, value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value.strip()):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _refuse(row, "a whole number is needed")
    if (row.minimum is not None and value < row.minimum) or (row.maximum is not None and value > row.maximum):
        raise _refuse(row, f"{_shown(value)} is not between {row.minimum} and {row.maximum}{f' {row.unit}' if row.unit else ''}")
    return value


def _boolean(row: Setting, value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    word = _shown(value).strip().lower()
    if word in words:
        return words[word]
    raise _refuse(row, "true or false is needed")


def _choice(row: Setting, value: object) -> str:
    if value not in row.choices:
        raise _refuse(row, f"'{_shown(value)}' is none of {', '.join(row.choices)}")
    return str(value)


def _list(row: Setting, value: object) -> str:
    items = [item.strip() for item in _string(row, value).split(",") if item.strip()]
    for item in items:
        if item not in row.choices:
            raise _refuse(row, f"'{item[:40]}' is none of {', '.join(row.choices)}")
    return ",".join(dict.fromkeys(items))


def _host(row: Setting, value: object) -> str:
    text = _string(row, value).strip()
    if text and not _HOST.match(text) and not _IPV6.match(text):
        raise _refuse(row, f"'{text[:60]}' is not a host name or an address (no http://, no port)")
    return text


def _multicast(row: Setting, value: object) -> str:
    text = _string(row, value).strip()
    mistake = multicast_mistake(text) if text else ""
    if mistake:
        raise _refuse(row, mistake)
    return text


def _timezone(row: Setting, zones: Mapping[str, TimezoneRule], value: object) -> str:
    text = _string(row, value)
    if text not in zones:
        near = get_close_matches(text, zones, n=1, cutoff=0.5)
        raise _refuse(
            row, f"'{text[:40]}' is not a time zone" + (f"; did you mean {near[0]}?" if near else ", for example Europe/Amsterdam")
        )
    return text


_CHECKS: Mapping[str, Callable[[Setting, object], SettingValue]] = {
    "string": _string,
    "multicast": _multicast,
    "secret": _string,
    "integer": _integer,
    "boolean": _boolean,
    "choice": _choice,
    "list": _list,
    "host": _host,
}
