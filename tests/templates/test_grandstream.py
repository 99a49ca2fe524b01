"""Grandstream: every parameter exists, phones are recognised, every setting is followed or declared."""

from __future__ import annotations

import re
import time
import tomllib
from functools import cache
from xml.etree import ElementTree

import pytest

from provisioner.catalog import DEFAULT_FOLDER
from provisioner.catalog.examples import RECORDED_ADDRESS
from provisioner.core.catalogue import FileRule, parse_user_agent
from provisioner.core.render import masked, tables
from tests.conftest import load_cases
from tests.templates.followed import beside, other_value
from tests.templates.grandstream_phones import (
    ALONE,
    CATALOGUE,
    EXAMPLES,
    LINE,
    MAC,
    MODELS,
    RENDERER,
    SERIES,
    STAND_IN,
    TRIED,
    VENDOR,
    account_name,
    all_keys,
    fullest,
    key_numbers,
    key_of,
    name_of,
    names_in,
    parameters,
    render,
)

TOKEN = RECORDED_ADDRESS.split("/")[-2]

# (a) the vendor's own lists


@cache
def known_to(series: str) -> frozenset[str]:
    """Returns the parameters in the maker's lists for a series, keys included; a number of an account or key is ``N``."""
    names: set[str] = set()
    for word in " ".join(names_in(f"grandstream/{series}.txt")).split():
        first, _, last = word.partition("-P")
        names |= {f"P{number}" for number in range(int(first[1:]), int(last) + 1)} if last else {word}
    return frozenset(names)


KEYS = frozenset(number for numbers in key_numbers().values() for number in numbers)


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_of_the_fullest_file_is_in_the_makers_list(model: str) -> None:
    written = {re.sub(r"^(account|pks\.(?:[vm]pk|ext))\.\d+\.", r"\1.N.", name) for name in parameters(fullest(model))}
    assert written - known_to(VENDOR.models[model].series) - KEYS == set()


@cache
def ranges_of(series: str) -> dict[str, list[range]]:
    """Returns parameter -> the numbers that the maker's comments allow."""
    found = {}
    for name, parameter, text in (row.split() for row in names_in("grandstream_ranges.txt")):
        if name == series:
            bounds = [(part.partition("..")[0], part.rpartition("..")[2]) for part in text.split(",")]
            found[parameter] = [range(int(low), int(high) + 1) for low, high in bounds]
    return found


ADAPTER = {"call_waiting", "hotline", "tone_dial", "dscp_sip"}
LEFT_OUT = {
    "gxv33xx": {"ring_tone"} | {f"alert_{n}{end}" for n in (1, 2, 3) for end in ("", "_ring")},
    "wp820": {"send_key", "dial_plan"} | {f"alert_{n}{end}" for n in (1, 2, 3) for end in ("", "_ring")},
    "dp75x": {"port_hotline", "port_hotline_delay"},
    "dp715": {"port_hotline_delay", "call_waiting"},
    "gsc35xx": {"book_mode"},
    **dict.fromkeys(("ht80x", "ht80xv2", "ht813", "ht81x", "ht50x", "ht70x", "ht704"), ADAPTER),
    "ht8x1": ADAPTER | {"port_hotline_delay"},
    **{name: {"from_hour"} for name in ("gxp14xx", "gxp1450", "gxp116x", "gxp110x", "gxp210x", "gxp2124")},
}
"""Series -> names that the maker's list has and that are not used; the series says why."""


def is_newer_mode(series: str, parameter: str) -> bool:
    """Returns whether it is a key's mode on phones whose comments stop at mode 20, though firmware 1.0.11.79 goes to 33."""
    # P891 carries the comment of its neighbour P892.
    return series in {"gxp21xx", "grp260x"} and parameter in KEYS | {"P891"}


@pytest.mark.parametrize("model", [name for name in TRIED if ranges_of(VENDOR.models[name].series)])
@pytest.mark.parametrize("end", ["default", "minimum", "maximum"])
def test_every_number_is_within_the_makers_range(model: str, end: str) -> None:
    ends = {row.name: getattr(row, end) for row in CATALOGUE.settings.values() if row.type == "integer"}
    found = parameters(fullest(model, **ends))
    series = VENDOR.models[model].series
    beyond = {
        parameter: found[parameter]
        for parameter, allowed in ranges_of(series).items()
        if found.get(parameter) and not any(int(found[parameter]) in part for part in allowed) and not is_newer_mode(series, parameter)
    }
    assert beyond == {}


@pytest.mark.parametrize("series", SERIES)
def test_what_a_series_is_said_to_lack_its_list_does_not_have(series: str) -> None:
    """The other way round: a parameter that the phones have is written."""
    record = VENDOR.models[STAND_IN[series]]
    is_alias = record.quirks["format"] == "aliases"
    rows = tables(VENDOR, record)
    tried = [rows[f"phone_{record.quirks['format']}"], rows[str(record.quirks["account_table"])]]
    cells = {name: cell for table in tried for name, cell in table.items() if name in str(record.quirks["lacks"]).split() and cell != "-"}
    there = {
        name for name, cell in cells.items() if ({f"account.N.{cell}", cell} if is_alias else {f"P{cell.split()[0]}"}) & known_to(series)
    }
    assert there - LEFT_OUT.get(series, set()) == set()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_file_has_the_phones_mac_and_one_spelling_of_parameters(example) -> None:
    [file] = RENDERER.phone_files(example.config)
    root = ElementTree.fromstring(file.body)
    assert file.name == f"cfg{example.config.mac}.xml"
    assert root.findtext("mac") == example.config.mac
    [config] = root.findall("config")
    tags = {element.tag for element in config}
    assert (config.get("version"), tags == {"item"}) in {("1", False), ("2", True)}
    assert config.get("version") == "2" or all(re.fullmatch(r"P\d+", tag) for tag in tags)


def test_account_numbers_are_those_of_the_vendor() -> None:
    known = {tuple(row.split()[1:]) for row in names_in("grandstream_account_pvalues.txt")}
    rows = VENDOR.maps["account_pvalues"].items()
    ours = {name: tuple(f"P{number}" for number in row.split()) for name, row in rows if row[0] != "-"}
    assert {name for name, row in ours.items() if row not in known} == set()
    assert len(set(ours.values())) == len(ours)


@pytest.mark.parametrize("model", ["gxp2170", "gxp2160", "gxp2110"])
def test_every_key_number_is_that_of_the_vendor(model: str) -> None:
    record = VENDOR.models[model]
    modules = record.expansion.modules if record.expansion else 0
    found = parameters(render(model, modules=modules, key=all_keys(model, type="speed_dial", value="203")))
    written = {(key["module"], key["key"]): key_of(model, found, key["module"], key["key"]) for key in all_keys(model)}
    assert {place for place, row in written.items() if row[1:] != ["0", "", "203"] or row[0] not in {"0", "10"}} == set()


def test_names_of_alias_choices_are_known() -> None:
    codecs = {"PCMU", "PCMA", "G.726-32", "G.723.1", "G.722", "G.729A/B", "iLBC", "OPUS"}
    assert set(VENDOR.maps["codec_name"].values()) <= codecs
    assert set(VENDOR.maps["srtp_name"].values()) <= {"Disabled", "EnabledButNotForced", "EnabledAndForced", "Optional"}
    assert set(VENDOR.maps["language"].values()) <= {"cz", "de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "se", "tr", "zh"}


# (b) identification


@pytest.mark.parametrize("case", load_cases("ua_cases"), ids=lambda case: case["id"])
def test_user_agent_is_read_or_left_alone(case: dict) -> None:
    agent = parse_user_agent(ALONE, case["ua"])
    expected = case["expected"]
    if expected["vendor"] != "Grandstream":
        assert agent is None
        return
    assert agent is not None
    assert (agent.model, agent.version, agent.mac) == (expected["model"], expected["version"], expected["mac"])


@pytest.mark.parametrize(
    "text",
    [
        "Grandstream GXW4248 (DevId 000b82123456 / 000b82123457)",
        "Grandstream BT110 1.0.8.33",
        "Grandstream GXP2000 (gxp2000e.bin:1.2.1.4/boot55e.bin:1.1.6.9)",
    ],
)
def test_older_user_agents_are_read(text: str) -> None:
    assert parse_user_agent(ALONE, text) is not None


@pytest.mark.parametrize("text", ["Grandstream " + "A" * 280, "Grandstream Model HW " + "A1" * 130, "Grandstream GXP2170 1" + ".1" * 130])
def test_long_user_agents_are_refused_quickly(text: str) -> None:
    begun = time.thread_time()  # CPU and not the clock: a busy machine is not a slow pattern
    assert parse_user_agent(ALONE, text) is None
    assert time.thread_time() - begun < 0.05


def rule_of(path: str) -> tuple[FileRule, re.Match[str]] | None:
    """Returns the first rule that fits the path, or its end where a DHCP option put folders before it."""
    parts = path.strip("/").split("/")
    for begin in range(len(parts)):
        for rule in VENDOR.files:
            match = rule.regex.match("/".join(parts[begin:]))
            if match:
                return rule, match
    return None


@pytest.mark.parametrize(
    "case",  # a query is no name of a file: tests/core/test_identify.py has such cases
    [case for case in load_cases("path_cases") if case["expected"]["vendor"] == "Grandstream" and "?" not in case["path"]],
    ids=lambda case: case["id"],
)
def test_path_names_its_phone(case: dict) -> None:
    found = rule_of(case["path"])
    assert found is not None
    rule, match = found
    groups = match.groupdict()
    assert rule.kind == case["expected"]["kind"]
    assert (groups.get("mac") or "").lower() == (case["expected"]["mac"] or "")
    assert (groups.get("model") or "").lower() == (case["expected"]["model"] or "").lower()


def test_boot_stories_ask_for_names_that_are_known() -> None:
    stories = tomllib.loads((DEFAULT_FOLDER / "grandstream" / "examples" / "boot.toml").read_text("utf-8"))["boot"]
    for story in stories:
        mac = MAC
        agent = parse_user_agent(ALONE, story["user_agent"].replace("{mac}", mac))
        assert agent is not None
        assert agent.model in VENDOR.models[story["model"]].ua_models
        for request in story["request"]:
            found = rule_of(request["name"].replace("{mac}", mac))
            assert found is not None, request
            kind = "file" if found[0].template else "static" if found[0].kind == "firmware" else "absent"
            assert kind == request["expect"], request


@pytest.mark.parametrize("model", TRIED)
def test_a_setting_changes_the_file_or_is_said_not_to(model: str) -> None:
    """No setting is dropped in silence: what the model cannot follow is declared, and nothing else is."""
    record = VENDOR.models[model]
    silent, plain = set(), dict[str, bytes]()
    for name in (name for name, row in CATALOGUE.settings.items() if not row.by_server):
        kind = name.removesuffix("_code").replace("shared_lines", "shared_line")
        places = [at for at in range(1, record.keys + 1) if kind in record.key_types and record.takes(kind, 0, at)]
        keys = [{"module": 0, "key": places[-1], "type": kind, "value": "203"}] if places else []
        before = repr((keys, beside(name)))
        if before not in plain:
            plain[before] = render(model, key=keys, settings=beside(name))
        if plain[before] == render(model, key=keys, settings=beside(name) | {name: other_value(name)}):
            silent.add(name)
    assert silent == set(record.unsupported)


# Parameters added by hand

TAKE_AWAY = [
    "active",
    "server",
    "server_2",
    "proxy",
    "user",
    "auth_user",
    "password",
    "register",
    "transport",
    "from_server_only",
    "sip_reset",
]
LEAD_AWAY = [
    "config_protocol", "config_path", "check_certificate", "dhcp_server", "dhcp_server_more", "dhcp_150", "dhcp_sip_server", "plug_and_play", "tr069",
    "user_protection", "notify_unproven", "firmware_protocol", "firmware_path", "firmware_check", "admin_password", "user_password", "web",
    "no_shell", "action_uri",
]  # fmt: skip


@pytest.mark.parametrize("model", TRIED)
def test_no_parameter_by_hand_takes_the_phone_away(model: str) -> None:
    record, rule = VENDOR.models[model], VENDOR.raw
    assert rule is not None
    rows = tables(VENDOR, record)
    lacks = str(record.quirks["lacks"]).split()
    phone = f"phone_{record.quirks['format']}"
    names = {name: name_of(model, phone, name) for name in LEAD_AWAY if name not in lacks and rows[phone][name] != "-"}
    for account in range(1, record.lines + 1):
        table = rows[str(record.quirks["account_table"])]
        own = record.quirks["accounts"] == "profile"
        tried = [name for name in TAKE_AWAY if name not in lacks and (table[name][0] != "-" or (own and name in rows["port"]))]
        if own:
            tried = [name for name in tried if name in {"user", "auth_user", "password"}]
        names |= {f"{name} of {account}": account_name(model, name, account) for name in tried}
    assert {name: parameter for name, parameter in names.items() if parameter.strip("P-") and rule.takes(parameter)} == {}


def test_a_parameter_by_hand_stands_in_the_file_once() -> None:
    found = parameters(render("gxp2170", settings={"raw.P8387": "7", "raw.P79": "96"}))
    assert (found["P8387"], found["P79"]) == ("7", "96")
    found = parameters(render("grp2614", settings={"raw.pks.ext.onePageDisplayMode": "Yes", "raw.P79": "96"}))
    assert found["pks.ext.onePageDisplayMode"] == "Yes" and "P79" not in found


# Address, firmware, security


@pytest.mark.parametrize(
    ("url", "protocol", "path"),
    [
        ("http://prov.example:8080/p/abc/", "1", "prov.example:8080/p/abc"),
        ("https://prov.example/p/abc/", "2", "prov.example/p/abc"),
        ("https://[2001:db8::5]:8443/p/abc/", "2", "[2001:db8::5]:8443/p/abc"),
        ("tftp://10.0.0.5:69/", "0", "10.0.0.5:69"),
    ],
)
def test_the_phone_moves_to_its_own_address(url: str, protocol: str, path: str) -> None:
    found = parameters(render("gxp2170", provisioning_url=url))
    assert (found["P212"], found["P237"]) == (protocol, path)
    # No DHCP, no plug and play, no cloud, no prompt: nothing else may name a server.
    assert [found[name] for name in ("P145", "P8337", "P1411", "P1414", "P1409")] == ["0"] * 5


@pytest.mark.parametrize(
    ("firmware_url", "protocol", "path"),
    [
        ("gxp2170fw.bin", "1", "prov.example:8080/firmware"),
        ("grandstream/1.0.11.85/gxp2170fw.bin", "1", "prov.example:8080/firmware/grandstream/1.0.11.85"),
        ("https://fw.example/gs/gxp2170fw.bin", "2", "fw.example/gs"),
    ],
)
def test_firmware_is_looked_for_only_where_it_was_set(firmware_url: str, protocol: str, path: str) -> None:
    found = parameters(render("gxp2170", settings={"firmware_url": firmware_url}))
    assert (found["P6767"], found["P192"], found["P238"]) == (protocol, path, "0")
    quiet = parameters(render("gxp2170"))
    assert quiet["P238"] == "2"
    assert "P192" not in quiet


def test_notify_is_taken_from_the_server_and_from_nobody_else() -> None:
    found = parameters(render("gxp2170"))
    assert (found["P4428"], found["P2347"], found["P1310"]) == ("1", "1", "1")
    found = parameters(render("grp2614"))
    assert (found["sip.notify.challenge"], found["account.1.sip.validate.incomingServer"], found["call.ipcall.enable"]) == (
        "No",
        "Yes",
        "No",
    )


def test_registration_is_in_whole_minutes() -> None:
    for seconds, minutes in ((60, "1"), (119, "1"), (600, "10"), (86400, "1440")):
        assert parameters(render("gxp2170", settings={"register_expires_s": seconds}))["P32"] == minutes


@pytest.mark.parametrize(
    ("server", "shown"), [("10.0.0.5", "10.0.0.5:5060"), ("2001:db8::5", "[2001:db8::5]:5060"), ("[::1]", "[::1]:5060")]
)
def test_the_sip_server_is_written_with_its_port(server: str, shown: str) -> None:
    assert parameters(render("gxp2170", settings={"sip_server": server}))["P47"] == shown


@pytest.mark.parametrize("model", MODELS)
def test_no_secret_and_no_token_is_shown(model: str) -> None:
    lines = [LINE | {"line": number, "secret": f"s3cret{number}"} for number in range(1, VENDOR.models[model].lines + 1)]
    more = {name: f"s3cret-{name}" for name in ("dot1x_password", "phonebook_password", "ldap_password")} | {
        "phonebook_url": "http://b.example/"
    }
    shown = masked(VENDOR, render(model, line=lines, settings=more).decode())
    assert re.findall(rf"s3cret\S+|{TOKEN}|adm1n|us3r-", shown) == []
