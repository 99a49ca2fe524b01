"""The Yealink folder: nothing that somebody types adds a line to a file, or hides one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.core.escape import clean_label, escape_line
from provisioner.core.values import Key, PhoneConfig
from tests.conftest import load_cases
from tests.templates.test_yealink import CATALOGUE, config, parsed, text_of

AWKWARD = [
    "\n",
    "\r",
    "\r\n",
    "\0",
    '"',
    "'",
    "<",
    "&",
    "]]>",
    "#",
    ";",
    "=",
    "%NULL%",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b",
    "\x0c",
    "\x1c",
    "[T46U]",
    "{{ 1 }}",
]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(st.sampled_from(AWKWARD), st.text(max_size=8)), max_size=8).map("".join),
    st.text(min_size=1, max_size=5).map(lambda text: text * (10_000 // len(text))),
    st.sampled_from(["line1\naccount.1.password = x", "x\r\nstatic.auto_provision.server.url = http://evil.example/"]),
)
PLACES = ("display_name", "label", "secret", "extension", "key_value", "key_label")
STRINGS = tuple(row.name for row in CATALOGUE.settings.values() if row.type in {"string", "secret", "host"})


CODED = (Key(0, 3, "pickup", "1002"), Key(0, 4, "intercom", "1002"), Key(0, 5, "group_pickup"), Key(0, 6, "voicemail"))
FILES = ("firmware_url", "ring_tone_file", "wallpaper", "logo", "language_file")
"""Settings that name a file: an address, or a name that the server's own address is put before."""


def typed(place: str, text: str) -> PhoneConfig:
    key = Key(0, 2, "blf", "1002", "Bob")
    model, modules = ("t31p", 0) if place == "logo" else ("t54w", 1)
    phone = config(model, (key, *CODED), modules=modules, firmware="96.84.0.125", forward_default="set")
    if place in STRINGS:
        return replace(phone, settings={**phone.settings, place: text})
    if place.startswith("key_"):
        return replace(phone, keys=(replace(key, **{place.removeprefix("key_"): text}), *CODED))
    return replace(phone, lines=(replace(phone.lines[0], **{place: text}),))


def possible(place: str, text: str, plain: str) -> set[str]:
    """Returns what may stand where ``plain`` stands with a plain text: the text, escaped, and what is put in place of an empty one."""
    before, _, after = plain.partition("plain")
    spellings = {before + escape_line(text) + after, before + escape_line(clean_label(text)) + after, escape_line(before + text + after)}
    if place in FILES and "://" in text:
        spellings.add(escape_line(text))
    if place in FILES:
        last = text.rsplit("/", maxsplit=1)[-1]
        spellings |= {escape_line(before + last), escape_line(before + last.split(".")[-2:][0]), "%NULL%", "0", "English"}
    if not escape_line(clean_label(text)):
        spellings |= {"%NULL%", "1001"} if place == "label" else {"%NULL%"}
    return spellings


@pytest.mark.parametrize("place", (*PLACES, *STRINGS))
@given(text=TEXTS)
@settings(max_examples=25, deadline=None)
def test_no_text_adds_or_hides_a_line(place: str, text: str) -> None:
    plain, found = parsed(text_of(typed(place, "plain"))), parsed(text_of(typed(place, text)))
    assert set(found) == set(plain)
    carriers = {name for name, value in plain.items() if "plain" in value}
    assert carriers, "the place is not in the file: nothing was tried"
    for name in carriers:
        assert found[name] in possible(place, text, plain[name]), name
    moved = {name for name in plain if plain[name] != found[name]} - carriers
    assert [name for name in moved if not SWITCH.search(name)] == []


SWITCH = re.compile(
    r"\.enable$|_enable$|\.lcd_logo\.mode$|^account\.1\.outbound_proxy\.1\.port$|^distinctive_ring_tones\.alert_info\.\d\.ringer$"
)
"""What says whether the text beside it is used at all."""


@pytest.mark.parametrize(
    "case", [case for case in load_cases("escaping_cases") if case["format"].startswith("yealink")], ids=lambda case: case["id"]
)
def test_recorded_value_is_written_as_it_is_and_adds_no_parameter(case: dict) -> None:
    """Some cases (escaping-001) want quotes around ``foo#bar``. Here it stays bare: a ``#`` within a value is data to these phones.

    Source: wazo-platform/wazo-provd-plugins at 2321a3f3, ``plugins/wazo_yealink/v82/tests/test_common.py`` line 256 and ``common.py``
    line 478: the phone book address ends in ``term=#SEARCH``;
    ``templates/base.tpl`` writes it bare into ``remote_phonebook.data.1.url``.
    """
    found, plain = parsed(text_of(typed("display_name", case["value"]))), parsed(text_of(typed("display_name", "plain")))
    assert found.keys() == plain.keys()
    assert {name for name in plain if found[name] != plain[name]} <= {"account.1.display_name", "account.1.label"}
    if isinstance(case["expect"], str):
        assert found["account.1.display_name"] in (case["expect"], case["expect"].removeprefix('"').removesuffix('"'))
