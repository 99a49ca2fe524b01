"""Parameters of a maker added by hand: only names of its list, none that takes the phone away, each once in a file."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.core.raw import (
    MAX_NAME,
    RawRule,
    chosen,
    is_secret,
    parameter_of,
    why_refused,
    why_wrong_form,
    with_numbers,
    without_doubles,
)
from provisioner.core.settings_check import checked_setting
from provisioner.errors import InputError
from tests.installations import shared_catalogue

RULE = RawRule(frozenset({"tone.ring", "line.N.rport", "line.N.user", "ntp1"}), (re.compile(r"^line\.\d+\.user$"),), r"(?m)^{name} = .*\n")
CATALOGUE = shared_catalogue()
RULES = {vendor.id: vendor.raw for vendor in CATALOGUE.vendors.values() if vendor.raw}
LEAST_NAMES = {"yealink": 500, "grandstream": 500, "polycom": 500, "linphone": 50}
"""A list that was cut off on its way has fewer names."""


@pytest.mark.parametrize("name", ["tone.ring", "line.1.rport", "line.250.rport", "ntp1"])
def test_name_of_the_list_is_taken(name: str) -> None:
    assert RULE.takes(name)
    assert why_refused([RULE], name) is None


@pytest.mark.parametrize(
    "name", ["tone.rings", "line.rport", "line.1.2.rport", "line.x.rport", "ntp2", "", "tone.ring\n", "tone.ring = 1", "a b"]
)
def test_name_that_the_maker_does_not_know_is_refused(name: str) -> None:
    assert why_refused([RULE], name) == "no list of parameters has this name; write it as the maker does"


def test_parameter_that_would_take_the_phone_away_is_refused() -> None:
    assert "would take the phone away" in (why_refused([RULE], "line.1.user") or "")
    other = RawRule(frozenset({"line.N.user"}), (), "{name}")
    assert why_refused([RULE, other], "line.1.user") is None, "another maker's phones may take it"


def test_later_place_of_a_parameter_stands_alone() -> None:
    text = "tone.ring = 1\nntp1 = a\nxtone.ring = 2\ntone.ring = 3\nline.1.rport = 1\n"
    assert (
        without_doubles(RULE, ["tone.ring", "line.1.rport", "absent"], text)
        == "ntp1 = a\nxtone.ring = 2\ntone.ring = 3\nline.1.rport = 1\n"
    )


def test_dots_of_a_name_are_dots() -> None:
    assert without_doubles(RULE, ["tone.ring"], "tonexring = 1\ntone.ring = 2\n") == "tonexring = 1\ntone.ring = 2\n"


def test_chosen_are_those_of_the_vendor_in_order() -> None:
    settings = {"raw.tone.ring": "2", "timezone": "UTC", "raw.line.1.rport": "1", "raw.other.maker": "x", "raw.line.1.user": "evil"}
    assert chosen(RULE, settings) == [("line.1.rport", "1"), ("tone.ring", "2")]
    assert chosen(None, settings) == []


@given(st.text(max_size=MAX_NAME * 2))
def test_any_name_is_one_of_the_table_or_a_parameter(name: str) -> None:
    parameter = parameter_of(f"raw.{name}")
    assert parameter is None or parameter == name
    assert parameter_of(name) is None or name.startswith("raw.")


@pytest.mark.parametrize(
    ("name", "secret"),
    [("ldap.password", True), ("static.wifi.1.password", True), ("auto_provision.aes_key_16.com", True), ("voice.tone.dial", False)],
)
def test_password_is_told_by_its_name(name: str, secret: bool) -> None:
    assert is_secret(name) == secret


@pytest.mark.parametrize("vendor", sorted(RULES))
def test_list_of_a_vendor_holds_names_only(vendor: str) -> None:
    rule = RULES[vendor]
    assert len(rule.names) > LEAST_NAMES[vendor]
    assert [name for name in rule.names if not rule.knows(name)] == []
    assert [pattern.pattern for pattern in rule.refused if not any(pattern.match(with_numbers(name)) for name in rule.names)] == []


# fmt: off
TAKES_THE_PHONE_AWAY = [
    "account.1.enable", "account.1.password", "account.2.user_name", "account.1.sip_server.1.address", "account.1.sip_server_host",
    "account.1.outbound_proxy.1.address", "template.1.sip_server.1.address", "static.auto_provision.server.url", "auto_provision.server.url",
    "static.auto_provision.dhcp_option.enable", "static.auto_provision.pnp_enable", "static.security.user_password", "security.user_password",
    "static.firmware.url", "redirect.enable", "dm.enable", "static.managementserver.url", "static.network.internet_port.type",
    "static.network.vlan.internet_port_vid", "features.action_uri.enable", "push_xml.server", "sip.trust_ctrl",
]
HARMLESS = [
    "account.1.nat.rport", "account.3.ringtone.ring_type", "features.key_as_send", "voice.tone.dial", "phone_setting.lock", "account.1.100rel_enable",
    "static.network.span_to_pc_port", "static.wifi.1.password",
]
# fmt: on


@pytest.mark.parametrize("name", TAKES_THE_PHONE_AWAY)
def test_yealink_parameter_that_takes_the_phone_away_is_refused(name: str) -> None:
    assert RULES["yealink"].knows(name)
    assert "would take the phone away" in (why_refused([RULES["yealink"]], name) or "")


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_yealink_parameter_is_a_setting(name: str) -> None:
    assert checked_setting(CATALOGUE.settings, CATALOGUE.zones, f"raw.{name}", "1") == "1"
    assert CATALOGUE.settings[f"raw.{name}"].type == ("secret" if "password" in name else "string")
    assert f"raw.{name}" not in list(CATALOGUE.settings)
    with pytest.raises(InputError, match="line breaks"):
        checked_setting(CATALOGUE.settings, CATALOGUE.zones, f"raw.{name}", "1\naccount.1.password = x")


@pytest.mark.parametrize(
    ("model", "parameter", "refused"),
    [
        ("gxp2170", "P1234", False),
        ("gxp2170", "phonebook.download.mode", True),
        ("grp2614", "P330", True),
        ("grp2614", "phonebook.download.mode", False),
    ],
)
def test_a_name_of_the_form_that_the_model_does_not_read_is_refused(model: str, parameter: str, refused: bool) -> None:
    vendor = CATALOGUE.vendors["grandstream"]
    why = why_wrong_form(vendor.raw, vendor.models[model].quirks, parameter)
    assert (why is not None) == refused
    assert why is None or ("P1234" if model == "gxp2170" else "phonebook.download.mode") in why


def test_where_all_phones_read_one_form_every_name_of_the_list_will_do() -> None:
    vendor = CATALOGUE.vendors["yealink"]
    assert why_wrong_form(vendor.raw, vendor.models["t46u"].quirks, "features.x") is None
    assert why_wrong_form(None, {}, "anything") is None
