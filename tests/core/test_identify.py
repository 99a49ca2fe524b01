"""Recorded requests and User-Agents of real phones, and what they must be taken for."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core import identify as identify_module
from provisioner.core.catalogue import Catalogue, parse_user_agent
from provisioner.core.identify import PathReader, conflict_of, identify, parse_path
from provisioner.core.mac import Mac
from tests.conftest import is_master_name, load_cases

NAMES = {"yealink": "Yealink", "grandstream": "Grandstream", "polycom": "Polycom"}

# Where the recorded expectation is another than ours, and why.
OTHERWISE = {
    "path-044": (
        {"vendor": "Grandstream"},
        "P331 is a folder to which these phones add /phonebook.xml (Grandstream's XML phone book guide)",
    ),
}


@pytest.mark.parametrize("case", load_cases("path_cases"), ids=lambda case: case["id"])
def test_recorded_path(catalogue: Catalogue, case: dict) -> None:
    agent = parse_user_agent(catalogue, case.get("ua", ""))
    found = identify(catalogue, parse_path(catalogue, unquote(case["path"])), None, agent)
    expected = {**case["expected"], **OTHERWISE.get(case["id"], ({}, ""))[0]}
    if expected["vendor"] == "Polycom" and is_master_name(case["path"]):
        expected["kind"] = "master_config"
    # "T42U/T41U (unverified)": the source names two, and either will do.
    if expected["model"] and found.model in re.split(r"[/ ]", expected["model"]):
        expected["model"] = found.model
    seen = {
        "vendor": NAMES.get(found.vendor or "", found.vendor),
        "mac": found.mac,
        "model": found.model if expected["model"] else None,
        "kind": found.kind,
    }
    assert seen == expected


def test_encoded_separators_are_the_same_name(catalogue: Catalogue) -> None:
    """path-079 says that percent-encoding of ':' must also work; the transports decode before they ask."""
    plain = parse_path(catalogue, "0004f2abcdef.cfg").candidates["polycom"].name
    assert parse_path(catalogue, "00:04:F2:AB:CD:EF.cfg").candidates["polycom"].name == plain


@pytest.mark.parametrize("case", load_cases("ua_cases"), ids=lambda case: case["id"])
def test_recorded_user_agent(catalogue: Catalogue, case: dict) -> None:
    agent = parse_user_agent(catalogue, case["ua"])
    expected = case["expected"]
    if expected["vendor"] not in NAMES.values():
        assert agent is None
        return
    assert agent is not None
    assert (NAMES[agent.vendor], agent.model, agent.version, agent.mac) == (
        expected["vendor"], expected["model"], expected["version"], expected["mac"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["a" * 600, "..", "../x", "a/../b", "a\\b", "x\x00.cfg", "p//x", "/%2e", "p/short/805ec0aabbcc.cfg", "", "/", "?" * 100]
)
def test_hostile_path_names_no_phone(catalogue: Catalogue, text: str) -> None:
    found = identify(catalogue, parse_path(catalogue, text), None, None)
    assert found.kind in ("none", "device_config")
    assert parse_path(catalogue, text).token is None


@given(st.text(max_size=600))
def test_any_text_parses(catalogue: Catalogue, text: str) -> None:
    parsed = parse_path(catalogue, text)
    identify(catalogue, parsed, None, None)
    assert parsed.mac is None or Mac.parse(parsed.mac) == parsed.mac


@given(st.binary(min_size=6, max_size=6).filter(lambda raw: any(raw) and not raw[0] & 1))
def test_every_spelling_of_a_mac_is_one_name(catalogue: Catalogue, raw: bytes) -> None:
    mac = Mac(raw.hex())
    for spelling in (str(mac), mac.upper(), mac.colons, mac.colons.upper().replace(":", "-")):
        parsed = parse_path(catalogue, f"{spelling}.cfg")
        assert parsed.mac == mac
        assert parsed.candidates["yealink"].name == f"{mac}.cfg"


def test_record_decides_between_vendors_that_share_a_name(catalogue: Catalogue) -> None:
    parsed = parse_path(catalogue, "0004f2abcdef.cfg")
    assert set(parsed.candidates) == {"yealink", "polycom"}
    assert identify(catalogue, parsed, "yealink/t46u", None).kind == "device_config"
    assert identify(catalogue, parsed, "polycom/vvx411", None).kind == "master_config"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Yealink SIP-T46U 108.86.0.90 80:5e:c0:aa:bb:cc", ""),
        ("Yealink SIP-T46U 108.86.0.90 80:5e:c0:aa:bb:cd", "the User-Agent names the MAC 80:5e:c0:aa:bb:cd"),
        ("Yealink SIP-T48U 108.86.0.90 80:5e:c0:aa:bb:cc", "the User-Agent names the model T48U"),
        ("Grandstream Model HW GXP2170 SW 1.0.11.57 DevId 805ec0aabbcc", "the User-Agent is that of a grandstream phone"),
        ("curl/8.5.0", ""),
        ("", ""),
    ],
)
def test_conflict_says_what_does_not_fit(catalogue: Catalogue, agent: str, words: str) -> None:
    assert conflict_of(catalogue, Mac("805ec0aabbcc"), "yealink/t46u", parse_user_agent(catalogue, agent)) == words


PREFIXES = ("", "p/abcdefghijklmnop22334455/", "p/abcdef234567222222222222/", "/p/abcdefghijklmnop22334455/", "x/", "logs/", "calls/")
SHAPED = (
    "{}.cfg", "cfg{}.xml", "{}-user.cfg", "{}-directory.xml", "{}.boot", "y{}.cfg", "y{}.boot", "{}-app.log", "SEP{}.cnf.xml", "x{}y.jpg",
    "dev{}.cfg", "{}/phonebook.xml", "{}-{}.cfg", "{}.cfg?mac={}", "a{}.cfg", "{}0.cfg", "%{}", "..{}", "//{}.cfg", "{}.CFG", "MN_{}.cfg", "{}",
)  # fmt: skip
SOME_MACS = ("805ec0aabbcc", "0004f2abcdef", "c074ad0b63ee", "000000000000", "123456789012", "001122334455", "ffffffffffff", "0b0000000001")


def test_a_path_reader_says_what_reading_each_path_anew_says(catalogue: Catalogue) -> None:
    """Every shape is learned from one MAC and used for all others, of the same maker and not."""
    for first in SOME_MACS:
        reader = PathReader(catalogue)
        for token in PREFIXES:
            for name in SHAPED:
                for mac in (first, *SOME_MACS, f"{first[:6]}00a0b1", f"{first[:6]}123456", first.upper()):
                    path = token + name.replace("{}", mac)
                    assert reader.parse(path) == parse_path(catalogue, path), path


def test_a_path_reader_keeps_a_bounded_number_of_shapes(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identify_module, "SHAPES", 10)
    reader = PathReader(catalogue)
    for at in range(100):
        reader.parse(f"805ec0aabbcc-{at}x.cfg")
    assert len(reader._shapes) <= 10


def test_a_query_of_many_fields_is_no_fault_of_ours(catalogue: Catalogue) -> None:
    assert parse_path(catalogue, "x?" + "&" * 200) == parse_path(catalogue, "x")
