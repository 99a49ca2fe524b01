"""The Yealink folder: names that phones ask for, what the files hold, and that no value can add a line to them."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from provisioner.catalog import DEFAULT_FOLDER
from provisioner.catalog.examples import example_config, load_examples
from provisioner.core.render import Renderer, tables
from provisioner.core.timezone import Switch, TimezoneRule
from provisioner.core.values import KEY_TYPES, Key, Line, PhoneConfig
from tests.conftest import load_cases
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
VENDOR = CATALOGUE.vendors["yealink"]
RENDERER = Renderer(CATALOGUE)
EXAMPLES = [example for example in load_examples(CATALOGUE, DEFAULT_FOLDER) if example.vendor == "yealink"]
MODELS = sorted(VENDOR.models)
ONE_OF_EACH_SERIES = sorted({model.series: model.name for model in sorted(VENDOR.models.values(), key=lambda model: -model.lines)}.values())
"""The smallest model of each series: they share templates, quirks and tables."""
SPELLINGS = {spelling: model.name for model in VENDOR.models.values() for spelling in model.ua_models}
MAC = "805ec0aabbcc"


Parameters = dict[str, str]


def config(model: str, keys: tuple[Key, ...] = (), lines: int = 1, modules: int = 0, firmware: str = "", **chosen: object) -> PhoneConfig:
    raw = {"mac": MAC, "modules": modules, "firmware": firmware, "settings": chosen}
    registrations = tuple(Line(number, f"10{number:02}", f"Name {number}", f"secret-{number}") for number in range(1, lines + 1))
    return replace(example_config(CATALOGUE, "yealink", model, raw), lines=registrations, keys=keys)


def text_of(phone: PhoneConfig) -> str:
    files = RENDERER.phone_files(phone)
    assert [file.name for file in files] == [f"{MAC}.cfg"]
    return files[0].body.decode("utf-8")


def parsed(text: str) -> Parameters:
    """Reads a file as strictly as a phone could: version line first, then blank lines, comments and ``name = value``.

    The one parameter that stands once for each login is told apart by the login.
    """
    version, *rows = text.split("\n")
    assert version == "#!version:1.0.0.1"
    assert rows.pop() == ""
    assert text.splitlines() == [version, *rows], "a character that some parser takes for a line break"
    found: Parameters = {}
    for row in rows:
        if not row or row.startswith("# "):
            continue
        match = re.fullmatch(r"([a-z0-9_.]+) = (.*)", row)
        assert match, row
        name, value = match.groups()
        if name.endswith("security.user_password"):
            login, _, value = value.partition(":")
            name = f"{name}[{login}]"
        assert name not in found, f"{name} is there twice"
        found[name] = value
    return found


def rendered(model: str, keys: tuple[Key, ...] = (), **rest: object) -> Parameters:
    return parsed(text_of(config(model, keys, **rest)))  # type: ignore[arg-type]


# --- Parameters -------------------------------------------------------------------------------------------------------------


def known(name: str) -> bool:
    assert VENDOR.raw is not None
    return VENDOR.raw.knows(name.partition("[")[0])


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_of_the_empty_and_of_the_full_phone_is_one_that_yealink_phones_know(model: str) -> None:
    record = VENDOR.models[model]
    modules = record.expansion.modules if record.expansion else 0
    chosen = dict.fromkeys(("wallpaper", "logo", "ring_tone_file", "language_file", "firmware_url"), "1.GUI.Dutch.lang")
    for lines, count, settings_ in (
        (0, 0, {}),
        (1, 1, {}),
        (record.lines, modules, {**chosen, "dnd_default": "on", "forward_default": "set"}),
    ):
        found = rendered(model, lines=lines, modules=min(count, modules), firmware="96.84.0.125", **settings_)
        assert [name for name in found if not known(name)] == []


def test_first_file_moves_the_phone_to_its_own_address_and_closes_the_other_ways_in() -> None:
    found = rendered("t46u")
    assert found["static.auto_provision.server.url"] == "http://prov.example:8080/p/tokentokentokentokentoke/"
    off = (
        "static.auto_provision.pnp_enable", "static.auto_provision.dhcp_option.enable", "static.zero_touch.enable", "redirect.enable",
        "dm.enable", "static.managementserver.enable", "features.action_uri.enable", "push_xml.sip_notify",
        "features.direct_ip_call_enable",
        "static.auto_provision.custom.protect", "sip.notify_reboot_enable",
    )  # fmt: skip
    assert {name: found[name] for name in off} == dict.fromkeys(off, "0")
    assert found["sip.trust_ctrl"] == "1"


@pytest.mark.parametrize(
    ("firmware_url", "written"),
    [
        ("", "%NULL%"),
        ("T54W-96.84.0.125.rom", "http://prov.example:8080/firmware/T54W-96.84.0.125.rom"),
        ("https://other.example/fw.rom", "https://other.example/fw.rom"),
    ],
    ids=["none clears it", "a name is below firmware/", "an address stays"],
)
def test_firmware_address(firmware_url: str, written: str) -> None:
    assert rendered("t54w", firmware_url=firmware_url)["static.firmware.url"] == written


def test_vlan_zero_is_written_as_off() -> None:
    found = rendered("t46u", voice_vlan=0, pc_vlan=0)
    assert found["static.network.vlan.internet_port_enable"] == found["static.network.vlan.pc_port_enable"] == "0"
    assert found["static.network.vlan.internet_port_vid"] == found["static.network.vlan.pc_port_vid"] == "%NULL%"


@pytest.mark.parametrize(
    ("wanted", "step"), [(0, "0"), (1, "15"), (15, "15"), (16, "60"), (60, "60"), (700, "1800"), (1800, "1800"), (3600, "1800")]
)
def test_display_light_is_a_step_that_the_phone_knows(wanted: int, step: str) -> None:
    assert rendered("t31p", backlight_s=wanted)["phone_setting.backlight_time"] == step


@pytest.mark.parametrize(("wanted", "step"), [(0, "1"), (1, "60"), (61, "120"), (3600, "1800")])
def test_display_light_of_firmware_before_80(wanted: int, step: str) -> None:
    assert rendered("t28p", backlight_s=wanted)["phone_setting.backlight_time"] == step


@pytest.mark.parametrize(("daily", "days"), [(True, "0123456"), (False, "%NULL%")])
def test_days_of_a_schedule_have_two_names_before_firmware_81(daily: bool, days: str) -> None:
    found = rendered("t46g", provisioning_daily=daily)
    names = ["auto_provision.weekly.mask", "auto_provision.weekly.dayofweek", "static.auto_provision.weekly.dayofweek"]
    assert [found[name] for name in names] == [days] * 3
    assert "auto_provision.weekly.mask" not in rendered("t46u", provisioning_daily=daily)


def test_both_servers_of_a_base_station_have_a_lifetime() -> None:
    found = rendered("w70b", second_sip_server="two.example", register_expires_s=300)
    assert [found[f"template.1.sip_server.{at}.expires"] for at in (1, 2)] == ["300", "300"]


def test_codecs_are_numbered_in_order_and_all_others_are_off() -> None:
    found = rendered("t46u", codecs="pcma,opus")
    codec = {name.removeprefix("account.1.codec."): value for name, value in found.items() if name.startswith("account.1.codec.")}
    assert {name: value for name, value in codec.items() if value != "0"} == {
        "pcma.enable": "1", "pcma.priority": "1", "opus.enable": "1", "opus.priority": "2",
    }  # fmt: skip
    assert {name for name, value in codec.items() if value == "0"} >= {"g722.enable", "pcmu.enable", "g729.enable", "g723_53.enable"}


# --- Time zones -------------------------------------------------------------------------------------------------------------

# The recorded expectation is one year's dates; the rule (last Sunday, week 5) is right in every year, as the case itself says.
MENDED = {"timezone-003": {"local_time.start_time": "3/5/7/3", "local_time.end_time": "10/5/7/4"}}


@pytest.mark.parametrize(
    "case", [case for case in load_cases("timezone_cases") if case["vendor"] == "Yealink"], ids=lambda case: case["id"]
)
def test_time_zone(case: dict) -> None:
    found = rendered("t46u", timezone=case["zone"])
    expected = case["expect"] | MENDED.get(case["id"], {})
    assert {name: found[name] for name in expected} == expected


def rule_read(found: Parameters) -> TimezoneRule:
    """Returns the rule that a phone makes of its file."""
    zone = re.fullmatch(r"([+-]?)(\d+)(?::(\d\d))?", found["local_time.time_zone"])
    assert zone is not None
    sign, hours, minutes = zone.groups("0")
    offset_s = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1)
    if found["local_time.summer_time"] == "0":
        return TimezoneRule("", offset_s, None, None, None)
    start, end = (
        Switch(int(month), int(week), int(day) % 7, int(hour) * 3600)
        for month, week, day, hour in (found[f"local_time.{name}_time"].split("/") for name in ("start", "end"))
    )
    return TimezoneRule("", offset_s, offset_s + int(found["local_time.offset_time"]) * 60, start, end)


def test_every_rule_is_read_back_as_it_was_meant() -> None:
    for name, rule in {rule.posix: (name, rule) for name, rule in CATALOGUE.zones.items()}.values():
        read = rule_read(rendered("t31p", timezone=name))
        assert (read.offset_s, read.summer_offset_s) == (rule.offset_s, rule.summer_offset_s), name
        for told, meant in ((read.start, rule.start), (read.end, rule.end)):
            # Whole hours only: of 23:59, the end of the day, the phone gets 23:00.
            assert told == (meant and replace(meant, time_s=meant.time_s // 3600 * 3600)), name


def test_every_zone_renders_with_numbers_in_range() -> None:
    for zone in CATALOGUE.zones:
        found = rendered("t31p", timezone=zone)
        assert re.fullmatch(r"0|[+-]\d{1,2}(:\d\d)?", found["local_time.time_zone"]), zone
        if found["local_time.summer_time"] == "1":
            for name in ("local_time.start_time", "local_time.end_time"):
                assert re.fullmatch(r"([1-9]|1[0-2])/[1-5]/[1-7]/(1?\d|2[0-3])", found[name]), zone


# --- Keys -------------------------------------------------------------------------------------------------------------------

BLF_CASES = [case for case in load_cases("blf_expected") if case["vendor"] == "Yealink"]
WORDS = {"speeddial": "speed_dial"}


def case_keys(case: dict) -> tuple[Key, ...]:
    return tuple(
        Key(0, int(number), WORDS.get(key["type"], key["type"]), key["value"], key["label"])
        for number, key in case["given"]["keys"].items()
    )


def module_keys(case: dict, size: int) -> tuple[Key, ...]:
    """Positions counted over all modules, as the case has them, laid out module by module."""
    slots = case["given"].get("expansion_slots", {})
    return tuple(Key((int(slot) - 1) // size + 1, (int(slot) - 1) % size + 1, "blf", value) for slot, value in slots.items())


@pytest.mark.parametrize("case", BLF_CASES, ids=lambda case: case["id"])
def test_blf_case(case: dict) -> None:
    if case["model"] is None:
        assert {word: VENDOR.maps["key_type"][WORDS.get(word, word)] for word in case["expect"]} == case["expect"]
        return
    model = VENDOR.models[SPELLINGS[case["model"]]]
    expansion = model.expansion
    if case.get("expansion"):
        assert expansion is not None
        assert {"modules": expansion.modules, "keys": expansion.keys} == case["expansion"]
    keys = case_keys(case) if "keys" in case["given"] else module_keys(case, expansion.keys if expansion else 1)
    given = {"pickup_code": case["given"]["pickup_code"]} if "pickup_code" in case["given"] else {}
    found = rendered(model.name, keys, modules=expansion.modules if expansion else 0, **given)
    assert {name: found[name] for name in case["expect"]} == case["expect"]
    assert [name for name in found if name.startswith(tuple(case.get("must_not", ())))] == []
    last = f"expansion_module.{expansion.modules}.key.{expansion.keys}.type" if expansion else "expansion_module.1.key.1.type"
    assert (last in found) == (expansion is not None)


THREE_KEYS = (
    Key(0, 1, "speed_dial", "test_speed_dial", "Test Speed dial"),
    Key(0, 2, "blf", "test_blf", "Test blf"),
    Key(0, 3, "park", "test_park", "Test Park"),
)
"""Those of blf-001 and blf-002, for models and firmware that these do not name."""


@pytest.mark.parametrize("model", ["t46u", "t54w"])
def test_keys_are_written_as_in_the_case_of_a_sibling_model(model: str) -> None:
    found = rendered(model, THREE_KEYS, lines=1, pickup_code="1234", firmware="96.87.0.15")
    rows = [[found[f"linekey.{at}.{name}"] for name in ("type", "line", "value", "label")] for at in (1, 2, 3, 4)]
    assert rows == [
        ["13", "1", "test_speed_dial", "Test Speed dial"], ["16", "1", "test_blf", "Test blf"],
        ["10", "1", "test_park", "Test Park"], ["0", "%NULL%", "%NULL%", "%NULL%"],
    ]  # fmt: skip
    assert found["linekey.2.extension"] == "1234"
    assert "linekey.2.pickup_value" not in found


def test_older_firmware_gets_the_pickup_code_twice() -> None:
    found = rendered("t54w", THREE_KEYS, pickup_code="1234", firmware="96.84.0.125")
    assert (found["linekey.2.type"], found["linekey.2.pickup_value"], found["linekey.2.extension"]) == ("16", "1234", "1234")
    assert found["linekey.1.pickup_value"] == "%NULL%"


@pytest.mark.parametrize("firmware", ["", "96.85.0.5", "96.87.0.15"])
def test_newer_or_unknown_firmware_gets_the_pickup_code_once(firmware: str) -> None:
    assert not [name for name in rendered("t54w", firmware=firmware) if name.endswith(".pickup_value")]


def test_label_loses_breaks_and_semicolon() -> None:
    found = rendered("t46u", (Key(0, 5, "blf", "12;34\r\n", "\nhe;l\tlo\r"),))
    assert (found["linekey.5.label"], found["linekey.5.value"]) == ("hello", "1234")


@pytest.mark.parametrize("model", MODELS)
def test_every_key_type_renders_at_the_last_place(model: str) -> None:
    record = VENDOR.models[model]
    memory = int(record.quirks["memory_keys"])
    places = [(0, record.keys, f"memorykey.{memory}" if memory else f"linekey.{record.keys}")] if record.keys else []
    if record.expansion:
        last = record.expansion
        places.append((last.modules, last.keys, f"expansion_module.{last.modules}.key.{last.keys}"))
    for (module, number, name), type_ in product(places, sorted(record.key_types)):
        found = rendered(model, (Key(module, number, type_, "1002", "Text"),), modules=module, shared_lines="sca")
        assert found[f"{name}.type"] == tables(VENDOR, record)["key_type"][type_]
        assert (found[f"{name}.label"], found[f"{name}.line"]) == (("%NULL%", "%NULL%") if type_ == "none" else ("Text", "1"))


def test_key_types_of_the_vendor_are_all_of_the_contract() -> None:
    assert set(VENDOR.maps["key_type"]) == set(KEY_TYPES) == set(VENDOR.models["t46u"].key_types)


@pytest.mark.parametrize(
    ("type_", "value", "written"),
    [
        ("pickup", "1002", "*81002"),
        ("intercom", "1002", "*801002"),
        ("group_pickup", "", "*8"),
        ("group_pickup", "*86", "*86"),
        ("voicemail", "", "*97"),
        ("voicemail", "*981002", "*981002"),
        ("park", "701", "701"),
        ("dnd", "", "%NULL%"),
        ("line", "", "1001"),
    ],
)
def test_value_of_a_key(type_: str, value: str, written: str) -> None:
    assert rendered("t46u", (Key(0, 9, type_, value),))["linekey.9.value"] == written


def test_blf_without_a_pickup_code_clears_the_one_before() -> None:
    found = rendered("t46u", (Key(0, 9, "blf", "1002"),), pickup_code="")
    assert found["linekey.9.extension"] == found["features.pickup.direct_pickup_code"] == "%NULL%"
    assert found["features.pickup.direct_pickup_enable"] == "0"


def test_key_of_a_line_that_the_phone_lacks_still_renders() -> None:
    assert rendered("t46u", (Key(0, 9, "line", line=4),))["linekey.9.line"] == "4"


def test_removed_key_is_cleared() -> None:
    key, far = Key(0, 9, "blf", "1002", "Bob"), Key(2, 60, "blf", "1003", "Eve")
    before, after = rendered("t46u", (key, far), modules=2), rendered("t46u", modules=2)
    assert set(before) == set(after)
    for prefix in ("linekey.9", "expansion_module.2.key.60"):
        fields = ("type", "line", "value", "label", "extension")
        assert [after[f"{prefix}.{name}"] for name in fields] == ["0", "%NULL%", "%NULL%", "%NULL%", "%NULL%"]


def test_removed_line_is_cleared() -> None:
    found = rendered("t46u", lines=1)
    assert (found["account.1.enable"], found["account.2.enable"], found["account.16.enable"]) == ("1", "0", "0")
    for name in ("label", "display_name", "auth_name", "user_name", "password", "sip_server.1.address"):
        assert found[f"account.2.{name}"] == "%NULL%"
    assert (found["linekey.1.type"], found["linekey.2.type"]) == ("15", "0")
    assert "secret-2" not in text_of(config("t46u", lines=1))


def test_key_laid_out_as_none_hides_the_line_of_its_number() -> None:
    assert rendered("t46u")["linekey.1.type"] == "15"
    assert rendered("t46u", (Key(0, 1, "none"),))["linekey.1.type"] == "0"


# --- Totality ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_lines_and_modules_from_none_to_all(model: str) -> None:
    record = VENDOR.models[model]
    for lines in sorted({0, 1, record.lines // 2, record.lines}):
        found = rendered(model, lines=lines)
        assert sum(found[f"account.{number}.enable"] == "1" for number in range(1, record.lines + 1)) == lines
    modules = record.expansion.modules if record.expansion else 0
    for count in range(modules + 1):
        found = rendered(model, modules=count)
        on_modules = count * (record.expansion.keys - len(record.expansion.reserved)) if record.expansion else 0
        laid = [name for name in found if name.endswith(".type") and name.startswith(("linekey", "memorykey", "expansion"))]
        assert len(laid) == record.keys + on_modules
