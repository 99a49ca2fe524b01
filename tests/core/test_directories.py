"""Merging the server's speed-dial keys with the contacts of a phone's user: neither is lost, whoever changed what."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.directories import merged_contacts
from provisioner.core.escape import escape_xml

OURS_FROM = 1000


def directory(*entries: tuple[str, str, str]) -> bytes:
    items = "".join(f"<item><fn>{escape_xml(fn)}</fn><ct>{escape_xml(ct)}</ct><sd>{sd}</sd></item>" for fn, ct, sd in entries)
    return f'<?xml version="1.0" encoding="UTF-8"?><directory><item_list>{items}</item_list></directory>'.encode()


def read(document: bytes) -> list[tuple[str, str, str]]:
    return [
        (item.findtext("fn", ""), item.findtext("ct", ""), item.findtext("sd", ""))
        for item in ElementTree.fromstring(document).iter("item")
    ]


def test_a_changed_key_reaches_the_phone_and_its_contact_stays() -> None:
    before = directory(("Taxi", "1111", "1003"), ("Door", "2222", "1004"))
    sent = directory(("Taxi", "1111", "1003"), ("Door", "2222", "1004"), ("Mum", "3333", "1"))
    after = directory(("Taxi", "9999", "1003"))
    assert read(merged_contacts(before, sent, OURS_FROM)) == [("Taxi", "1111", "1003"), ("Door", "2222", "1004"), ("Mum", "3333", "1")]
    assert read(merged_contacts(after, sent, OURS_FROM)) == [("Taxi", "9999", "1003"), ("Mum", "3333", "1")]


def test_a_number_that_both_have_stands_once_because_the_phone_refuses_it_twice() -> None:
    assert read(merged_contacts(directory(("Taxi", "1111", "1003")), directory(("My taxi", "1111", "2")), OURS_FROM)) == [
        ("Taxi", "1111", "1003")
    ]


def test_a_contact_keeps_what_the_phone_wrote_of_it() -> None:
    sent = (
        b"<directory><item_list><item><ln>Lee</ln><fn>Ann</fn><ct>7</ct><rt>3</rt><dc/><ad>0</ad><bw>1</bw></item></item_list></directory>"
    )
    [item] = ElementTree.fromstring(merged_contacts(directory(), sent, OURS_FROM)).iter("item")
    assert [(part.tag, part.text or "") for part in item] == [
        ("ln", "Lee"),
        ("fn", "Ann"),
        ("ct", "7"),
        ("rt", "3"),
        ("dc", ""),
        ("ad", "0"),
        ("bw", "1"),
    ]


@pytest.mark.parametrize(
    "sent",
    [b"", b"not XML", b"<directory>", b'<!DOCTYPE d [<!ENTITY a "aaaa">]><directory>&a;</directory>', b"\xff\xfe"],
    ids=["empty", "text", "cut off", "with entities", "not UTF-8"],
)
def test_what_is_no_directory_is_given_back_as_it_came(sent: bytes) -> None:
    assert merged_contacts(directory(("Taxi", "1111", "1003")), sent, OURS_FROM) == sent


TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp")), max_size=20)
ENTRIES = st.lists(st.tuples(TEXT, TEXT, st.integers(1, 2000).map(str)), max_size=8)


@given(ours=ENTRIES, sent=ENTRIES)
def test_every_key_of_ours_is_there_and_every_contact_of_the_phone_too(ours: list, sent: list) -> None:
    ours = [(fn, ct, str(1000 + at)) for at, (fn, ct, _) in enumerate(ours, 1)]
    merged = read(merged_contacts(directory(*ours), directory(*sent), OURS_FROM))
    assert merged[: len(ours)] == ours
    dialled = {ct for _, ct, _ in ours}
    assert merged[len(ours) :] == [entry for entry in sent if int(entry[2]) <= OURS_FROM and entry[1] and entry[1] not in dialled]
    # A second round trip through the phone changes nothing.
    assert read(merged_contacts(directory(*ours), directory(*merged), OURS_FROM)) == merged
