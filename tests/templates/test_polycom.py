"""The Polycom folder: names that phones ask for and send, what the files hold, and that no value can add an element or attribute."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.catalog import DEFAULT_FOLDER, load_catalogue
from provisioner.core.catalogue import FileRule, UploadRule, parse_user_agent
from provisioner.core.escape import clean_label
from provisioner.core.render import Renderer, masked
from provisioner.core.values import KEY_TYPES, Key, Line, PhoneConfig
from provisioner.errors import RenderError
from tests.conftest import load_cases
from tests.templates.examples import TOKEN, example_config, load_examples
from tests.templates.followed import beside, other_value

CATALOGUE = load_catalogue()
VENDOR = CATALOGUE.vendors["polycom"]
RENDERER = Renderer(CATALOGUE)
EXAMPLES = [example for example in load_examples(CATALOGUE) if example.vendor == "polycom"]
KNOWN = frozenset((Path(__file__).parent.parent / "data" / "polycom_params.txt").read_text("ascii").split())
MODELS = sorted(VENDOR.models)
TRIED = sorted({model.series: model.name for model in sorted(VENDOR.models.values(), key=lambda model: model.keys)}.values())
"""Of each series the model with most keys: tests of what a series decides try these."""
KEYED = [name for name in TRIED if VENDOR.models[name].keys > 2]
VALUES = json.loads((Path(__file__).parent.parent / "data" / "polycom_values.json").read_text("utf-8"))["parameters"]
SPELLINGS = {spelling: model.name for model in VENDOR.models.values() for spelling in model.ua_models}
MAC = "0004f2abcdef"
FILES = [f"{MAC}.cfg", f"{MAC}-user.cfg", f"{MAC}-directory.xml"]


def config(model: str, keys: tuple[Key, ...] = (), lines: int = 1, modules: int = 0, **chosen: object) -> PhoneConfig:
    raw = {"mac": MAC, "modules": modules, "settings": chosen}
    registrations = tuple(Line(number, f"10{number:02}", f"Name {number}", f"secret-{number}") for number in range(1, lines + 1))
    return replace(example_config(CATALOGUE, "polycom", model, raw), lines=registrations, keys=keys)


def documents(phone: PhoneConfig) -> list[ElementTree.Element]:
    """The three files, parsed strictly: ill-formed XML and an attribute that is there twice are errors of the parser."""
    files = RENDERER.phone_files(phone)
    assert [file.name for file in files] == FILES
    return [ElementTree.fromstring(file.body) for file in files]


def parameters(phone: PhoneConfig) -> dict[str, str]:
    """Every parameter of the settings file. The same name in two elements would leave it to the phone which one counts."""
    pairs = [pair for element in documents(phone)[1].iter() for pair in element.attrib.items()]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def contacts(phone: PhoneConfig) -> dict[str, tuple[str, str]]:
    """Speed-dial index -> what it dials and what stands beside it."""
    items = documents(phone)[2].findall("./item_list/item")
    assert [[part.tag for part in item] for item in items] == [["fn", "ct", "sd"]] * len(items)
    return {item.findtext("sd", ""): (item.findtext("ct", ""), item.findtext("fn", "")) for item in items}


def rule_of(path: str) -> FileRule | None:
    """The rule that a path finds: whole, then its last two segments, then its last one."""
    segments = path.lstrip("/").split("/")
    for tail in ["/".join(segments), "/".join(segments[-2:]), segments[-1]]:
        for rule in VENDOR.files:
            if rule.regex.match(tail):
                return rule
    return None


def upload_of(path: str) -> UploadRule | None:
    return next((rule for rule in VENDOR.uploads if rule.regex.match(path)), None)


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


SEPARATED = {"path-079", "path-080"}
"""There ``<mac>.cfg`` holds the settings themselves; here the name, with or without separators, is the master file."""


@pytest.mark.parametrize(
    "case", [case for case in load_cases("path_cases") if case["expected"]["vendor"] == "Polycom"], ids=lambda case: case["id"]
)
def test_path_of_our_phones(case: dict) -> None:
    rule = rule_of(case["path"])
    assert rule is not None
    assert rule.kind == ("master_config" if case["id"] in SEPARATED else case["expected"]["kind"])
    if case["expected"]["mac"]:
        tail = case["path"].rsplit("/", 1)[1]
        match = rule.regex.match(tail)
        assert match and re.sub("[:-]", "", match["mac"]).lower() == case["expected"]["mac"]


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


# --- Keys -------------------------------------------------------------------------------------------------------------------------


BLF_CASES = {case["id"]: case for case in load_cases("blf_expected") if case["vendor"] == "Polycom"}


@pytest.mark.parametrize("name", sorted(BLF_CASES))
def test_blf_case(name: str) -> None:
    case = BLF_CASES[name]
    model = VENDOR.models[SPELLINGS[case["model"]]]
    if case.get("code_table"):
        # Where the phone orders its keys itself, the first is that of line 1. The case counts 40 keys on a VVX module, the vendor's guide
        # 84 on the colour one: the disagreement stands in the model's file.
        flexible = bool(model.quirks["flexible_line_keys"])
        on_modules = 3 * (40 if flexible else model.expansion.keys) if model.expansion else 0
        assert not (flexible and model.expansion) or model.disagreements[0].field == "expansion.keys"
        assert case["expect"] == {"keys_including_expansion": model.keys - (not flexible) + on_modules}
        return
    keys = tuple(Key(0, int(number), key["type"], key["value"], key["label"]) for number, key in case["given"]["keys"].items())
    text = RENDERER.phone_files(config(model.name, keys))[1].body.decode()
    assert [row for row in (f'{key}="{value}"' for key, value in case["expect"].items()) if row not in text] == []


@pytest.mark.parametrize("model", KEYED)
@pytest.mark.parametrize("kind", sorted({"none", *KEY_TYPES}))
def test_every_key_type_of_the_model_renders_and_no_other(model: str, kind: str) -> None:
    phone = config(model, (Key(0, 2, kind, "1002", "Bob"),))
    if kind in VENDOR.models[model].key_types:
        parameters(phone)
    elif kind in {"forward", "ldap", "url"}:
        with pytest.raises(RenderError):
            RENDERER.phone_files(phone)


WANTED = {
    "speed_dial": "1002",
    "pickup": "*81002",
    "group_pickup": "*8",
    "intercom": "*801002",
    "voicemail": "1002",
    "dtmf": "^1002$Tdtmf$",
    "transfer": "^1002$Trefer$",
    "dnd": "^$FDoNotDisturb$",
    "conference": "^$FConference$",
    "phonebook": "^$FDirectories$",
}


@pytest.mark.parametrize("model", KEYED)
@pytest.mark.parametrize("kind", sorted(WANTED))
def test_dialled_key_is_a_contact(model: str, kind: str) -> None:
    if kind not in VENDOR.models[model].key_types:
        return
    phone = config(model, (Key(0, 3, kind, "1002", "A & B"),))
    index = str(int(VENDOR.models[model].quirks["speed_dials_from"]) + 3)
    assert contacts(phone) == {index: (WANTED[kind], "A & B")}
    if VENDOR.models[model].quirks["flexible_line_keys"]:
        found = parameters(phone)
        assert (found["lineKey.3.category"], found["lineKey.3.index"]) == ("SpeedDial", index)


def test_a_number_on_two_keys_is_one_contact() -> None:
    phone = config("vvx411", (Key(0, 3, "speed_dial", "R&D", "One"), Key(0, 5, "speed_dial", "R&D", "Two")))
    assert contacts(phone) == {"1003": ("R&D", "One")}
    assert parameters(phone)["lineKey.5.index"] == "1003"


@pytest.mark.parametrize("kind", ["blf", "park", "speed_dial", "dtmf", "transfer"])
def test_a_key_without_number_is_left_empty(kind: str) -> None:
    phone = config("vvx411", (Key(0, 3, kind),))
    assert parameters(phone)["lineKey.3.category"] == "Unassigned"
    assert contacts(phone) == {}
    assert parameters(phone)["attendant.resourceList.1.address"] == ""


def test_watched_keys_are_listed_in_the_order_of_the_keys() -> None:
    found = parameters(config("vvx411", (Key(1, 2, "blf", "1003"), Key(0, 9, "park", "701"), Key(0, 4, "blf", "1002")), modules=1))
    assert [found[f"attendant.resourceList.{number}.address"] for number in (1, 2, 3)] == ["1002", "701", "1003"]
    assert [found[f"attendant.resourceList.{number}.type"] for number in (1, 2, 3)] == ["normal", "automata", "normal"]
    assert [name for name, value in found.items() if value == "BLF"] == ["lineKey.4.category", "lineKey.9.category", "lineKey.14.category"]


def test_lines_without_a_key_take_the_first_free_ones() -> None:
    found = parameters(config("vvx411", (Key(0, 1, "blf", "1002"), Key(0, 3, "line", line=2)), lines=3))
    shown = [(found[f"lineKey.{number}.category"], found.get(f"lineKey.{number}.index")) for number in range(1, 6)]
    assert shown == [("BLF", "0"), ("Line", "1"), ("Line", "2"), ("Line", "3"), ("Unassigned", None)]


def test_a_line_key_of_a_line_that_is_not_there_stays_empty() -> None:
    found = parameters(config("vvx411", (Key(0, 5, "line", line=9),)))
    assert found["lineKey.5.category"] == "Unassigned"


def test_the_first_line_there_is_watches() -> None:
    phone = replace(config("vvx411"), lines=(Line(5, "1005", "", "s"), Line(11, "1011", "", "s")))
    assert parameters(phone)["attendant.reg"] == "5"


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


CODES = {"pickup_code": "pickup", "group_pickup_code": "group_pickup", "intercom_code": "intercom"}


@pytest.mark.parametrize("model", TRIED)
def test_a_setting_changes_the_file_or_is_said_not_to(model: str) -> None:
    """No setting is dropped in silence: what the model cannot follow is declared, and nothing else is."""
    record = VENDOR.models[model]
    silent = set()
    for name in CATALOGUE.settings:
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


# --- Removal ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [name for name in TRIED if VENDOR.models[name].lines > 1])
def test_a_removed_line_is_cleared(model: str) -> None:
    found = parameters(config(model, lines=1))
    assert (found["reg.2.address"], found["reg.2.auth.password"]) == ("", "")
    assert "secret-2" not in RENDERER.phone_files(config(model, lines=1))[1].body.decode()


@pytest.mark.parametrize("model", KEYED)
def test_a_removed_key_is_cleared(model: str) -> None:
    before = config(model, (Key(0, 2, "blf", "1002", "Bob"), Key(0, 3, "speed_dial", "0201234567", "Taxi")))
    after = config(model)
    assert parameters(before)["attendant.resourceList.1.address"] == "1002"
    assert list(contacts(before).values()) == [("0201234567", "Taxi")]
    assert parameters(after)["attendant.resourceList.1.address"] == ""
    assert contacts(after) == {}
    if VENDOR.models[model].quirks["flexible_line_keys"]:
        assert [parameters(after)[f"lineKey.{number}.category"] for number in (2, 3)] == ["Unassigned", "Unassigned"]


# --- Values can add nothing -----------------------------------------------------------------------------------------------------------

NASTY = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="\n\r\0\t\"'<>&;#$^!]-\u2028\u2029\u0085\ufffe ab1", max_size=40),
    st.sampled_from(
        ["]]>", '"/><reg reg.1.address="', "-->", "<!--", "&quot;", "&#10;", "{{ lines }}", "{% raw %}", "x" * 10_000, "\ud800"]
    ),
)


def printed(value: str) -> str:
    """What a parser must read back: the value without what no XML may hold or what could be a line break."""
    return re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]", "", value)


def shape(document: ElementTree.Element) -> list[tuple[str, list[str]]]:
    return [(element.tag, list(element.attrib)) for element in document.iter()]


@pytest.mark.parametrize("model", ["spip550", "vvx411", "edgee350"])
@settings(max_examples=60, deadline=None)
@given(text=NASTY)
def test_no_value_adds_an_element_or_attribute(model: str, text: str) -> None:
    strings = {row.name for row in CATALOGUE.settings.values() if row.type in {"string", "secret", "host"}} - {
        "outbound_proxy",
        "firmware_url",
        "second_sip_server",
        "ldap_server",
        "ldap_name_attributes",
        "ldap_number_attributes",
    }
    keys = (Key(0, 2, "blf", "1002", "Bob"), Key(0, 3, "speed_dial", "0201", "Taxi"), Key(0, 4, "pickup", "1003", "P"))
    there = {"outbound_proxy": "proxy.example", "firmware_url": "sip.ld", "second_sip_server": "two.example", "ldap_server": "ldap.example"}
    plain = config(model, keys, **there)
    filled = text if clean_label(text) and printed(text).strip() else "x" + text
    named = tuple(replace(key, label=filled) for key in keys)
    laced = replace(
        plain,
        lines=(Line(1, "1001", "x" + text, text),),
        keys=(named[0], replace(named[1], value="x" + text), named[2]),
        settings={**plain.settings, **dict.fromkeys(strings, "x" + text), **dict.fromkeys(there, "p" + text)},
    )
    for before, after in zip(documents(plain), documents(laced), strict=True):
        assert shape(after) == shape(before)
    found = parameters(laced)
    assert found["reg.1.displayName"] == found["device.auth.localAdminPassword"] == printed("x" + text)
    assert found["reg.1.auth.password"] == printed(text)
    assert found["call.directedCallPickupString"] == printed("x" + text)
    assert found["attendant.resourceList.1.label"] == printed(clean_label(filled)) or not printed(clean_label(filled))
    assert contacts(laced)["1003"][0] == printed(clean_label("x" + text))
    assert contacts(laced)["1004"][0] == printed("x" + text) + "1003"


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
