"""Grandstream: every key has its number, no text breaks a file, everything renders, and what was removed is cleared."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.core.escape import clean_label, escape_xml
from provisioner.core.values import KEY_TYPES
from tests.conftest import load_cases
from tests.templates.grandstream_phones import (
    CATALOGUE,
    LINE,
    MODELS,
    TRIED,
    VENDOR,
    account_name,
    all_keys,
    key_of,
    name_of,
    parameters,
    render,
)

VENDOR_TYPES = frozenset().union(*(model.key_types for model in VENDOR.models.values()))

# (c) recorded expectations of keys

KEY_NAMES = {"call_park": "park"}


@pytest.mark.parametrize(
    "case", [case for case in load_cases("blf_expected") if case["vendor"] == "Grandstream"], ids=lambda case: case["id"]
)
def test_keys_are_as_recorded(case: dict) -> None:
    if case["model"]:
        record = VENDOR.models[case["model"].lower()]
        vpk, fields = int(record.quirks["vpk"]), {row.field for row in record.disagreements}
        # Of the GRP2616 the maker's own listing has 24 virtual keys, the case 16: the disagreement stands in the model's file.
        assert {"vpk": vpk, "mpk": record.keys - vpk} == case["expect"] or (case["model"], "keys" in fields) == ("GRP2616", True)
    else:
        for name, mode in case["expect"].items():
            # VPK 13 is a dynamic one; board keys and MPKs use the same scale.
            keys = [{"module": module, "key": 13, "type": KEY_NAMES.get(name, name), "value": "203"} for module in (0, 1)]
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


@pytest.mark.parametrize(
    "model", sorted({name for name in TRIED if VENDOR.models[name].keys} | {"gxp1610", "grp2614", "gxp1760", "gxp2140"})
)
@pytest.mark.parametrize("type_", KEY_TYPES)
def test_a_key_stays_dark_exactly_where_the_model_says_so(model: str, type_: str) -> None:
    """What the model's file refuses at edit time is what the tables have no mode for, key by key."""
    record = VENDOR.models[model]
    modules = record.expansion.modules if record.expansion else 0
    keys = all_keys(model, type=type_, value="203")
    if type_ not in VENDOR_TYPES:
        assert type_ not in record.key_types
        return
    body = render(model, modules=modules, key=keys).decode()
    parts = re.findall(r'(?:<!-- (?:vpk|mpk|ext) \d+ -->|\.value">[^<]*</item>)\n( *<!-- no mode)?', body[body.index("<!-- Keys") :])
    assert len(parts) == len(keys)
    assert [not dark for dark in parts] == [record.takes(type_, key["module"], key["key"]) for key in keys]
    assert (not all(parts)) == (type_ in record.key_types)


def test_a_line_key_is_possible_on_virtual_keys_only() -> None:
    found = parameters(render("grp2614", key=all_keys("grp2614", type="line")))
    modes = [key_of("grp2614", found, 0, key)[0] for key in range(1, 41)]
    assert modes == ["Line"] * 16 + ["None"] * 24


CHOICES = [(row.name, choice) for row in CATALOGUE.settings.values() for choice in row.choices]
CHOICES += [(row.name, value) for row in CATALOGUE.settings.values() if row.type == "boolean" for value in (True, False)]
CHOICES += [(row.name, value) for row in CATALOGUE.settings.values() if row.type == "integer" for value in (row.minimum, row.maximum)]


@pytest.mark.parametrize("model", ["gxp2170", "gxp1630", "grp2614", "gxv3380", "ht814", "wp820"])
def test_every_choice_renders(model: str) -> None:
    optional = {"encrypt_files", "firmware_url", "timezone", "tone_country"}
    plain = parameters(render(model)).keys()
    for name, value in CHOICES:
        found = parameters(render(model, settings={name: value})).keys()
        assert found == plain or name in optional, (name, value)


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


def handsets(*numbers: int) -> tuple[list[str], list[str]]:
    """Returns which handset each of the accounts 1 to 5 rings, and which account each of the five handsets calls out on."""
    lines = [{"line": number, "extension": f"40{number}", "display_name": "", "secret": "s"} for number in numbers]
    found = parameters(render("dp750", line=lines))
    return [found[f"P2708{at}"] for at in range(5)], [found[f"P{at}"] for at in (4300, 4310, 4320, 4250, 21328)]


def test_handset_and_account_of_one_number_belong_together() -> None:
    assert handsets(1, 2, 3) == (["1", "2", "3", "101", "101"], ["1", "2", "3", "1", "1"])
    assert handsets(1) == handsets() == (["101"] * 5, ["1"] * 5), "one line rings wherever the base hunts it"
    assert handsets(2) == (["101"] * 5, ["2"] * 5), "no handset has an account that is off"
