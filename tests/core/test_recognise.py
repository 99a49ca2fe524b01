"""Who a text of the network speaks of: recorded vendor classes, binary ones, banners, names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.catalogue import Catalogue
from provisioner.core.mac import Mac
from provisioner.core.recognise import Recognised, by_banner, by_enterprise, by_name, by_user_agent, by_vendor_class, hints_of, mac_in
from tests.conftest import load_cases

CASES = load_cases("dhcp_cases")
BASE = "http://prov.example:8080/"


def binary_class(*pairs: tuple[int, str]) -> bytes:
    body = b"".join(bytes([tag, len(text)]) + text.encode() for tag, text in pairs)
    return b"\x00\x00\x36\x3d" + bytes([len(body)]) + body + b"\xff"


@pytest.mark.parametrize("case", [case for case in CASES if "option60" in case], ids=lambda case: case["option60"])
def test_recorded_vendor_class_names_maker_and_model(catalogue: Catalogue, case: dict) -> None:
    found = by_vendor_class(catalogue, case["option60"].encode())
    assert found is not None
    assert found.vendor == by_name(catalogue, case["expected"]["vendor"])
    assert (found.model or None) == case["expected"]["model"]


@pytest.mark.parametrize("case", [case for case in CASES if "option60" not in case], ids=lambda case: case["id"])
def test_recorded_option_is_given_where_the_phone_can_be_provisioned(catalogue: Catalogue, case: dict) -> None:
    words = re.findall(r"[A-Za-z]{4,}", f"{case['match']} {case['value']} {case['source'].rpartition('/')[2]}")
    maker = next(own for own in (by_name(catalogue, word) for word in words) if own)
    told = hints_of(catalogue, maker).dhcp_options
    if maker not in catalogue.vendors and not told:
        return  # recognised, and not called: there is nothing here for it
    assert case["option"] in told
    value = told[case["option"]].replace("{url}", BASE)
    assert "@" not in value, "no credentials in the clear (dhcp-010)"
    # The folder of a whole URL stands for the file, or the folder, that wazo names: the phone adds its own name first.
    assert value == (f"{BASE}$mac.cfg" if "$mac" in case["value"] else BASE)
    if "also_option" in case:
        assert told[case["also_option"]] == told[case["option"]]


def test_binary_vendor_class_tells_model_and_software(catalogue: Catalogue) -> None:
    pairs = ((1, "Polycom"), (2, "SoundPointIP-SPIP_601"), (3, "2345-11605-001,2"), (4, "SIP/3.1.3.0439/15-Jun-09 10:00"))
    expected = Recognised("polycom", "SPIP_601", "3.1.3.0439")
    assert by_vendor_class(catalogue, binary_class(*pairs)) == expected
    assert by_enterprise(catalogue, binary_class(*pairs)) == expected
    assert by_enterprise(catalogue, b"\x00\x00\x00\x09" + binary_class(*pairs)[4:]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTP/1.0 200 OK\r\nServer: Grandstream GXP2010 1.1.6.27\r\n\r\n", Recognised("grandstream", "GXP2010", "1.1.6.27")),
        ("HTTP/1.0 200 OK\r\n\r\n<title>Grandstream Device Configuration</title>", Recognised("grandstream")),
        ("HTTP/1.1 401 x\r\nServer: Polycom SoundPoint IP Telephone HTTPd\r\n", Recognised("polycom")),
        ("HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n", None),
    ],
)
def test_banner_tells_the_maker(catalogue: Catalogue, text: str, expected: Recognised | None) -> None:
    assert by_banner(catalogue, text) == expected


def test_names_are_known_however_they_are_spelled(catalogue: Catalogue) -> None:
    spelled = ("YEALINK", "Polycom Inc.", "Grandstream Networks", "snom technology", "", "Acme")
    assert [by_name(catalogue, name) for name in spelled] == ["yealink", "polycom", "grandstream", "Snom", "", ""]


OURS = {"Yealink", "Grandstream", "Polycom", None}


@pytest.mark.parametrize(
    "case", [case for case in load_cases("ua_cases") if case["expected"]["vendor"] not in OURS], ids=lambda case: case["id"]
)
def test_user_agent_of_a_maker_that_is_not_provisioned(catalogue: Catalogue, case: dict) -> None:
    """It is named, or it is nobody's; never another's."""
    found, expected = by_user_agent(catalogue, case["ua"]), case["expected"]
    assert found is not None or by_name(catalogue, expected["vendor"]) == ""
    if found is not None:
        assert (found.vendor, found.mac) == (by_name(catalogue, expected["vendor"]), expected["mac"])
        assert (found.model.lower(), found.firmware) == ((expected["model"] or "").lower().removeprefix("snom"), expected["version"] or "")


def test_one_mac_of_a_text_counts_and_two_do_not() -> None:
    assert mac_in("SIP-T46U-805ec0aabbcc.local") == Mac("805ec0aabbcc")
    assert mac_in("80:5e:c0:aa:bb:cc and 805ec0aabbcc") == Mac("805ec0aabbcc")
    assert mac_in("805ec0aabbcc 805ec0aabbcd") is None
    assert mac_in("ffffffffffff") is None


@given(st.binary(max_size=300), st.text(max_size=300))
def test_nothing_breaks_the_look(catalogue: Catalogue, value: bytes, text: str) -> None:
    by_vendor_class(catalogue, value)
    by_vendor_class(catalogue, b"\x00\x00\x36\x3d" + value)
    by_enterprise(catalogue, b"\x00\x00\x36\x3d" + value)
    by_banner(catalogue, text)
    by_name(catalogue, text)
    by_user_agent(catalogue, text)
    mac_in(text)
