"""Grandstream: every parameter exists, every key has its number, no text breaks a file, and what was removed is cleared."""

from __future__ import annotations

import dataclasses
import json
import re
import time
import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.catalog import DEFAULT_FOLDER, load_catalogue
from provisioner.core.catalogue import FileRule, parse_user_agent
from provisioner.core.escape import clean_label, escape_xml
from provisioner.core.render import Renderer, masked, tables
from provisioner.core.timezone import parse_posix_tz
from provisioner.core.values import KEY_TYPES
from tests.templates.examples import TOKEN, example_config, load_examples

CATALOGUE = load_catalogue()
VENDOR = CATALOGUE.vendors["grandstream"]
ALONE = dataclasses.replace(CATALOGUE, vendors={"grandstream": VENDOR})
RENDERER = Renderer(ALONE)
TESTS = Path(__file__).resolve().parent.parent
EXAMPLES = [example for example in load_examples(CATALOGUE) if example.vendor == "grandstream"]
LINE = {"line": 1, "extension": "201", "display_name": "Ann", "secret": "s3cret-201"}
MAC = "000b82a1b2c3"
MODELS = sorted(VENDOR.models)
SERIES = sorted({model.series for model in VENDOR.models.values()})
STAND_IN = {model.series: model.name for model in sorted(VENDOR.models.values(), key=lambda model: (model.lines, model.keys))}
"""Series -> its largest model: tests of what the series decides try this one."""
TRIED = sorted(STAND_IN.values())


def cases(name: str) -> list[dict]:
    return json.loads((TESTS / "cases" / f"{name}.json").read_text("utf-8"))["cases"]


def names_in(file: str) -> list[str]:
    lines = (TESTS / "data" / file).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def render(model: str, **raw: object) -> bytes:
    raw = {"mac": MAC, "line": [LINE]} | raw
    [file] = RENDERER.phone_files(example_config(CATALOGUE, "grandstream", model, raw))
    return file.body


def parameters(body: bytes) -> dict[str, str]:
    """Returns P number or alias -> value; a parameter that is written twice fails."""
    found: dict[str, str] = {}
    for element in ElementTree.fromstring(body).find("config") or []:
        name = element.get("name") or element.tag
        assert name not in found, name
        found[name] = element.text or ""
    return found


@cache
def key_numbers() -> dict[tuple[str, int], list[str]]:
    """Returns kind and number of a key -> P numbers of mode, account, description and value."""
    return {(row.split()[0], int(row.split()[1])): row.split()[2:] for row in names_in("grandstream_key_pvalues.txt")}


def key_of(model: str, found: dict[str, str], module: int, key: int) -> list[str]:
    """Returns mode, account, description and value of one key."""
    record = VENDOR.models[model]
    vpk = int(record.quirks["vpk"])
    kind, place = ("vpk", key) if key <= vpk else ("mpk", key - vpk)
    if module and record.expansion:
        kind, place = "ext", record.expansion.keys * (module - 1) + key
    if record.quirks["format"] == "aliases":
        fields = (record.quirks["mode_alias"], "account", "description", "value")
        return [found[f"pks.{kind}.{place}.{field}"] for field in fields]
    return [found[p] for p in key_numbers()[str(record.quirks["ext"]) if module else kind, place]]


def all_keys(model: str, **fields: object) -> list[dict]:
    record = VENDOR.models[model]
    places = [(0, key) for key in range(1, record.keys + 1)]
    if record.expansion:
        places += [(module, key) for module in range(1, record.expansion.modules + 1) for key in range(1, record.expansion.keys + 1)]
    return [{"module": module, "key": key, **fields} for module, key in places]


def fullest(model: str, **chosen: object) -> bytes:
    """Returns the file of a phone with every line, module and key, and every setting that adds a parameter."""
    record = VENDOR.models[model]
    lines = [LINE | {"line": number, "extension": str(200 + number)} for number in range(1, record.lines + 1)]
    keys = [key for at, key in enumerate(all_keys(model)) for key in [key | {"type": sorted(record.key_types)[at % len(record.key_types)]}]]
    chosen = {"firmware_url": "a/b.bin", "tone_country": "nl", "timezone": "Europe/Paris", **chosen}
    modules = record.expansion.modules if record.expansion else 0
    return render(model, line=lines, key=[key | {"value": "203", "label": "Ann"} for key in keys], modules=modules, settings=chosen)


def name_of(model: str, table: str, name: str, account: int = 1) -> str:
    """Returns the parameter that a name of the tables stands for on a model: ``P34``, ``account.1.sip.userid``."""
    record = VENDOR.models[model]
    cell = tables(VENDOR, record)[table][name]
    if record.quirks["format"] == "aliases":
        return f"account.{account}.{cell}" if table.startswith("account") else cell
    return f"P{int(cell[:-1]) + account - 1}" if cell.endswith("+") else f"P{cell.split()[account - 1]}"


def account_name(model: str, name: str, account: int = 1) -> str:
    """Returns the parameter of an account or port of a model."""
    record = VENDOR.models[model]
    own = record.quirks["accounts"] == "profile" and name in {"active", "user", "auth_user", "password", "name"}
    return name_of(model, "port" if own else str(record.quirks["account_table"]), "enabled" if own and name == "active" else name, account)


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


@pytest.mark.parametrize("case", cases("ua_cases"), ids=lambda case: case["id"])
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
    begun = time.perf_counter()
    assert parse_user_agent(ALONE, text) is None
    assert time.perf_counter() - begun < 0.05


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
    "case", [case for case in cases("path_cases") if case["expected"]["vendor"] == "Grandstream"], ids=lambda c: c["id"]
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


# (c) recorded expectations of keys

KEY_NAMES = {"speed_dial": "speed_dial", "blf": "blf", "call_park": "park", "ldap": "ldap", "dnd": "dnd"}


@pytest.mark.parametrize("case", [case for case in cases("blf_expected") if case["vendor"] == "Grandstream"], ids=lambda case: case["id"])
def test_keys_are_as_recorded(case: dict) -> None:
    if case["model"] == "GRP2616":
        # The maker's own listing has 24 virtual keys, the case 16: the disagreement stands in the model's file.
        record = VENDOR.models["grp2616"]
        assert case["expect"] == {"vpk": 16, "mpk": 24} and record.disagreements[0].field == "keys"
    elif case["model"]:
        record = VENDOR.models[case["model"].lower()]
        vpk = int(record.quirks["vpk"])
        assert {"vpk": vpk, "mpk": record.keys - vpk} == case["expect"]
    else:
        for name, mode in case["expect"].items():
            # VPK 13 is a dynamic one; board keys and MPKs use the same scale.
            keys = [{"module": module, "key": 13, "type": KEY_NAMES[name], "value": "203"} for module in (0, 1)]
            found = parameters(render("gxp2170", modules=1, key=keys))
            assert [key_of("gxp2170", found, module, 13)[0] for module in (0, 1)] == [str(mode)] * 2


def test_a_blf_is_picked_up_with_the_code_and_the_number() -> None:
    key = {"module": 0, "key": 2, "type": "blf", "value": "203", "label": "Ann"}
    found = parameters(render("gxp2170", key=[key], settings={"pickup_code": "*7"}))
    assert key_of("gxp2170", found, 0, 2) == ["1", "0", "Ann", "203"]
    assert (found["P6752"], found["P1347"]) == ("1", "*7")


def test_codes_are_dialled_before_the_number_of_a_key() -> None:
    for type_, value in (("pickup", "*8203"), ("intercom", "*80203")):
        found = parameters(render("grp2614", key=[{"module": 0, "key": 17, "type": type_, "value": "203"}]))
        assert key_of("grp2614", found, 0, 17)[3] == value


@pytest.mark.parametrize(
    ("firmware", "first", "thirteenth"), [("", "1", "1"), ("1.0.10.35", "11", "1"), ("1.0.9.127", "11", "1"), ("1.0.11.57", "1", "1")]
)
def test_fixed_keys_of_old_firmware_count_on_the_old_scale(firmware: str, first: str, thirteenth: str) -> None:
    found = parameters(render("gxp2170", firmware=firmware, key=all_keys("gxp2170", type="blf", value="203")))
    assert {key_of("gxp2170", found, 0, key)[0] for key in range(1, 13)} == {first}
    assert {key_of("gxp2170", found, 0, key)[0] for key in range(13, 49)} == {thirteenth}


# (d) no text breaks a file

NASTY = [
    "\n",
    "\r\n<P2>x</P2>",
    "\0",
    '"',
    "'",
    "<",
    "&amp;",
    "]]>",
    "<!--",
    "-->",
    "#",
    ";",
    "\u2028\u2029\u0085",
    "\ud800",
    "x" * 10_000,
    "{{ mac }}",
]
TEXTS = st.one_of(st.sampled_from(NASTY), st.lists(st.one_of(st.sampled_from(NASTY[:-2]), st.text(max_size=20)), max_size=6).map("".join))
VENDOR_TYPES = frozenset().union(*(model.key_types for model in VENDOR.models.values()))
SETTINGS = [
    "admin_password",
    "user_password",
    "voicemail_number",
    "pickup_code",
    "intercom_code",
    "syslog_server",
    "ntp_server",
    "sip_server",
]


def structure(body: bytes) -> list[tuple[str, dict[str, str]]]:
    return [(element.tag, element.attrib) for element in ElementTree.fromstring(body).iter()]


def laid_out(model: str, text: str) -> bytes:
    line = {"line": 1, "extension": text, "display_name": text, "secret": text, "label": text}
    keys = [{"module": 0, "key": 4, "type": "blf", "value": text, "label": text}]
    return render(
        model, line=[line], key=keys, settings=dict.fromkeys(SETTINGS, text) | {"outbound_proxy": text, "firmware_url": f"a/{text}"}
    )


@pytest.mark.parametrize("model", ["gxp2170", "grp2614", "gxp1628", "gxv3380"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS.filter(lambda text: "://" not in text))
def test_no_text_adds_an_element_or_changes_a_value(model: str, text: str) -> None:
    body = laid_out(model, text)
    assert structure(body) == structure(laid_out(model, "plain"))
    found = parameters(body)
    names = [account_name(model, "name"), account_name(model, "password")]
    names.append(name_of(model, f"phone_{VENDOR.models[model].quirks['format']}", "admin_password"))
    whole = ElementTree.fromstring(f"<a>{escape_xml(text)}</a>").text or ""
    short = ElementTree.fromstring(f"<a>{escape_xml(clean_label(text))}</a>").text or ""
    assert [found[name] for name in names] == [whole] * 3
    assert key_of(model, found, 0, 4)[2:] == [short, short]


# (e) everything renders


@pytest.mark.parametrize("model", [name for name in TRIED if VENDOR.models[name].keys] + ["gxp1610"])
@pytest.mark.parametrize("type_", KEY_TYPES)
def test_every_key_type_of_a_model_has_a_mode_on_some_key_and_no_other_has(model: str, type_: str) -> None:
    record = VENDOR.models[model]
    if type_ not in VENDOR_TYPES:
        assert type_ not in record.key_types
        return
    modules = record.expansion.modules if record.expansion else 0
    for firmware in ("", "1.0.9.127"):
        keys = all_keys(model, type=type_, value="203")
        body = render(model, modules=modules, firmware=firmware, key=keys)
        found = parameters(body)
        dark = body.decode().count("it stays dark")
        assert [key_of(model, found, key["module"], key["key"])[0] for key in keys]
        assert (dark < len(keys)) == (type_ in record.key_types), (dark, len(keys))


def test_a_line_key_is_possible_on_virtual_keys_only() -> None:
    found = parameters(render("grp2614", key=all_keys("grp2614", type="line")))
    modes = [key_of("grp2614", found, 0, key)[0] for key in range(1, 41)]
    assert modes == ["Line"] * 16 + ["None"] * 24


CHOICES = [(row.name, choice) for row in CATALOGUE.settings.values() for choice in row.choices]
CHOICES += [(row.name, value) for row in CATALOGUE.settings.values() if row.type == "boolean" for value in (True, False)]
CHOICES += [(row.name, value) for row in CATALOGUE.settings.values() if row.type == "integer" for value in (row.minimum, row.maximum)]


@pytest.mark.parametrize("model", ["gxp2170", "gxp1630", "grp2614", "gxv3380", "ht814", "wp820"])
def test_every_choice_renders(model: str) -> None:
    optional = {"firmware_url", "timezone", "tone_country"}
    plain = parameters(render(model)).keys()
    for name, value in CHOICES:
        found = parameters(render(model, settings={name: value})).keys()
        assert found == plain or name in optional, (name, value)


# A value of each setting other than its default, and what must be chosen beside it for it to matter.
OTHER: dict[str, object] = {
    "sip_server": "other.example", "outbound_proxy": "proxy.example", "codecs": "pcma", "voicemail_number": "*98", "pickup_code": "*7",
    "group_pickup_code": "*6", "intercom_code": "*5", "timezone": "Asia/Tokyo", "ntp_server": "time.example", "language": "de",
    "admin_password": "other", "user_password": "other", "syslog_server": "other.example", "firmware_url": "x/y.bin", "line_label": "name",
    "second_sip_server": "two.example", "dial_plan": "[1-8]xxx", "emergency_numbers": "999", "hotline_number": "100", "ring_tone": 1,
    "paging_listen": "224.0.1.1:5001", "paging_label": "P", "alert_1_text": "a", "alert_2_text": "b", "alert_3_text": "c", "alert_2_ring": 1,
    "second_ntp_server": "t2.example", "tone_country": "nl", "dot1x_user": "u", "dot1x_password": "pw", "wallpaper": "w.jpg",
    "phonebook_url": "http://x.example/book", "phonebook_user": "u", "phonebook_password": "pw", "ldap_server": "l.example", "ldap_base": "dc=x",
    "ldap_user": "u", "ldap_password": "pw", "ldap_name_filter": "(a=%)", "ldap_number_filter": "(b=%)", "ldap_name_attributes": "a",
    "ldap_number_attributes": "b", "ldap_display": "%a", "forward_always": "1", "forward_busy": "2", "forward_no_answer": "3", "logo": "l.dob",
    "language_file": "x", "ring_tone_file": "x", "phonebook_name": "x", "alert_1_ring": 1, "alert_3_ring": 1, "srtp": "required",
    "screensaver_s": 600, "send_key": "none", "backlight_s": 0,
}  # fmt: skip
BESIDE = {
    "syslog_server": "log.example", "second_sip_server": "two.example", "outbound_proxy": "proxy.example", "voice_vlan": 5,
    "phonebook_url": "http://x.example/b", "paging_listen": "224.0.1.9:5001", "call_log": True,
}  # fmt: skip


def other_value(name: str) -> object:
    row = CATALOGUE.settings[name]
    if name in OTHER:
        return OTHER[name]
    if row.name.startswith("action_url"):
        return "http://hook.example/"
    if row.type == "boolean":
        return not row.default
    return next(choice for choice in row.choices if choice != row.default) if row.choices else row.maximum


@pytest.mark.parametrize("model", TRIED)
def test_a_setting_changes_the_file_or_is_said_not_to(model: str) -> None:
    """No setting is dropped in silence: what the model cannot follow is declared, and nothing else is."""
    record = VENDOR.models[model]
    silent, declared = set(), set()
    for name in CATALOGUE.settings:
        beside = {other: value for other, value in BESIDE.items() if other != name}
        kind = name.removesuffix("_code")
        keys = [{"module": 0, "key": record.keys, "type": kind, "value": "203"}] if record.keys and kind in record.key_types else []
        before, after = (render(model, key=keys, settings=beside | more) for more in ({}, {name: other_value(name)}))
        if before == after:
            silent.add(name)
        if name in record.unsupported:
            declared.add(name)
    assert silent == declared


@pytest.mark.parametrize("model", MODELS)
def test_lines_and_modules_from_none_to_all(model: str) -> None:
    record = VENDOR.models[model]
    active = [account_name(model, "active", account) for account in range(1, record.lines + 1)]
    for count in sorted({0, 1, record.lines}):
        lines = [LINE | {"line": number, "extension": str(200 + number)} for number in range(1, count + 1)]
        found = parameters(render(model, line=lines))
        assert [found[name] in {"1", "Yes"} for name in active] == [number <= count for number in range(1, record.lines + 1)]
    for modules in range((record.expansion.modules if record.expansion else 0) + 1):
        body = render(model, modules=modules).decode()
        per_key = 4 if record.quirks["format"] == "aliases" else 1
        written = len(re.findall(r'name="pks\.ext\.', body)) + len(re.findall(r"<!-- ext \d+ -->", body))
        assert written == modules * (record.expansion.keys if record.expansion else 0) * per_key


def test_all_eight_codec_places_are_filled() -> None:
    found = parameters(render("gxp2170", settings={"codecs": "opus,pcmu"}))
    assert [found[f"P{number}"] for number in (57, 58, 59, 60, 61, 62, 46, 98)] == ["123"] + ["0"] * 7
    found = parameters(render("grp2614", settings={"codecs": ""}))
    assert [found[f"account.1.codec.choice.{place}"] for place in range(1, 9)] == ["PCMA"] + ["PCMU"] * 7


# (f) what was removed is cleared


@pytest.mark.parametrize("model", [name for name in TRIED if VENDOR.models[name].lines > 1])
def test_a_removed_line_and_a_removed_key_are_cleared(model: str) -> None:
    record = VENDOR.models[model]
    second = {"line": 2, "extension": "777", "display_name": "Zoe", "secret": "s3cret-777", "label": "Z"}
    kind = "speed_dial" if "speed_dial" in record.key_types else "none"
    key = {"module": 0, "key": record.keys, "type": kind, "value": "778", "label": "Yan", "line": 2}
    before, after = parameters(render(model, line=[LINE, second], key=[key] if record.keys else [])), parameters(render(model))
    personal = {name for name, value in before.items() if value in {"777", "Zoe", "s3cret-777", "Z", "778", "Yan"}}
    assert len(personal) >= 4
    assert {after[name] for name in personal} == {""}
    active = account_name(model, "active", 2)
    assert (before[active], after[active]) in {("1", "0"), ("Yes", "No")}


def test_virtual_keys_are_written_without_a_gap() -> None:
    found = parameters(render("grp2614", key=[{"module": 0, "key": 16, "type": "blf", "value": "203"}]))
    order = [name for name in found if re.fullmatch(r"pks\.vpk\.\d+\.keyMode", name)]
    assert order == [f"pks.vpk.{number}.keyMode" for number in range(1, 17)]


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


# Time zones


NO_ROOM_FOR_SUMMER = {
    "Australia/Adelaide",
    "Australia/Broken_Hill",
    "Australia/South",
    "Australia/Yancowinna",
    "Pacific/Chatham",
    "NZ-CHAT",
}
"""Their texts are longer than 32 characters: phones with so little room stay in winter time."""


def zone_of(model: str, zone: str) -> str:
    """Returns the POSIX text that the phone is given for a zone, from either parameter."""
    found = parameters(render(model, settings={"timezone": zone}, line=[]))
    table = f"phone_{VENDOR.models[model].quirks['format']}"
    listed, custom = name_of(model, table, "zone"), name_of(model, table, "custom_zone")
    if found[listed] != "customize":
        assert found[listed] in names_in("grandstream_zones.txt")
        return found[listed]
    return found[custom]


@pytest.mark.parametrize("case", [case for case in cases("timezone_cases") if case["vendor"] == "Grandstream"], ids=lambda case: case["id"])
def test_zone_is_as_recorded(case: dict) -> None:
    paris = "CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00:00"
    if "tz_string" in case["expect"]:
        assert {zone_of(model, case["zone"]) for model in ("gxp2170", "grp2614")} == {case["expect"]["tz_string"]} == {paris}
    else:
        assert zone_of("gxp2170", case["zone"]) != paris


@pytest.mark.parametrize(("model", "longest"), [("gxp2170", 64), ("dp750", 32), ("gxv3140", 32)])
def test_every_zone_follows_its_rule(model: str, longest: int) -> None:
    hours_outside_the_day = set()
    for name, rule in CATALOGUE.zones.items():
        text = zone_of(model, name)
        if longest == 32 and name in NO_ROOM_FOR_SUMMER:
            assert "," not in text and rule.has_summer
            continue
        # No angle brackets, no hour beyond the day, and what the phone takes at most.
        change = r"M\d+\.\d\.\d(/[012]?\d(:\d\d(:00)?)?)?"
        assert re.fullmatch(rf"[A-Za-z]{{3,6}}[-+]?\d+(:\d\d)?([A-Za-z]{{3,6}}-?\d+(:\d\d)?(,{change}){{2}})?", text), (name, text)
        assert len(text) <= longest, (name, text)
        if re.search(r"/(-|2[5-9]|[3-9]\d)", rule.posix):
            hours_outside_the_day.add(rule.posix)
        else:
            assert dataclasses.replace(parse_posix_tz(text), posix=rule.posix) == rule, (name, text)
    # The begin or the end of the day stands for these: two hours a year are wrong in Jerusalem, one in Nuuk.
    assert len(hours_outside_the_day) <= 3


def test_android_phones_are_given_the_name_of_the_zone() -> None:
    found = parameters(render("gxv3380", settings={"timezone": "Asia/Kolkata"}))
    assert found["dateTime.timezone"] == "Asia/Kolkata" and "dateTime.timezone.custom" not in found


# fmt: off
SAMPLE = [
    "UTC", "Europe/Amsterdam", "Europe/Dublin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/St_Johns",
    "America/Santiago", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Phnom_Penh",
    "Asia/Ho_Chi_Minh", "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
]
# fmt: on


@pytest.mark.parametrize(
    ("name", "model"), [(name, "gxp2170") for name in SAMPLE] + [(name, "dp750") for name in SAMPLE if name not in NO_ROOM_FOR_SUMMER]
)
def test_clock_is_right_from_2025_to_2035(name: str, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = ZoneInfo(name)
    begin, end = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2036, 1, 1, tzinfo=UTC).timestamp())
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone_of(model, name))
        time.tzset()
        wrong = [at for at in range(begin, end, 7200) if time.localtime(at).tm_gmtoff != offset_at(zone, at)]
    time.tzset()
    assert [datetime.fromtimestamp(at, UTC).isoformat() for at in wrong[:3]] == []


def offset_at(zone: ZoneInfo, at: int) -> float:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return offset.total_seconds()
