"""Polycom: the names that phones ask for and send, and how they are recognised; other makers are not ours."""

from __future__ import annotations

import re
import tomllib

import pytest

from provisioner.catalog import DEFAULT_FOLDER
from provisioner.core.catalogue import parse_user_agent
from provisioner.core.values import Key
from tests.conftest import is_master_name, load_cases
from tests.templates.polycom_phones import (
    CATALOGUE,
    MAC,
    SPELLINGS,
    VENDOR,
    config,
    contacts,
    rule_of,
    upload_of,
)

# --- User agents and paths ------------------------------------------------------------------------------------------------------

UA_CASES = load_cases("ua_cases")


@pytest.mark.parametrize("case", [case for case in UA_CASES if case["expected"]["vendor"] == "Polycom"], ids=lambda case: case["id"])
def test_user_agent_of_our_phones(case: dict) -> None:
    found, wanted = parse_user_agent(CATALOGUE, case["ua"]), case["expected"]
    assert found is not None
    assert (found.vendor, found.model, found.version, found.mac) == ("polycom", wanted["model"], wanted["version"], wanted["mac"])


@pytest.mark.parametrize("case", [case for case in UA_CASES if case["expected"]["vendor"] != "Polycom"], ids=lambda case: case["id"])
def test_user_agent_of_others_is_not_ours(case: dict) -> None:
    found = parse_user_agent(CATALOGUE, case["ua"])
    assert found is None or found.vendor != "polycom"


@pytest.mark.parametrize(
    "text", ["Poly" + "A" * 290, "FileTransport Polycom" + "A_" * 139, "FileTransport PolycomVVX-VVX_411-UA/" + "1." * 130]
)
def test_hostile_user_agent_is_refused_quickly(text: str) -> None:
    assert parse_user_agent(CATALOGUE, text) is None


@pytest.mark.parametrize(
    "case",  # a query is no name of a file: tests/core/test_identify.py has such cases
    [case for case in load_cases("path_cases") if case["expected"]["vendor"] == "Polycom" and "?" not in case["path"]],
    ids=lambda case: case["id"],
)
def test_path_of_our_phones(case: dict) -> None:
    rule = rule_of(case["path"])
    assert rule is not None
    assert rule.kind == ("master_config" if is_master_name(case["path"]) else case["expected"]["kind"])
    if case["expected"]["mac"]:
        tail = case["path"].rsplit("/", 1)[1]
        match = rule.regex.match(tail)
        assert match and re.sub("[:.-]", "", match["mac"]).lower() == case["expected"]["mac"]


@pytest.mark.parametrize("name", ["000000000000.cfg", "000000000000-directory.xml", "000000000000-license.cfg"])
def test_twelve_zeros_are_no_phone(name: str) -> None:
    rule = rule_of(name)
    assert rule is not None and rule.scope == "vendor"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("3111-48450-001.sip.ld", "firmware"),
        ("3111-44500-001.3111-44500-001.sip.ld", "firmware"),
        ("2345-12500-001.bootrom.ld", "firmware"),
        ("2345-12500-001.sip_4014.ld", "firmware"),
        ("sip.ld", "firmware"),
        ("sip.ver", "firmware"),
        ("languages/Website_dictionary_language_en-us.xml", "resource"),
        ("SoundPointIPLocalization/German_Germany/SoundPointIP-dictionary.xml", "resource"),
        ("overrides/0004f2abcdef-web.cfg", "override"),
        ("license/000000000000-license.cfg", "license"),
        ("calls/0004f2abcdef-calls.xml", "call_list"),
        ("site.cfg", "common_config"),
    ],
)
def test_known_name(name: str, kind: str) -> None:
    rule = rule_of(name)
    assert rule is not None and rule.kind == kind


# --- Uploads --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["", "logs/"])
@pytest.mark.parametrize("log", ["app", "boot"])
def test_logs_are_appended_within_bounds(folder: str, log: str) -> None:
    rule = upload_of(f"{folder}f04ea4691c59-{log}.log")
    assert rule is not None
    assert (rule.mode, rule.max_bytes, rule.keep_bytes, rule.append_limit_bytes) == ("append", 16 * 2**20, 2**20, 2**19)
    assert not rule.readable


@pytest.mark.parametrize(
    "name", ["calls/f04ea4691c59-calls.xml", "f04ea4691c59-calls.xml", "f04ea4691c59-directory.xml", "contacts/f04ea4691c59-directory.xml"]
)
def test_call_lists_and_contacts_are_given_back(name: str) -> None:
    rule = upload_of(name)
    assert rule is not None and rule.mode == "replace" and rule.readable


@pytest.mark.parametrize("name", ["overrides/f04ea4691c59-phone.cfg", "f04ea4691c59-web.cfg"])
def test_overrides_are_kept_and_not_given_back(name: str) -> None:
    rule = upload_of(name)
    assert rule is not None and rule.mode == "replace" and not rule.readable


@pytest.mark.parametrize("name", ["secrets/f04ea4691c59-calls.xml", "f04ea4691c59-user.cfg", "f04ea4691c59.cfg", "calls/calls.xml"])
def test_other_uploads_are_refused(name: str) -> None:
    assert upload_of(name) is None


def test_entries_of_ours_are_above_the_bound_that_tells_them_apart() -> None:
    [bound] = {rule.ours_from for rule in VENDOR.uploads if rule.kind == "contacts_upload"}
    phone = config("vvx411", (Key(0, 1, "speed_dial", "1"), Key(0, 12, "speed_dial", "2"), Key(1, 84, "speed_dial", "3")), modules=1)
    assert sorted(int(index) - bound for index in contacts(phone)) == [1, 12, 96]


def test_uploaded_contacts_have_the_name_of_the_rendered_directory() -> None:
    rendered = {rule.name for rule in VENDOR.files if rule.template}
    assert {rule.name for rule in VENDOR.uploads if rule.readable and rule.name in rendered} == {"{mac}-directory.xml"}


# --- Boot stories -----------------------------------------------------------------------------------------------------------------------

STORIES = tomllib.loads((DEFAULT_FOLDER / "polycom" / "examples" / "boot.toml").read_text("utf-8"))["boot"]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["story"])
def test_boot_story_asks_only_for_known_names(story: dict) -> None:
    agent = parse_user_agent(CATALOGUE, story["user_agent"])
    assert agent is not None and f"polycom/{SPELLINGS[agent.model or '']}" == story["model"]
    assert set(story) == {"story", "model", "user_agent", "source", "request"}
    stored: set[str] = set()
    for request in story["request"]:
        name = request["name"].replace("{mac}", MAC)
        if request["method"] == "PUT":
            assert upload_of(name) is not None and request["expect"] == "stored"
            stored.add(name)
            continue
        rule, upload = rule_of(name), upload_of(name)
        assert rule is not None
        given_back = name in stored and upload is not None and upload.readable
        assert request["expect"] == ("file" if rule.template or given_back else "absent"), request


# --- Other makers -----------------------------------------------------------------------------------------------------------------------

MAKERS = {maker.name for maker in CATALOGUE.makers}


def maker_of(path: str) -> tuple[str, str] | None:
    """Maker and MAC of a file name; a row with OUIs counts only for a MAC of one of them."""
    for maker in CATALOGUE.makers:
        for pattern in maker.names:
            match = pattern.match(path.rsplit("/", 1)[1])
            if match and (not maker.ouis or match["mac"].lower()[:6] in maker.ouis):
                return maker.name, match["mac"].lower()
    return None


@pytest.mark.parametrize(
    "case", [case for case in load_cases("path_cases") if case["expected"]["vendor"] in MAKERS], ids=lambda case: case["id"]
)
def test_path_of_another_maker(case: dict) -> None:
    assert maker_of(case["path"]) == (case["expected"]["vendor"], case["expected"]["mac"])


def test_every_other_maker_of_the_cases_is_listed() -> None:
    named = {case["expected"]["vendor"] for case in load_cases("path_cases")} - {
        None,
        *(vendor.name for vendor in CATALOGUE.vendors.values()),
    }
    assert named - {"Yealink", "Grandstream"} <= MAKERS


def test_makers_share_no_oui_with_each_other_or_with_a_vendor() -> None:
    listed = [oui for maker in CATALOGUE.makers for oui in maker.ouis]
    assert len(listed) == len(set(listed))
    assert not [oui for oui in listed if CATALOGUE.vendor_of_oui(oui)]


@pytest.mark.parametrize("path", ["/00041396d9b5.cfg", "/805ec0123456.cfg", "/0004f2abcdef.xml", "/patate"])
def test_a_name_of_many_makers_needs_the_oui(path: str) -> None:
    assert maker_of(path) is None
