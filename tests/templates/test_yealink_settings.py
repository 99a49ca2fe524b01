"""The Yealink folder: what each generation makes of the settings, and of parameters added by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.values import Key
from tests.templates.test_yealink import CATALOGUE, VENDOR, config, parsed, rendered, text_of

ADDRESS = "http://prov.example:8080"
CHOICES = {
    name: set(CATALOGUE.settings[name].choices)
    for name in ("language", "tone_country", "date_format", "send_key", "dot1x_mode", "syslog_level", "ldap_tls")
}


@pytest.mark.parametrize(
    ("table", "setting"),
    [("language", "language"), ("web_language", "language"), ("handset_language", "language"), ("tone_country", "tone_country"),
     ("date_format", "date_format"), ("send_key", "send_key"), ("dot1x", "dot1x_mode"), ("syslog_level", "syslog_level"), ("ldap_tls", "ldap_tls")],
)  # fmt: skip
def test_table_has_a_row_for_each_choice(table: str, setting: str) -> None:
    assert set(VENDOR.maps[table]) == CHOICES[setting]


@pytest.mark.parametrize(
    ("language", "gui", "country", "tones"),
    [("en", "English", "gb", "Great Britain"), ("nl", "English", "nl", "Netherlands"), ("fi", "English", "fi", "Finland"),
     ("vi", "English", "vn", "Custom"), ("km", "English", "kh", "Custom"), ("de", "German", "de", "Germany")],
)  # fmt: skip
def test_language_and_tones_fall_back_where_the_phone_has_none(language: str, gui: str, country: str, tones: str) -> None:
    found = rendered("t46u", language=language, tone_country=country)
    assert (found["lang.gui"], found["voice.tone.country"]) == (gui, tones)


@pytest.mark.parametrize(
    ("file", "url", "language"),
    [("012.GUI.Dutch.lang", f"{ADDRESS}/languages/012.GUI.Dutch.lang", "Dutch"), ("https://x.example/a/9.GUI.Khmer.lang", "https://x.example/a/9.GUI.Khmer.lang", "Khmer")],
)  # fmt: skip
def test_language_file_brings_the_language_in_its_name(file: str, url: str, language: str) -> None:
    found = rendered("t46u", language="nl", language_file=file)
    assert (found["gui_lang.url"], found["lang.gui"]) == (url, language)
    assert rendered("t46u")["gui_lang.url"] == "%NULL%"


def test_do_not_disturb_and_forwarding_are_left_to_the_user_unless_set_here() -> None:
    assert [name for name in rendered("t46u", forward_always="299") if name.startswith("forward.") or name == "features.dnd.enable"] == []
    found = rendered("t46u", forward_default="set", forward_busy="299", dnd_default="off")
    assert (found["forward.busy.enable"], found["forward.busy.target"], found["features.dnd.enable"]) == ("1", "299", "0")
    assert (found["forward.always.enable"], found["forward.always.target"]) == ("0", "%NULL%"), "what was set here before is cleared"


@pytest.mark.parametrize(("seconds", "rings"), [(5, "1"), (20, "3"), (21, "4"), (24, "4"), (120, "20")])
def test_forwarding_waits_in_rings_of_six_seconds(seconds: int, rings: str) -> None:
    assert rendered("t46u", forward_default="set", forward_no_answer_s=seconds)["forward.no_answer.timeout"] == rings


def test_second_server_is_tried_after_the_first_and_has_its_port() -> None:
    found = rendered("t46u", second_sip_server="b.example", sip_port=5070, sip_transport="tcp")
    second = [found[f"account.1.sip_server.2.{name}"] for name in ("address", "port", "transport_type")]
    assert (second, found["account.1.fallback.redundancy_type"]) == (["b.example", "5070", "1"], "1")
    assert rendered("t46u", second_sip_server="b.example", second_sip_port=5099)["account.1.sip_server.2.port"] == "5099"


def test_once_a_day_takes_the_place_of_the_interval() -> None:
    found = rendered("t46u", provisioning_daily=True, provisioning_from_hour=3, provisioning_to_hour=4)
    names = ("repeat.enable", "weekly.enable", "weekly.dayofweek", "weekly.begin_time", "weekly.end_time")
    assert [found[f"static.auto_provision.{name}"] for name in names] == ["0", "1", "0123456", "03:00", "04:59"]


def test_picture_goes_to_displays_with_colours_and_a_logo_to_the_others() -> None:
    colour, mono = rendered("t54w", wallpaper="a.png", logo="a.dob"), rendered("t31p", wallpaper="a.png", logo="a.dob")
    assert (colour["wallpaper_upload.url"], colour["phone_setting.backgrounds"]) == (f"{ADDRESS}/wallpapers/a.png", "Config:a.png")
    assert (mono["lcd_logo.url"], mono["phone_setting.lcd_logo.mode"]) == (f"{ADDRESS}/logos/a.dob", "2")
    assert "lcd_logo.url" not in colour and "wallpaper_upload.url" not in mono
    for model in VENDOR.models.values():
        has = rendered(model.name, wallpaper="a.png", logo="a.dob")
        told = {"wallpaper": "wallpaper_upload.url" not in has, "logo": "lcd_logo.url" not in has}
        assert told == {name: name in model.unsupported for name in told}, model.name


def test_own_ring_tone_is_fetched_and_named() -> None:
    found = rendered("t46u", ring_tone=3, ring_tone_file="chime.wav")
    assert (found["ringtone.url"], found["phone_setting.ring_type"]) == (f"{ADDRESS}/ringtones/chime.wav", "chime.wav")
    assert rendered("t46u", ring_tone=3)["phone_setting.ring_type"] == "Ring3.wav"


# --- Generations ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "spellings"),
    [("t28p", {""}), ("t46g", {"", "static."}), ("t46s", {"static."}), ("w60b", {"", "static."}), ("w70b", {"static."})],
)
def test_spellings_of_a_generation(model: str, spellings: set[str]) -> None:
    found = rendered(model)
    for name in ("auto_provision.server.url", "security.user_password[admin]", "network.lldp.enable", "firmware.url"):
        assert {prefix for prefix in ("", "static.") if f"{prefix}{name}" in found} == spellings, name


def test_speech_encryption_has_its_numbers_the_other_way_round_before_80() -> None:
    old, new = (
        [rendered(model, srtp=word)["account.1.srtp_encryption"] for word in ("off", "optional", "required")] for model in ("t28p", "t46g")
    )
    assert (old, new) == (["0", "2", "1"], ["0", "1", "2"])


def test_firmware_before_80_has_numbered_codecs_and_no_digit_map() -> None:
    found = rendered("t28p", codecs="g722,pcma")
    assert [found[f"account.1.codec.6.{name}"] for name in ("enable", "payload_type", "priority", "rtpmap")] == ["1", "G722", "1", "9"]
    assert (found["account.1.codec.2.priority"], found["account.1.codec.1.enable"]) == ("2", "0")
    assert "dial_plan" in VENDOR.models["t28p"].unsupported
    assert not [name for name in rendered("t46u") if name.startswith("account.1.codec.6")]


def test_keys_beyond_the_line_keys_are_memory_keys() -> None:
    found = rendered("t28p", (Key(0, 6, "blf", "1"), Key(0, 7, "blf", "2"), Key(0, 16, "blf", "3")))
    assert [found[f"{name}.value"] for name in ("linekey.6", "memorykey.1", "memorykey.10")] == ["1", "2", "3"]
    assert "linekey.7.type" not in found


def test_page_keys_of_a_module_are_left_alone() -> None:
    found = rendered("t28p", modules=2)
    assert {number for number in range(1, 41) if f"expansion_module.2.key.{number}.type" not in found} == {1, 21}


def test_line_of_a_base_station_is_that_of_the_handset_with_its_number() -> None:
    found = rendered("w60b", lines=2)
    assert [found[f"handset.2.{name}"] for name in ("incoming_lines", "dial_out_lines", "dial_out_default_line")] == ["2", "2", "2"]
    assert {found[f"handset.3.{name}"] for name in ("name", "incoming_lines", "dial_out_lines")} == {"%NULL%"}


def test_lines_of_a_system_share_one_server() -> None:
    found = rendered("w90dm", lines=250)
    assert found["template.1.sip_server.1.address"] == "pbx.example"
    assert {found[f"account.{number}.sip_server.template"] for number in range(1, 251)} == {"1"}
    assert "account.1.sip_server.1.address" not in found


# --- Parameters added by hand -----------------------------------------------------------------------------------------------


def test_parameter_by_hand_replaces_what_the_templates_say() -> None:
    by_hand = {"raw.features.key_as_send": "2", "raw.account.1.nat.rport": "1", "raw.wui_lang.url": ""}
    phone = config("t46u", send_key="pound")
    text = text_of(replace(phone, settings={**phone.settings, **by_hand}))
    found = parsed(text)
    assert (found["features.key_as_send"], found["account.1.nat.rport"], found["wui_lang.url"]) == ("2", "1", "%NULL%")
    assert set(found) - set(parsed(text_of(phone))) == {"account.1.nat.rport", "wui_lang.url"}


@pytest.mark.parametrize(
    "name", ["raw.account.1.password", "raw.static.auto_provision.server.url", "raw.nonsense", "raw.account.1.nat.rport\nx"]
)
def test_parameter_that_got_in_all_the_same_is_not_written(name: str) -> None:
    phone = config("t46u")
    assert text_of(replace(phone, settings={**phone.settings, name: "evil"})) == text_of(phone)


def test_value_by_hand_adds_no_line() -> None:
    phone = config("t46u")
    laced = replace(phone, settings={**phone.settings, "raw.account.1.nat.rport": "1\naccount.1.password = x\u2028redirect.enable = 1"})
    assert parsed(text_of(laced))["account.1.password"] == "secret-1"
    assert parsed(text_of(laced))["redirect.enable"] == "0"
