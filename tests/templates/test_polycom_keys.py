"""Polycom: every key type, what was removed, and that no value can add an element or attribute."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.core.escape import clean_label
from provisioner.core.values import KEY_TYPES, Key, Line
from provisioner.errors import RenderError
from tests.conftest import load_cases
from tests.templates.polycom_phones import (
    CATALOGUE,
    KEYED,
    RENDERER,
    SPELLINGS,
    TRIED,
    VENDOR,
    config,
    contacts,
    documents,
    parameters,
)

# --- Keys -------------------------------------------------------------------------------------------------------------------------


BLF_CASES = {case["id"]: case for case in load_cases("blf_expected") if case["vendor"] == "Polycom"}


@pytest.mark.parametrize("name", sorted(BLF_CASES))
def test_blf_case(name: str) -> None:
    case = BLF_CASES[name]
    model = VENDOR.models[SPELLINGS[case["model"]]]
    if case.get("code_table"):
        # Where the phone orders its keys itself, the first is that of line 1, and most cases leave it out. They count 40 keys on a VVX
        # module, the vendor's guide 84 on the colour one: the disagreement stands in the model's file. Of the VVX 450's module no source
        # tells the keys, which its file says.
        flexible, is_unknown = bool(model.quirks["flexible_line_keys"]), "expansion" in model.unknown
        on_modules = 3 * (40 if flexible else model.expansion.keys) if model.expansion else 120 if is_unknown else 0
        assert not (flexible and model.expansion) or model.disagreements[0].field == "expansion.keys"
        assert case["expect"]["keys_including_expansion"] - on_modules in {model.keys, model.keys - (not flexible)}
        return
    keys = tuple(Key(0, int(number), key["type"], key["value"], key["label"]) for number, key in case["given"]["keys"].items())
    text = RENDERER.phone_files(config(model.name, keys))[1].body.decode()
    assert [row for row in (f'{key}="{value}"' for key, value in case["expect"].items()) if row not in text] == []


@pytest.mark.parametrize("model", KEYED)
@pytest.mark.parametrize("kind", sorted({"none", *KEY_TYPES}))
def test_every_key_type_of_the_model_renders_and_no_other(model: str, kind: str) -> None:
    phone = config(model, (Key(0, 2, kind, "1002", "Bob"),))
    if kind in VENDOR.models[model].key_types:
        parameters(phone)
    elif kind in {"forward", "ldap", "url"}:
        with pytest.raises(RenderError):
            RENDERER.phone_files(phone)


WANTED = {
    "speed_dial": "1002",
    "pickup": "*81002",
    "group_pickup": "*8",
    "intercom": "*801002",
    "voicemail": "1002",
    "dtmf": "^1002$Tdtmf$",
    "transfer": "^1002$Trefer$",
    "dnd": "^$FDoNotDisturb$",
    "conference": "^$FConference$",
    "phonebook": "^$FDirectories$",
}


@pytest.mark.parametrize("model", KEYED)
@pytest.mark.parametrize("kind", sorted(WANTED))
def test_dialled_key_is_a_contact(model: str, kind: str) -> None:
    if kind not in VENDOR.models[model].key_types:
        return
    phone = config(model, (Key(0, 3, kind, "1002", "A & B"),))
    index = str(int(VENDOR.models[model].quirks["speed_dials_from"]) + 3)
    assert contacts(phone) == {index: (WANTED[kind], "A & B")}
    if VENDOR.models[model].quirks["flexible_line_keys"]:
        found = parameters(phone)
        assert (found["lineKey.3.category"], found["lineKey.3.index"]) == ("SpeedDial", index)


def test_a_number_on_two_keys_is_one_contact() -> None:
    phone = config("vvx411", (Key(0, 3, "speed_dial", "R&D", "One"), Key(0, 5, "speed_dial", "R&D", "Two")))
    assert contacts(phone) == {"1003": ("R&D", "One")}
    assert parameters(phone)["lineKey.5.index"] == "1003"


@pytest.mark.parametrize("kind", ["blf", "park", "speed_dial", "dtmf", "transfer"])
def test_a_key_without_number_is_left_empty(kind: str) -> None:
    phone = config("vvx411", (Key(0, 3, kind),))
    assert parameters(phone)["lineKey.3.category"] == "Unassigned"
    assert contacts(phone) == {}
    assert parameters(phone)["attendant.resourceList.1.address"] == ""


def test_watched_keys_are_listed_in_the_order_of_the_keys() -> None:
    found = parameters(config("vvx411", (Key(1, 2, "blf", "1003"), Key(0, 9, "park", "701"), Key(0, 4, "blf", "1002")), modules=1))
    assert [found[f"attendant.resourceList.{number}.address"] for number in (1, 2, 3)] == ["1002", "701", "1003"]
    assert [found[f"attendant.resourceList.{number}.type"] for number in (1, 2, 3)] == ["normal", "automata", "normal"]
    assert [name for name, value in found.items() if value == "BLF"] == ["lineKey.4.category", "lineKey.9.category", "lineKey.14.category"]


def test_lines_without_a_key_take_the_first_free_ones() -> None:
    found = parameters(config("vvx411", (Key(0, 1, "blf", "1002"), Key(0, 3, "line", line=2)), lines=3))
    shown = [(found[f"lineKey.{number}.category"], found.get(f"lineKey.{number}.index")) for number in range(1, 6)]
    assert shown == [("BLF", "0"), ("Line", "1"), ("Line", "2"), ("Line", "3"), ("Unassigned", None)]


def test_a_line_key_of_a_line_that_is_not_there_stays_empty() -> None:
    found = parameters(config("vvx411", (Key(0, 5, "line", line=9),)))
    assert found["lineKey.5.category"] == "Unassigned"


def test_the_first_line_there_is_watches() -> None:
    phone = replace(config("vvx411"), lines=(Line(5, "1005", "", "s"), Line(11, "1011", "", "s")))
    assert parameters(phone)["attendant.reg"] == "5"


# --- Removal ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [name for name in TRIED if VENDOR.models[name].lines > 1])
def test_a_removed_line_is_cleared(model: str) -> None:
    found = parameters(config(model, lines=1))
    assert (found["reg.2.address"], found["reg.2.auth.password"]) == ("", "")
    assert "secret-2" not in RENDERER.phone_files(config(model, lines=1))[1].body.decode()


@pytest.mark.parametrize("model", KEYED)
def test_a_removed_key_is_cleared(model: str) -> None:
    before = config(model, (Key(0, 2, "blf", "1002", "Bob"), Key(0, 3, "speed_dial", "0201234567", "Taxi")))
    after = config(model)
    assert parameters(before)["attendant.resourceList.1.address"] == "1002"
    assert list(contacts(before).values()) == [("0201234567", "Taxi")]
    assert parameters(after)["attendant.resourceList.1.address"] == ""
    assert contacts(after) == {}
    if VENDOR.models[model].quirks["flexible_line_keys"]:
        assert [parameters(after)[f"lineKey.{number}.category"] for number in (2, 3)] == ["Unassigned", "Unassigned"]


# --- Values can add nothing -----------------------------------------------------------------------------------------------------------

NASTY = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="\n\r\0\t\"'<>&;#$^!]-\u2028\u2029\u0085\ufffe ab1", max_size=40),
    st.sampled_from(
        ["]]>", '"/><reg reg.1.address="', "-->", "<!--", "&quot;", "&#10;", "{{ lines }}", "{% raw %}", "x" * 10_000, "\ud800"]
    ),
)


def printed(value: str) -> str:
    """What a parser must read back: the value without what no XML may hold or what could be a line break."""
    return re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]", "", value)


def shape(document: ElementTree.Element) -> list[tuple[str, list[str]]]:
    return [(element.tag, list(element.attrib)) for element in document.iter()]


@pytest.mark.parametrize("model", ["spip550", "vvx411", "edgee350"])
@settings(max_examples=60, deadline=None)
@given(text=NASTY)
def test_no_value_adds_an_element_or_attribute(model: str, text: str) -> None:
    strings = {row.name for row in CATALOGUE.settings.values() if row.type in {"string", "secret", "host"}} - {
        "outbound_proxy",
        "firmware_url",
        "second_sip_server",
        "ldap_server",
        "ldap_name_attributes",
        "ldap_number_attributes",
    }
    keys = (Key(0, 2, "blf", "1002", "Bob"), Key(0, 3, "speed_dial", "0201", "Taxi"), Key(0, 4, "pickup", "1003", "P"))
    there = {"outbound_proxy": "proxy.example", "firmware_url": "sip.ld", "second_sip_server": "two.example", "ldap_server": "ldap.example"}
    plain = config(model, keys, **there)
    filled = text if clean_label(text) and printed(text).strip() else "x" + text
    named = tuple(replace(key, label=filled) for key in keys)
    laced = replace(
        plain,
        lines=(Line(1, "1001", "x" + text, text),),
        keys=(named[0], replace(named[1], value="x" + text), named[2]),
        settings={**plain.settings, **dict.fromkeys(strings, "x" + text), **dict.fromkeys(there, "p" + text)},
    )
    for before, after in zip(documents(plain), documents(laced), strict=True):
        assert shape(after) == shape(before)
    found = parameters(laced)
    assert found["reg.1.displayName"] == found["device.auth.localAdminPassword"] == printed("x" + text)
    assert found["reg.1.auth.password"] == printed(text)
    assert found["call.directedCallPickupString"] == printed("x" + text)
    assert found["attendant.resourceList.1.label"] == printed(clean_label(filled)) or not printed(clean_label(filled))
    assert contacts(laced)["1003"][0] == printed(clean_label("x" + text))
    assert contacts(laced)["1004"][0] == printed("x" + text) + "1003"
