"""Configuration for DHCP servers over the API; what is in it is tested in tests/dhcp."""

from __future__ import annotations

import pytest

from provisioner.core.dhcp_servers import SERVERS
from tests.api.conftest import Api, reason


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_configuration_is_plain_text_with_our_address(roles: dict[str, Api], server: str) -> None:
    answer = roles["viewer"].get(f"/dhcp-config/{server}?site=default")
    assert answer.status_code == 200 and answer.content_type == "text/plain; charset=utf-8"
    assert "http://prov.example:1/" in answer.get_data(as_text=True)
    assert "own address" not in answer.get_data(as_text=True)


def test_site_whose_phones_need_their_own_address_is_told(admin: Api) -> None:
    admin.post("/sites", {"name": "far", "access": "token"})
    assert "own address" in admin.get("/dhcp-config/kea?site=far").get_data(as_text=True)


def test_what_is_not_there_is_not_found(admin: Api) -> None:
    assert reason(admin.get("/dhcp-config/udhcpd")) == "not_found"
    assert reason(admin.get("/dhcp-config/kea?site=nowhere")) == "not_found"
