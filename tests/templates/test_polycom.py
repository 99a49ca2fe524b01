"""Polycom: every parameter and value is the vendor's, every setting is followed or declared."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from provisioner.catalog.examples import RECORDED_ADDRESS
from provisioner.core.render import masked
from provisioner.core.values import Key, PhoneConfig
from provisioner.errors import RenderError
from tests.conftest import load_cases
from tests.templates.followed import beside, other_value
from tests.templates.polycom_phones import (
    CATALOGUE,
    EXAMPLES,
    KNOWN,
    MAC,
    MODELS,
    RENDERER,
    TRIED,
    VALUES,
    VENDOR,
    config,
    documents,
    parameters,
)

TOKEN = RECORDED_ADDRESS.split("/")[-2]

# --- Parameters ---------------------------------------------------------------------------------------------------------------


EVERYTHING: dict[str, object] = {
    "forward_default": "set", "provisioning_daily": True, "ldap_server": "ldap.example", "second_sip_server": "two.example",
    "outbound_proxy": "proxy.example", "timezone": "Europe/Paris", "codecs": "opus,g722,pcma,pcmu,g729,ilbc",
}  # fmt: skip
"""Every setting that adds a parameter."""


def fullest(model: str, **chosen: object) -> PhoneConfig:
    """A phone with every line, key and module."""
    record = VENDOR.models[model]
    kinds = sorted(record.key_types - {"line"})
    places = [(0, key) for key in range(1, record.keys + 1)]
    if record.expansion:
        places += [(module, key) for module in range(1, record.expansion.modules + 1) for key in range(1, record.expansion.keys + 1)]
    keys = tuple(Key(module, key, kinds[at % len(kinds)], str(2000 + at), "Label") for at, (module, key) in enumerate(places))
    modules = record.expansion.modules if record.expansion else 0
    return config(model, keys, record.lines, modules, **{**EVERYTHING, **chosen})


def without_numbers(name: str) -> str:
    return re.sub(r"(custom)\d+", r"\1N", re.sub(r"\.\d+(?=\.|$)", ".N", name))


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_of_the_fullest_file_is_in_the_vendors_list(model: str) -> None:
    assert {without_numbers(name) for name in parameters(fullest(model))} - KNOWN == set()


def allowed(rule: dict, value: str) -> bool:
    """Whether the vendor's schema takes the value."""
    if "allowed" in rule:
        return value in rule["allowed"]
    if "min" in rule:
        return (not value and rule.get("nullable", False)) or (re.fullmatch(r"-?\d+", value) and rule["min"] <= int(value) <= rule["max"])
    return rule.get("min_length", 0) <= len(value) <= rule.get("max_length", 256)


# What the schema of UC Software 4.0 forbids and newer or older software has.
NEWER = {"lineKey.N.index", "attendant.resourceList.N.address"}
OLD_WORDS = {"UDPonly", "TCPonly"}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("end", ["default", "minimum", "maximum"])
def test_every_value_is_what_the_vendors_schema_takes(model: str, end: str) -> None:
    ends = {row.name: getattr(row, end) for row in CATALOGUE.settings.values() if row.type == "integer"}
    found = parameters(fullest(model, **ends))
    wrong = {name: value for name, value in found.items() if not allowed(VALUES.get(without_numbers(name), {"max_length": 256}), value)}
    assert {name: value for name, value in wrong.items() if value not in OLD_WORDS} == {}


@pytest.mark.parametrize(
    ("firmware", "word", "codec"), [("3.2.7.0198", "UDPonly", "G711A"), ("4.0.15.1009", "UDPOnly", "G711_A"), ("", "UDPOnly", "G711_A")]
)
def test_words_are_those_of_the_firmware(firmware: str, word: str, codec: str) -> None:
    found = parameters(replace(config("spip550"), firmware=firmware))
    assert found["reg.1.server.1.transport"] == word and f"voice.codecPref.{codec}" in found


@pytest.mark.parametrize(
    ("firmware", "keys", "clouds"), [("4.1.4.7430", False, False), ("4.1.6.4835", True, False), ("5.9.6.2327", True, True)]
)
def test_line_keys_and_cloud_switches_come_with_the_firmware(firmware: str, keys: bool, clouds: bool) -> None:
    found = parameters(replace(config("vvx500"), firmware=firmware))
    assert ("lineKey.1.category" in found, "feature.obitalk.enabled" in found) == (keys, clouds)


@pytest.mark.parametrize("model", TRIED)
def test_flash_parameters_come_with_their_set(model: str) -> None:
    found = parameters(config(model))
    flash = [name for name in found if name.startswith("device.") and not name.endswith(".set")]
    assert flash
    assert found["device.set"] == "1"
    assert [name for name in flash if found.get(f"{name}.set") != "1"] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_masked_text_shows_no_token(example) -> None:
    plain = b"".join(file.body for file in RENDERER.phone_files(example.config)).decode()
    assert TOKEN in plain
    assert TOKEN not in masked(VENDOR, plain)


def test_master_names_the_settings_file_first_and_no_name_that_the_phone_writes() -> None:
    master = documents(config("vvx411"))[0]
    assert master.tag == "APPLICATION"
    assert master.attrib["CONFIG_FILES"] == f"{MAC}-user.cfg"
    assert master.attrib["CONTACTS_DIRECTORY"] == ""


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("", "sip.ld"),
        ("polycom/sip_4014.ld", "http://prov.example:8080/firmware/polycom/sip_4014.ld"),
        ("https://fw.example/sip.ld", "https://fw.example/sip.ld"),
    ],
)
def test_firmware_address(address: str, path: str) -> None:
    assert documents(config("spip550", firmware_url=address))[0].attrib["APP_FILE_PATH"] == path


@pytest.mark.parametrize("model", TRIED)
def test_phone_moves_to_its_own_address_and_leaves_the_redirect_service(model: str) -> None:
    found = parameters(config(model))
    assert found["device.prov.serverName"] == "prov.example:8080/p/tokentokentokentokentoke"
    assert (found["device.prov.serverType"], found["device.dhcp.bootSrvUseOpt"]) == ("HTTP", "Static")
    assert found["device.prov.ztpEnabled"] == "0"
    assert found["voIpProt.SIP.specialEvent.checkSync.alwaysReboot"] == "0"


def test_strangers_are_refused_unless_a_proxy_stands_between() -> None:
    assert parameters(config("vvx411"))["voIpProt.SIP.requestValidation.1.method"] == "source"
    behind = parameters(config("vvx411", outbound_proxy="proxy.example"))
    assert behind["reg.1.outboundProxy.address"] == "proxy.example"
    assert not [name for name in behind if "requestValidation" in name]


def test_pickup_code_is_never_the_firmwares_own() -> None:
    found = parameters(config("spip550", pickup_code="**"))
    assert (found["call.directedCallPickupString"], found["call.directedCallPickupMethod"]) == ("**", "legacy")


@pytest.mark.parametrize(
    "case", [case for case in load_cases("timezone_cases") if case["vendor"] == "Polycom"], ids=lambda case: case["id"]
)
def test_timezone_case(case: dict) -> None:
    found = parameters(config("vvx411", timezone=case["zone"]))
    assert {name: found[name] for name in case["expect"]} == case["expect"]


def test_a_summer_of_another_length_is_left_out() -> None:
    found = parameters(config("vvx411", timezone="Australia/Lord_Howe"))
    assert (found["tcpIpApp.sntp.gmtOffset"], found["tcpIpApp.sntp.daylightSavings.enable"]) == ("37800", "0")


def test_codecs_are_numbered_in_order_and_the_others_are_off() -> None:
    found = parameters(config("vvx411", codecs="opus,pcma,g722"))
    chosen = {name.removeprefix("voice.codecPref."): value for name, value in found.items() if name.startswith("voice.codecPref.")}
    assert {name: value for name, value in chosen.items() if value != "0"} == {"G711_A": "1", "G722": "2"}
    assert chosen["G711_Mu"] == chosen["Siren22.64kbps"] == "0"


# --- Parameters added by hand ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "reg.1.address", "reg.1.auth.password", "reg.34.server.1.address", "reg.2.outboundProxy.address", "voIpProt.server.1.address",
        "voIpProt.SIP.outboundProxy.address", "voIpProt.SIP.requestValidation.1.method", "device.prov.serverName", "device.set",
        "device.dhcp.bootSrvUseOpt", "prov.polling.enabled", "device.auth.localAdminPassword", "httpd.enabled", "apps.restapi.enabled",
        "device.net.vlanId", "feature.obitalk.enabled", "device.sec.TLS.customCaCert1", "voIpProt.SIP.specialEvent.checkSync.alwaysReboot",
    ],
)  # fmt: skip
def test_no_parameter_by_hand_takes_the_phone_away(name: str) -> None:
    assert VENDOR.raw is not None and not VENDOR.raw.takes(name)


def test_a_parameter_by_hand_stands_in_the_file_once() -> None:
    found = parameters(config("vvx411", **{"raw.up.idleTimeout": "30", "raw.up.backlight.timeout": "5", "raw.tone.dtmf.level": '-9"<&'}))
    assert (found["up.idleTimeout"], found["up.backlight.timeout"], found["tone.dtmf.level"]) == ("30", "5", '-9"<&')


# --- Totality ---------------------------------------------------------------------------------------------------------------------

CHOICES = [(row.name, choice) for row in CATALOGUE.settings.values() if row.type == "choice" for choice in row.choices]
SWITCHES = [(row.name, value) for row in CATALOGUE.settings.values() if row.type == "boolean" for value in (True, False)]


@pytest.mark.parametrize("model", TRIED)
def test_every_choice_renders(model: str) -> None:
    for name, value in CHOICES + SWITCHES:
        assert parameters(config(model, **{name: value})), (name, value)


CODES = {"shared_lines": "shared_line", "pickup_code": "pickup", "group_pickup_code": "group_pickup", "intercom_code": "intercom"}


@pytest.mark.parametrize("model", TRIED)
def test_a_setting_changes_the_file_or_is_said_not_to(model: str) -> None:
    """No setting is dropped in silence: what the model cannot follow is declared, and nothing else is."""
    record = VENDOR.models[model]
    silent = set()
    for name in (name for name, row in CATALOGUE.settings.items() if not row.by_server):
        keys = (Key(0, record.keys, CODES.get(name, "none"), "203"),) if record.keys and name in CODES else ()
        phones = [config(model, keys, **(beside(name) | more)) for more in ({}, {name: other_value(name)})]
        if RENDERER.phone_files(phones[0]) == RENDERER.phone_files(phones[1]):
            silent.add(name)
    assert silent == set(record.unsupported)


@pytest.mark.parametrize("name", ["sip_transport", "srtp", "dtmf", "language"])
def test_an_unknown_choice_is_an_error(name: str) -> None:
    with pytest.raises(RenderError):
        RENDERER.phone_files(config("vvx411", **{name: "telepathy"}))


@pytest.mark.parametrize("model", MODELS)
def test_every_number_of_lines_renders(model: str) -> None:
    for count in sorted({0, 1, VENDOR.models[model].lines}):
        found = parameters(config(model, lines=count))
        shown = [number for number in range(1, VENDOR.models[model].lines + 1) if found[f"reg.{number}.address"]]
        assert shown == list(range(1, count + 1))


@pytest.mark.parametrize("modules", range(4))
def test_every_number_of_modules_renders(modules: int) -> None:
    model = VENDOR.models["vvx411"]
    keys = tuple(
        Key(module, key, "blf", f"{module}{key:02}") for module in range(modules + 1) for key in range(1, (84 if module else 12) + 1)
    )
    found = parameters(config(model.name, keys, modules=modules))
    total = model.keys + 84 * modules
    assert len([name for name in found if name.endswith(".category")]) == total
    assert found[f"attendant.resourceList.{total}.address"] == keys[-1].value


@pytest.mark.parametrize("zone", sorted(CATALOGUE.zones))
def test_every_zone_renders_within_the_vendors_range(zone: str) -> None:
    found = parameters(config("spip550", timezone=zone))
    for moment in ("start", "stop"):
        if found["tcpIpApp.sntp.daylightSavings.enable"] == "1":
            assert 0 <= int(found[f"tcpIpApp.sntp.daylightSavings.{moment}.time"]) <= 23
            assert 1 <= int(found[f"tcpIpApp.sntp.daylightSavings.{moment}.dayOfWeek"]) <= 7
            assert found.get(f"tcpIpApp.sntp.daylightSavings.{moment}.date", "1") in {"1", "8", "15", "22"}


@pytest.mark.parametrize("seconds", [0, 3, 45, 3600])
def test_display_light_stays_within_the_vendors_range(seconds: int) -> None:
    found = parameters(config("vvx411", backlight_s=seconds))
    assert 5 <= int(found["up.backlight.timeout"]) <= 60
    assert found["up.backlight.idleIntensity"] == ("3" if seconds == 0 else "1")
