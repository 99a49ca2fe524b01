"""Linphone: what its file says, as a parser of XML reads it. The same files were tried with linphonec (SOURCES.md)."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from provisioner.catalog.examples import example_config
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.values import SettingValue
from provisioner.sheets import Sheet, sheet_html
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
RENDERER = Renderer(CATALOGUE)
MAC = "02:00:00:00:00:01"
SPACE = "{http://www.linphone.org/xsds/lpconfig.xsd}"
ALICE = {"line": 1, "extension": "1001", "display_name": 'Al "x" <H> & \\ Co', "secret": "s<1"}


def entries(lines: list[dict[str, object]], **settings: SettingValue) -> dict[str, str]:
    """Returns section.key -> value; each stands once and wins over what a person chose."""
    raw = {"mac": MAC, "line": lines, "settings": {"sip_server": "pbx.example", "sip_port": 5061, **settings}}
    [file] = RENDERER.phone_files(example_config(CATALOGUE, "linphone", "softphone", raw))
    root, found = ElementTree.fromstring(file.body), {}
    assert file.name == "linphone-020000000001.xml" and root.tag == f"{SPACE}config"
    for section in root:
        for entry in section:
            name = f"{section.get('name')}.{entry.get('name')}"
            assert name not in found and entry.get("overwrite") == "true"
            found[name] = entry.text or ""
    return found


def test_an_account_registers_with_its_name_and_password() -> None:
    found = entries([ALICE], sip_transport="tls")
    assert found["proxy_0.reg_identity"] == '"Al x <H> &  Co" <sip:1001@pbx.example>'
    assert found["proxy_0.reg_proxy"] == "<sip:pbx.example:5061;transport=tls>"
    assert (found["auth_info_0.username"], found["auth_info_0.passwd"]) == ("1001", "s<1")
    assert found["proxy_0.reg_route"] == "" and found["proxy_0.reg_sendregister"] == "1"


def test_a_line_that_is_gone_is_cleared() -> None:
    found = entries([ALICE])
    assert [found[f"proxy_1.{key}"] for key in ("reg_proxy", "reg_identity", "reg_sendregister")] == ["", "", "0"]
    assert found["auth_info_1.passwd"] == ""
    assert entries([{**ALICE, "line": 2}])["proxy_0.reg_proxy"] == ""


def test_the_next_start_fetches_from_the_softphones_own_address() -> None:
    assert entries([])["misc.config-uri"] == "http://prov.example:8080/p/tokentokentokentokentoke/linphone-020000000001.xml"


def test_codecs_stand_in_order_and_all_others_are_off() -> None:
    found = entries([], codecs="pcmu,opus,g726")
    rows = [(found[f"audio_codec_{at}.mime"], found[f"audio_codec_{at}.enabled"]) for at in range(9)]
    assert rows[:2] == [("PCMU", "1"), ("opus", "1")]
    assert {enabled for _, enabled in rows[2:]} == {"0"} and len(rows) == 9


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"outbound_proxy": "sbc.example", "outbound_proxy_port": 5070}, "proxy_0.reg_route", "<sip:sbc.example:5070;transport=udp;lr>"),
        ({"register_expires_s": 90}, "proxy_0.reg_expires", "90"),
        ({"srtp": "optional"}, "sip.media_encryption", "srtp"),
        ({"srtp": "optional"}, "sip.media_encryption_mandatory", "0"),
        ({"srtp": "required"}, "sip.media_encryption_mandatory", "1"),
        ({"dtmf": "info"}, "sip.use_info", "1"),
        ({"dtmf": "inband"}, "sip.use_rfc2833", "0"),
        ({"session_timer": True}, "sip.session_expires_enabled", "1"),
        ({"session_timer_s": 600}, "sip.session_expires_value", "600"),
        ({"nat_keepalive_s": 0}, "sip.keepalive_period", "0"),
        ({"nat_keepalive_s": 3600}, "sip.keepalive_period", "60000"),
        ({"dscp_sip": 24}, "sip.dscp", "24"),
        ({"dscp_rtp": 34}, "rtp.audio_dscp", "34"),
        ({"verify_server_certificate": True}, "sip.verify_server_cn", "1"),
        ({"raw.sip.inc_timeout": "45"}, "sip.inc_timeout", "45"),
        ({"raw.sip.dscp": "8"}, "sip.dscp", "8"),
    ],
)
def test_a_setting_is_followed(settings: dict[str, SettingValue], key: str, value: str) -> None:
    assert entries([ALICE], **settings)[key] == value


def test_the_sheet_says_the_whole_address() -> None:
    ways = tuple(CATALOGUE.vendors["linphone"].ways_of(CATALOGUE.vendors["linphone"].models["softphone"]))
    sheet = Sheet("Linphone", Mac.parse(MAC), ("1001",), "http://prov.example/p/abcdefghij/", None, "", ways)
    assert "<b>http://prov.example/p/abcdefghij/linphone-020000000001.xml</b>" in sheet_html(sheet, "fi")
