"""No value can add a line, an element or an attribute."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.escape import clean_label, escape_line, escape_xml
from tests.conftest import load_cases

ANY = st.one_of(st.text(), st.text(st.sampled_from("\n\r\v\f\x00\x1c\x1d\x1e\x85\u2028\u2029\ud800\ufffe&<>\"';#ab ")))


@given(ANY)
def test_line_value_stays_in_its_line(text: str) -> None:
    escaped = escape_line(text)
    assert len(f"name = {escaped}".splitlines()) == 1
    escaped.encode("utf-8")
    assert escape_line(escaped) == escaped


@given(ANY)
def test_xml_value_parses_back_as_text_and_as_attribute(text: str) -> None:
    escaped = escape_xml(text)
    kept = "".join(sign for sign in text if sign.isprintable() or sign == " " or escape_xml(sign))
    parsed = ET.fromstring(f'<a b="{escaped}">{escaped}</a>'.encode())
    assert (parsed.text or "") == parsed.attrib["b"] == kept


@given(ANY)
def test_label_has_no_separator(text: str) -> None:
    assert not set(clean_label(text)) & set("\n\r\t;\x00\u2028")


@given(st.one_of(st.integers(), st.booleans()))
def test_numbers_are_written_as_they_are_and_truth_as_one_and_nought(value: int) -> None:
    assert escape_line(value) == escape_xml(value) == str(int(value))


@pytest.mark.parametrize("escape", [escape_line, escape_xml])
def test_missing_value_is_an_error(escape) -> None:
    with pytest.raises(TypeError):
        escape(None)


CASES = load_cases("escaping_cases")
SPELLED = {"CR": "\r", "LF": "\n", "TAB": "\t", ";": ";"}


@pytest.mark.parametrize("case", [case for case in CASES if "xml" in case["format"]], ids=lambda case: case["id"])
def test_recorded_value_adds_no_element_and_no_attribute(case: dict) -> None:
    written = escape_xml(case["value"])
    root = ET.fromstring(f'<a b="{written}">{written}</a>')
    assert (len(root), list(root.attrib), root.text or "") == (0, ["b"], root.get("b"))
    assert written == case["expect"] or "rule" in case["expect"]


@pytest.mark.parametrize("case", [case for case in CASES if case["format"] in ("label", "value")], ids=lambda case: case["id"])
def test_recorded_label_or_value_loses_its_noise(case: dict) -> None:
    """``1234 with CR/LF`` stands for 1234 and these two characters."""
    text, _, names = case["value"].partition(" with ")
    assert clean_label(text + "".join(SPELLED[name] for name in names.split("/") if name)) == case["expect"]


@pytest.mark.parametrize("case", [case for case in load_cases("blf_expected") if case["vendor"] == "any"], ids=lambda case: case["id"])
def test_recorded_label_of_any_maker(case: dict) -> None:
    assert {name: clean_label(text) for name, text in case["given"].items()} == case["expect"]
