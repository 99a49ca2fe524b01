"""A MAC is one value, however it is written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.mac import InvalidMac, Mac, try_parse

RAW = st.binary(min_size=6, max_size=6).filter(lambda raw: any(raw) and not raw[0] & 1)


@given(RAW)
def test_every_usual_spelling_is_the_same_address(raw: bytes) -> None:
    mac = Mac.parse(raw.hex())
    pairs = re.findall("..", mac)
    quads = re.findall("....", mac)
    spellings = [mac, *(sign.join(pairs) for sign in ":- "), *(sign.join(quads) for sign in ".-:"), mac.colons]
    assert mac == raw.hex() and mac.oui == mac[:6]
    for spelling in spellings:
        assert Mac.parse(spelling) == Mac.parse(f" {spelling.upper()}\n") == mac


@given(st.text(max_size=30))
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    found = try_parse(text)
    assert found is None or (re.fullmatch("[0-9a-f]{12}", found) and Mac.parse(found) == found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a MAC address"),
        ("805ec0aabbc", "twelve hex digits, for example 80:5e:c0:aa:bb:cc"),
        ("80:5e-c0:aa:bb:cc", "is not a MAC address"),
        ("０" * 12, "is not a MAC address"),
        ("805ec0aabbcc805e", "is not a MAC address"),
        ("000000000000", "a file name of Polycom's"),
        ("ff:ff:ff:ff:ff:ff", "broadcast or multicast"),
        ("01005e000001", "broadcast or multicast"),
    ],
)
def test_wrong_address_says_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(InvalidMac, match=words):
        Mac.parse(text)
