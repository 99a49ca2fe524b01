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
from provisioner.core.render import Renderer, masked
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
MACS = {"gxp2170": "000b82a1b2c3", "grp2614": "c074ad0b63ee"}
MODELS = sorted(VENDOR.models)


def cases(name: str) -> list[dict]:
    return json.loads((TESTS / "cases" / f"{name}.json").read_text("utf-8"))["cases"]


def names_in(file: str) -> list[str]:
    lines = (TESTS / "data" / file).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def render(model: str, **raw: object) -> bytes:
    raw = {"mac": MACS[model], "line": [LINE]} | raw
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
def key_numbers() -> dict[tuple[int, int], list[str]]:
    """Returns (board, key) -> P numbers of mode, account, description and value; board 0 is the phone."""
    found = {}
    for row in names_in("grandstream_key_pvalues.txt"):
        kind, number, *numbers = row.split()
        place = (0, int(number)) if kind == "vpk" else ((int(number) - 1) // 40 + 1, (int(number) - 1) % 40 + 1)
        found[place] = numbers
    return found


def key_of(model: str, found: dict[str, str], module: int, key: int) -> list[str]:
    """Returns mode, account, description and value of one key."""
    if model == "gxp2170":
        return [found[p] for p in key_numbers()[module, key]]
    prefix = f"pks.vpk.{key}" if key <= 16 else f"pks.mpk.{key - 16}"
    return [found[f"{prefix}.{field}"] for field in ("keyMode", "account", "description", "value")]


def all_keys(model: str, **fields: object) -> list[dict]:
    record = VENDOR.models[model]
    places = [(0, key) for key in range(1, record.keys + 1)]
    if record.expansion:
        places += [(module, key) for module in range(1, record.expansion.modules + 1) for key in range(1, record.expansion.keys + 1)]
    return [{"module": module, "key": key, **fields} for module, key in places]


# (a) the vendor's own lists


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_parameter_of_an_example_is_in_the_vendors_list(example) -> None:
    known = set(names_in("grandstream_gxp2170_pvalues.txt")) | set(names_in("grandstream_grp261x_aliases.txt"))
    for file in RENDERER.phone_files(example.config):
        written = {re.sub(r"^(account|pks\.[vm]pk)\.\d+\.", r"\1.N.", name) for name in parameters(file.body)}
        assert written - known == set()


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
    ours = {name: tuple(f"P{number}" for number in row.split()) for name, row in VENDOR.maps["account"].items()}
    assert {name for name, row in ours.items() if row not in known} == set()
    assert len(set(ours.values())) == len(ours)


def test_every_key_number_is_that_of_the_vendor() -> None:
    found = parameters(render("gxp2170", modules=4, key=all_keys("gxp2170", type="blf", value="203")))
    assert len(key_numbers()) == 48 + 160
    assert {place for place in key_numbers() if key_of("gxp2170", found, *place) != ["1", "0", "", "203"]} == set()


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
    assert {story["model"] for story in stories} == set(VENDOR.models)
    for story in stories:
        mac = MACS[story["model"]]
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
NOT_BUILT = {"GRP2612": "not in the catalogue", "GRP2616": "not in the catalogue", "GXP2130": "not in the catalogue"}


@pytest.mark.parametrize("case", [case for case in cases("blf_expected") if case["vendor"] == "Grandstream"], ids=lambda case: case["id"])
def test_keys_are_as_recorded(case: dict) -> None:
    if case["model"] in NOT_BUILT:
        assert f"grandstream/{case['model'].lower()}" not in {model.id for model in VENDOR.models.values()}
    elif case["model"]:
        record = VENDOR.models[case["model"].lower()]
        vpk = record.quirks.get("vpk", record.keys)
        assert {"vpk": vpk, "mpk": record.keys - int(vpk)} == case["expect"]
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
    keys = [{"module": 0, "key": 2, "type": "blf", "value": text, "label": text}]
    return render(
        model, line=[line], key=keys, settings=dict.fromkeys(SETTINGS, text) | {"outbound_proxy": text, "firmware_url": f"a/{text}"}
    )


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS.filter(lambda text: "://" not in text))
def test_no_text_adds_an_element_or_changes_a_value(model: str, text: str) -> None:
    body = laid_out(model, text)
    assert structure(body) == structure(laid_out(model, "plain"))
    found = parameters(body)
    names = {
        "gxp2170": ("P3", "P34", "P2"),
        "grp2614": ("account.1.sip.subscriber.name", "account.1.sip.subscriber.password", "users.admin.password"),
    }
    whole = ElementTree.fromstring(f"<a>{escape_xml(text)}</a>").text or ""
    short = ElementTree.fromstring(f"<a>{escape_xml(clean_label(text))}</a>").text or ""
    assert [found[name] for name in names[model]] == [whole] * 3
    assert key_of(model, found, 0, 2)[2:] == [short, short]


# (e) everything renders


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("type_", KEY_TYPES)
def test_every_key_type_renders_on_every_key_or_is_no_key_type_of_ours(model: str, type_: str) -> None:
    record = VENDOR.models[model]
    assert (type_ in record.key_types) == (type_ != "url")
    if type_ == "url":
        return
    for firmware in ("", "1.0.9.127"):
        body = render(model, modules=4 if record.expansion else 0, firmware=firmware, key=all_keys(model, type=type_, value="203"))
        found = parameters(body)
        modes = [key_of(model, found, key["module"], key["key"])[0] for key in all_keys(model)]
        dark = sum(mode in {"-1", "None"} for mode in modes)
        assert body.decode().count("it stays dark") == (0 if type_ == "none" else dark)
        assert dark == len(modes) or type_ != "none"


def test_a_line_key_is_possible_on_virtual_keys_only() -> None:
    found = parameters(render("grp2614", key=all_keys("grp2614", type="line")))
    modes = [key_of("grp2614", found, 0, key)[0] for key in range(1, 41)]
    assert modes == ["Line"] * 16 + ["None"] * 24


CHOICES = [(row.name, choice) for row in CATALOGUE.settings.values() for choice in row.choices]
CHOICES += [(row.name, value) for row in CATALOGUE.settings.values() if row.type == "boolean" for value in (True, False)]
CHOICES += [(row.name, value) for row in CATALOGUE.settings.values() if row.type == "integer" for value in (row.minimum, row.maximum)]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("name", "value"), CHOICES, ids=str)
def test_every_choice_renders(model: str, name: str, value: object) -> None:
    assert parameters(render(model, settings={name: value})).keys() == parameters(render(model)).keys()


@pytest.mark.parametrize("model", MODELS)
def test_lines_and_modules_from_none_to_all(model: str) -> None:
    record = VENDOR.models[model]
    for count in range(record.lines + 1):
        lines = [LINE | {"line": number, "extension": str(200 + number)} for number in range(1, count + 1)]
        found = parameters(render(model, line=lines))
        active = [found[f"account.{n}.enable"] == "Yes" for n in range(1, 13)] if model == "grp2614" else actives(found)
        assert active == [number <= count for number in range(1, record.lines + 1)]
    for modules in range((record.expansion.modules if record.expansion else 0) + 1):
        found = parameters(render(model, modules=modules))
        assert sum(name.startswith("P23") and name[1:].isdigit() and 23000 <= int(name[1:]) < 23800 for name in found) == modules * 160


def actives(found: dict[str, str]) -> list[bool]:
    return [found[f"P{number}"] == "1" for number in VENDOR.maps["account"]["active"].split()]


def test_all_eight_codec_places_are_filled() -> None:
    found = parameters(render("gxp2170", settings={"codecs": "opus,pcmu"}))
    assert [found[f"P{number}"] for number in (57, 58, 59, 60, 61, 62, 46, 98)] == ["123"] + ["0"] * 7
    found = parameters(render("grp2614", settings={"codecs": ""}))
    assert [found[f"account.1.codec.choice.{place}"] for place in range(1, 9)] == ["PCMA"] + ["PCMU"] * 7


# (f) what was removed is cleared


@pytest.mark.parametrize("model", MODELS)
def test_a_removed_line_and_a_removed_key_are_cleared(model: str) -> None:
    second = {"line": 2, "extension": "777", "display_name": "Zoe", "secret": "s3cret-777", "label": "Z"}
    key = {"module": 0, "key": 5, "type": "blf", "value": "778", "label": "Yan", "line": 2}
    before, after = parameters(render(model, line=[LINE, second], key=[key])), parameters(render(model))
    personal = {name for name, value in before.items() if value in {"777", "Zoe", "s3cret-777", "Z", "778", "Yan"}}
    assert len(personal) == 7
    assert {after[name] for name in personal} == {""}
    assert key_of(model, after, 0, 5) in (["-1", "0", "", ""], ["None", "0", "", ""])
    active = {"gxp2170": "P401", "grp2614": "account.2.enable"}[model]
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
    shown = masked(VENDOR, render(model, line=lines).decode())
    assert re.findall(rf"s3cret\d+|{TOKEN}|adm1n|us3r-", shown) == []


# Time zones


def zone_of(model: str, zone: str) -> str:
    """Returns the POSIX text that the phone is given for a zone, from either parameter."""
    found = parameters(render(model, settings={"timezone": zone}, line=[]))
    listed, custom = ("P64", "P246") if model == "gxp2170" else ("dateTime.timezone", "dateTime.timezone.custom")
    if found[listed] != "customize":
        assert found[listed] in names_in("grandstream_zones.txt")
        return found[listed]
    return found[custom]


@pytest.mark.parametrize("case", [case for case in cases("timezone_cases") if case["vendor"] == "Grandstream"], ids=lambda case: case["id"])
def test_zone_is_as_recorded(case: dict) -> None:
    paris = "CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00:00"
    if "tz_string" in case["expect"]:
        assert {zone_of(model, case["zone"]) for model in MODELS} == {case["expect"]["tz_string"]} == {paris}
    else:
        assert zone_of("gxp2170", case["zone"]) != paris


def test_every_zone_follows_its_rule() -> None:
    hours_outside_the_day = set()
    for name, rule in CATALOGUE.zones.items():
        text = zone_of("gxp2170", name)
        # No angle brackets, no hour beyond the day, and what the phone takes at most.
        assert re.fullmatch(r"[A-Za-z]{3,6}[-+]?\d+(:\d\d)?([A-Za-z]{3,6}-?\d+(:\d\d)?(,M\d+\.\d\.\d/[012]\d:\d\d:00){2})?", text), (
            name,
            text,
        )
        assert len(text) <= 64
        if re.search(r"/(-|2[5-9]|[3-9]\d)", rule.posix):
            hours_outside_the_day.add(rule.posix)
        else:
            assert dataclasses.replace(parse_posix_tz(text), posix=rule.posix) == rule, (name, text)
    # The begin or the end of the day stands for these: two hours a year are wrong in Jerusalem, one in Nuuk.
    assert len(hours_outside_the_day) <= 3


# fmt: off
SAMPLE = [
    "UTC", "Europe/Amsterdam", "Europe/Dublin", "Europe/London", "Europe/Helsinki", "America/New_York", "America/St_Johns",
    "America/Santiago", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Phnom_Penh",
    "Asia/Ho_Chi_Minh", "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
]
# fmt: on


@pytest.mark.parametrize("name", SAMPLE)
def test_clock_is_right_from_2025_to_2035(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    zone = ZoneInfo(name)
    begin, end = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2036, 1, 1, tzinfo=UTC).timestamp())
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone_of("gxp2170", name))
        time.tzset()
        wrong = [at for at in range(begin, end, 7200) if time.localtime(at).tm_gmtoff != offset_at(zone, at)]
    time.tzset()
    assert [datetime.fromtimestamp(at, UTC).isoformat() for at in wrong[:3]] == []


def offset_at(zone: ZoneInfo, at: int) -> float:
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return offset.total_seconds()
