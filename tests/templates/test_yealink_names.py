"""The Yealink folder: how its phones are recognised, by User-Agent and by the names of the files that they ask for."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace

import pytest

from provisioner.catalog import DEFAULT_FOLDER
from provisioner.core.catalogue import FileRule, parse_user_agent
from provisioner.core.render import Renderer
from tests.conftest import load_cases
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
VENDOR = CATALOGUE.vendors["yealink"]
RENDERER = Renderer(CATALOGUE)
SPELLINGS = {spelling: model.name for model in VENDOR.models.values() for spelling in model.ua_models}
MAC = "805ec0aabbcc"


def rule_of(name: str) -> tuple[FileRule, dict[str, str | None]] | None:
    for rule in VENDOR.files:
        match = rule.regex.match(name)
        if match:
            return rule, match.groupdict()
    return None


# --- User-Agents ------------------------------------------------------------------------------------------------------------

UA_CASES = load_cases("ua_cases")


@pytest.mark.parametrize("case", [case for case in UA_CASES if case["expected"]["vendor"] == "Yealink"], ids=lambda case: case["id"])
def test_user_agent(case: dict) -> None:
    found = parse_user_agent(replace(CATALOGUE, vendors={"yealink": VENDOR}), case["ua"])
    assert found is not None
    expected = case["expected"]
    assert (found.vendor, found.model, found.version, found.mac) == ("yealink", expected["model"], expected["version"], expected["mac"])


@pytest.mark.parametrize("case", [case for case in UA_CASES if case["expected"]["vendor"] != "Yealink"], ids=lambda case: case["id"])
def test_user_agent_of_others_is_not_ours(case: dict) -> None:
    assert [pattern.pattern for pattern in VENDOR.user_agents if pattern.match(case["ua"])] == []


@pytest.mark.parametrize(
    "text",
    [
        "Yealink SIP-T46U 108.86.0.90\n",
        "Yealink SIP-T46U 108.86.0.90 80:5e:c0:aa:bb:cc\r\nX: 1",
        "xYealink SIP-T46U 108.86.0.90",
        "Yealink",
        "T46U 1.2.3.4",
    ],
)
def test_user_agent_with_more_or_less_is_not_ours(text: str) -> None:
    assert [pattern.pattern for pattern in VENDOR.user_agents if pattern.match(text)] == []


# --- Names of files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",  # a query is no name of a file: tests/core/test_identify.py has that case
    [case for case in load_cases("path_cases") if case["expected"]["vendor"] == "Yealink" and "?" not in case["path"]],
    ids=lambda case: case["id"],
)
def test_path(case: dict) -> None:
    name, expected = case["path"].rpartition("/")[2], case["expected"]
    if case["method"] == "PUT":
        assert [rule.kind for rule in VENDOR.uploads if rule.regex.match(name)] == [expected["kind"]]
        return
    found = rule_of(name)
    assert found is not None
    rule, groups = found
    assert rule.kind == expected["kind"]
    assert (groups.get("mac") or "").lower() == (expected["mac"] or "")
    if groups.get("common"):
        assert VENDOR.common_files[groups["common"] or ""] in re.split(r"[/ ]", expected["model"])
    if expected["mac"]:
        assert expected["mac"][:6] in VENDOR.ouis


def test_boot_file_for_all_is_no_evidence_of_the_model_with_number_zero() -> None:
    rule, groups = rule_of("y000000000000.boot") or pytest.fail("no rule")
    assert (rule.kind, rule.template, groups) == ("boot", None, {})


@pytest.mark.parametrize(
    ("name", "kind", "there"),
    [
        ("805ec0aabbcc.boot", "boot", False),
        ("y000000000108.boot", "boot", False),
        ("y000000000108.cfg", "common_config", True),
        ("805EC0AABBCC.cfg", "device_config", True),
        ("805EC0AABBCC-local.cfg", "override", False),
        ("249AD8416C5C-contact.xml", "contacts_upload", False),
        ("805ec0aabbcc-calllog.xml", "call_list", False),
        ("805ec0aabbcc_Security.enc", "resource", False),
        ("y000000000058_Security.enc", "resource", False),
        ("T54W(T57W,T53W,T53,T53C,T54,T57)-96.87.0.15.rom", "firmware", False),
        ("T46U(T43U,T46U,T41U,T48U,T42U,T44U,T44W)-108.86.0.90.rom", "firmware", False),
        ("T31(T30,T30P,T31G,T31P,T33P,T33G)-124.86.0.75.rom", "firmware", False),
        ("T54W-96.84.0.125.rom", "firmware", False),
    ],
)
def test_name_is_known(name: str, kind: str, there: bool) -> None:
    rule, _ = rule_of(name) or pytest.fail("no rule")
    assert (rule.kind, rule.template is not None) == (kind, there)


@pytest.mark.parametrize("name", ["001565jabd", "patate", "y00000000108.cfg", "y0000000000123.cfg", "805ec0aabbcc.cfg.bak"])
def test_name_of_nothing_fits_no_rule(name: str) -> None:
    assert rule_of(name) is None


def test_secrets_are_in_files_of_one_phone_only() -> None:
    bodies = {file.name: file.body for file in RENDERER.shared_files() if file.name.startswith("y0")}
    assert bodies == dict.fromkeys((f"y{number}.cfg" for number in VENDOR.common_files), b"#!version:1.0.0.1\n")


def test_common_file_names_a_model_that_asks_for_it() -> None:
    for model in VENDOR.models.values():
        named = SPELLINGS.get(VENDOR.common_files.get(model.common, ""))
        assert named is None if not model.common else VENDOR.models[named or ""].common == model.common, model.name


def test_ouis_have_no_block_of_apple() -> None:
    assert "3035ad" not in VENDOR.ouis
    assert "e434d7" in VENDOR.ouis


BOOT = tomllib.loads((DEFAULT_FOLDER / "yealink" / "examples" / "boot.toml").read_text("utf-8"))["boot"]


@pytest.mark.parametrize("story", BOOT, ids=lambda story: story["story"])
def test_boot_story_agrees_with_the_rules(story: dict) -> None:
    agent = parse_user_agent(CATALOGUE, story["user_agent"])
    model = CATALOGUE.model(story["model"])
    assert agent is not None
    assert model is not None
    assert agent.model in model.ua_models
    for request in story["request"]:
        name = request["name"].replace("{mac}", MAC)
        if request["method"] == "PUT":
            assert request["expect"] == "stored"
            assert any(rule.regex.match(name) for rule in VENDOR.uploads)
            continue
        rule, groups = rule_of(name.rpartition("/")[2]) or pytest.fail(name)
        assert request["expect"] == ("static" if rule.kind == "firmware" else "file" if rule.template else "absent")
        assert groups.get("common") in (None, model.common)
