"""Logging: one line per record, and no secret on it, whatever the message."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.logs import MASK, LineFormatter, forget_secret, pairs, redacted, register_secret, setup_logging

TOKEN = "abcdefghij234567abcdefgh"
MARKER = "S3cr\"et\\ M\u00e4rk\n'er"
_ENDS = re.compile(r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = setup_logging("DEBUG", stream)
    yield logging.getLogger("provisioner.test"), stream
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)


@pytest.fixture
def marker() -> Iterator[str]:
    register_secret(MARKER)
    yield MARKER
    forget_secret(MARKER)


def formatted(message: str, *args: object, **extra: object) -> str:
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": message, "args": args, "created": 1_700_000_000.1234, **extra})
    return LineFormatter().format(record)


def fail(error: Exception) -> None:
    raise error


def test_line_has_time_level_logger_and_fields() -> None:
    assert formatted("served %d", 3, mac="02acde000001", ua="Acme A1", ms=1.25, empty="", quote='a"b') == (
        '2023-11-14T22:13:20.123Z INFO n served 3 mac=02acde000001 ua="Acme A1" ms=1.25 empty="" quote="a\\"b"'
    )


def test_pairs_quote_what_needs_it() -> None:
    assert pairs(reason="served", file="a b", ok=True, token="x", line="a\nb") == 'reason=served file="a b" ok=True token=*** line="a\\nb"'


def test_every_record_is_one_line(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.info("one\ntwo\r\x1b[2J\u2028three", extra={"x": "a\nb"})
    try:
        fail(ValueError("of\nthree\nlines"))
    except ValueError:
        logger.exception("failed")
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert "\x1b" not in stream.getvalue()
    assert "\\n  File " in lines[1]
    assert "ValueError: of\\nthree" in lines[1]


def test_call_with_wrong_arguments_is_not_lost() -> None:
    assert "wanted %d" in formatted("wanted %d", "text")


def test_setting_up_again_replaces_the_stream() -> None:
    first, second = io.StringIO(), io.StringIO()
    setup_logging("INFO", first)
    handler = setup_logging("INFO", second)
    logging.getLogger("provisioner.test").info("hello")
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    assert first.getvalue() == ""
    assert "hello" in second.getvalue()


def test_standard_error_is_the_one_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = setup_logging("INFO")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logging.getLogger("provisioner.test").info("hello")
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    assert "hello" in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        f"GET /p/{TOKEN}/x.cfg",
        f"file=p/{TOKEN}/x.cfg",
        f"path=%2Fp%2F{TOKEN}%2Fx.cfg",
        f"moved to http://prov.example:8080/p/{TOKEN}",
        f"Authorization: Bearer {TOKEN}",
        f'Authorization: Digest username="a", realm="b", response="{TOKEN}"',
        f"{{'Authorization': 'Basic {TOKEN}', 'Accept': '*/*'}}",
        f'{{"authorization": "Bearer {TOKEN}"}}',
        f"headers=[('Authorization', 'Digest x={TOKEN}')]",
        f"sent bearer {TOKEN} to the PBX",
        f"password={TOKEN}",
        f"account.1.password = {TOKEN}",
        f"PROVISIONER_API_TOKEN={TOKEN}",
        f'{{"secret": "{TOKEN} with blanks"}}',
        f"secret='{TOKEN}'",
        f"api_key: {TOKEN}",
        f"postgresql://user:{TOKEN}@db/provisioner",
    ],
)
def test_pattern_masks(text: str) -> None:
    line = formatted(text)
    assert TOKEN not in line
    assert MASK in line


@pytest.mark.parametrize(
    "text",
    [
        "token_epoch=3",
        "secret.key is missing",
        "see http://x/help",
        "Authorization header missing",
        "map/model/a1 p/1",
        "keys=3",
        "bearer of news",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text) == text


def test_field_with_the_name_of_a_secret_is_masked() -> None:
    line = formatted("x", sip_password="abc", api_token="def", Authorization="ghi", mac="j")
    assert not any(word in line for word in ("abc", "def", "ghi"))
    assert "mac=j" in line


def test_short_text_is_not_registered() -> None:
    register_secret("abc")
    assert redacted("abc") == "abc"


SPELLINGS = {"plain": str, "repr": repr, "ascii": ascii, "json": json.dumps, "url": quote, "url, all": lambda text: quote(text, safe="")}


@settings(max_examples=300, deadline=None)
@given(
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    secret=st.text(min_size=8, max_size=30),
    spelling=st.sampled_from(sorted(SPELLINGS)),
    place=st.sampled_from(["message", "argument", "dict", "field", "exception", "nested"]),
)
def test_registered_secret_never_comes_through(before: str, after: str, secret: str, spelling: str, place: str) -> None:
    register_secret(secret)
    try:
        spelt = SPELLINGS[spelling](secret)
        text = before + spelt + after
        line = {
            "message": lambda: formatted(text.replace("%", "%%") + "%s", "."),
            "argument": lambda: formatted("%s", text),
            "dict": lambda: formatted("%s", {before: secret}),
            "nested": lambda: formatted("%r", [(secret, {secret: before})]),
            "field": lambda: formatted("x", what=text),
            "exception": lambda: formatted("x", exc_info=(ValueError, ValueError(text), None)),
        }[place]()
    finally:
        forget_secret(secret)
    assert secret not in line
    assert not _ENDS.search(line)


def test_marker_with_every_hard_character(marker: str, log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.info("%s %r %s %s", marker, marker, json.dumps({"a": marker}), quote(marker), extra={"field": marker, "fields": [marker]})
    try:
        fail(RuntimeError(marker))
    except RuntimeError:
        logger.exception("failed for %s", {"password": marker})
    said = stream.getvalue()
    assert not any(part in said for part in ("S3cr", "M\u00e4rk", "M%C3", "Mu00e4rk", "M\\u00e4rk"))
