"""Logging: one line per record, ``time level logger message key=value ...``, and no secret on any of them.

Times are RFC 3339 in UTC with milliseconds. Fields are given by ``logger.info("served", extra={"mac": mac, "ms": 3})``, or written
into the message by ``pairs``. Two nets catch secrets: patterns (bearer tokens, capability addresses, ``password=``), and every
secret that was registered by name (``register_secret``), in whatever spelling it turns up.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from functools import lru_cache
from typing import TextIO
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST_SECRET = 6
"""A registered secret that is shorter would mask ordinary words; nothing of ours is."""

_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,;&"']+)"""
_SLASH = r"(?:/|%2[fF])"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Authorization: the whole header, whatever the scheme; Digest spreads over commas up to the end of the line or quote.
    (re.compile(r"(?i)(\b(?:proxy-)?authorization\b[\"']?\s*[:=,]\s*)(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\r\n]+)"), r"\1***"),
    (re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=\-]{6,}"), r"\1\2***"),
    (re.compile(rf"((?:^|[^A-Za-z0-9]|%2[fF])p{_SLASH})(?!\*\*\*)[^\s/\"'%?]+(?={_SLASH})"), r"\1***"),
    (re.compile(rf"((?:^|[^A-Za-z0-9]|%2[fF])p{_SLASH})[a-z2-7]{{24}}(?![A-Za-z0-9])"), r"\1***"),
    (re.compile(rf"(?i)((?:password|passwd|passphrase|pwd|secret|token|api[_-]?key)s?[\"']?\s*(?:=|:(?!//))\s*){_VALUE}"), r"\1***"),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+(?=@)"), r"\1***"),
)
# Without one of these no pattern fits: looking for them costs a hundredth of trying the patterns, on every line of every request.
_HINTS = ("auth", "bearer", "basic", "p/", "p%2f", "pass", "pwd", "secret", "token", "key", "://")
_SECRET_NAME = re.compile(r"(?i)(?:password|passwd|passphrase|pwd|secret|token|api_?key|authorization)s?$")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_registered: dict[str, tuple[str, ...]] = {}
_lock = threading.Lock()


def register_secret(text: str) -> None:
    """Ensures that ``text`` is never logged from now on, as it stands or as Python, JSON or a URL spell it."""
    if len(text) < SHORTEST_SECRET:
        return
    python, url = (repr(text)[1:-1], ascii(text)[1:-1]), (quote(text), quote(text, safe=""), quote_plus(text))
    spellings = {text, _escaped(text), json.dumps(text)[1:-1], *python, *url}
    with _lock:
        _registered[text] = tuple(sorted(spellings, key=len, reverse=True))


def forget_secret(text: str) -> None:
    """Takes a secret off the register, once it opens nothing any more."""
    with _lock:
        _registered.pop(text, None)


def redacted(text: str) -> str:
    """Returns ``text`` with every secret shown as ``***``."""
    text = _without_registered(text)
    lowered = text.lower()
    if any(hint in lowered for hint in _HINTS):
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
    return text


def pairs(**fields: object) -> str:
    """Returns ``name=value`` for each field, in the order given; a value with blanks or quotes is quoted."""
    return " ".join(f"{name}={_field(name, value)}" for name, value in fields.items())


class LineFormatter(logging.Formatter):
    """Formats a record as exactly one line, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_time(record.created)} {record.levelname} {_escaped(record.name)}"
        parts = [head, _escaped(redacted(_message(record))), *_fields(record)]
        if record.exc_info and record.exc_info[1] is not None:
            parts.append(f'exception="{_quotable(redacted("".join(traceback.format_exception(*record.exc_info)).rstrip()))}"')
        # Once more over the whole: a secret may lie across the seam of two parts.
        return _without_registered(" ".join(parts))


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is by then: a test, or a shell around us, may have replaced it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def setup_logging(level: str = "INFO", stream: TextIO | None = None) -> logging.Handler:
    """Sends everything from ``level`` up to ``stream`` (standard error). May be called again: the newest call holds."""
    handler = logging.StreamHandler(stream) if stream is not None else _StandardError()
    handler.setFormatter(LineFormatter())
    handler.set_name("provisioner")
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.get_name() == "provisioner"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    return handler


def _without_registered(text: str) -> str:
    for spellings in tuple(_registered.values()):
        for spelling in spellings:
            while spelling in text:  # what is left and right of a mask may spell it again; every round is shorter
                text = text.replace(spelling, MASK)
    return text


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a slip in a log call must not lose what it wanted to say
        return f"{record.msg} {record.args}"


def _fields(record: logging.LogRecord) -> Iterator[str]:
    for name, value in vars(record).items():
        if name not in _ORDINARY and not name.startswith("_"):
            yield f"{_escaped(name)}={_field(name, value)}"


def _field(name: str, value: object) -> str:
    if _SECRET_NAME.search(name) and value:
        return MASK
    text = f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    text = redacted(text)
    return f'"{_quotable(text)}"' if not text or re.search(r"[\s\"'=\\]", text) else _escaped(text)


def _quotable(text: str) -> str:
    return _escaped(text.replace("\\", "\\\\").replace('"', '\\"'))


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda match: _SHORT.get(match[0]) or f"\\u{ord(match[0]):04x}", text)


def _time(created: float) -> str:
    seconds, milliseconds = divmod(int(created * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
