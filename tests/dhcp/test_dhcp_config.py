"""What we write for DHCP servers: taken by the real ones, given to the phones that it is for, and proof against any host name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from provisioner.core.dhcp_servers import SERVERS
from provisioner.core.mac import Mac
from provisioner.dhcp import dhcp_config
from provisioner.errors import InputError
from tests.dhcp.servers import KINDS, serving
from tests.installations import shared_catalogue

CATALOGUE = shared_catalogue()
ADDRESS = "http://10.77.0.1:8080/"
TOLD = ADDRESS.encode()
NAMES = {66: "tftp-server-name", 160: "provisioning-url"}


def written(server: str, **more: bool) -> str:
    return dhcp_config(CATALOGUE, server, ADDRESS, site="Utrecht", **more)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_real_server_tells_phones_and_nobody_else(kind: str, tmp_path: Path) -> None:
    with serving(kind, tmp_path, written(kind)) as lan:
        by_class = lan.ask("02:00:00:00:00:01", b"yealink")
        by_mac = lan.ask("80:5e:c0:00:00:02")
        desk = lan.ask("02:00:00:00:00:03", b"Grandstream GXP2170 dslforum.org")
        binary = bytes.fromhex("0000363d1d0107506f6c79636f6d021256565800ff")
        other_options = lan.ask("02:00:00:00:00:04", binary)
        laptop = lan.ask("02:00:00:00:00:05", b"MSFT 5.0")
    assert by_class.get(66) == by_class.get(43) == TOLD and 160 not in by_class
    assert by_mac.get(66) == TOLD
    assert desk.get(66) == desk.get(160) == TOLD and 43 not in desk
    assert other_options.get(160) == other_options.get(66) == TOLD
    assert not {43, 66, 160} & laptop.keys(), "what is no phone is told nothing"


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_every_vendor_and_option_is_there(server: str) -> None:
    text = written(server)
    assert "Utrecht" in text and "own address" not in text
    assert "own address" in written(server, needs_own_address=True)
    assert ADDRESS in text and text.endswith("\n")
    for vendor in CATALOGUE.vendors.values():
        assert vendor.dhcp.options or not vendor.ouis, f"{vendor.id}: no phone of it would be found by DHCP"
        for option in set(vendor.dhcp.options) - {43}:
            assert re.search(rf"\b{option}\b", text) or NAMES[option] in text
        if server in {"dnsmasq", "isc", "kea", "windows"}:
            assert all(oui in re.sub("[:*]", "", text).lower() for oui in vendor.ouis)


def test_prefixes_are_those_of_the_catalogue() -> None:
    assert all(Mac.parse(f"{oui}000001").oui == oui for vendor in CATALOGUE.vendors.values() for oui in vendor.ouis)


def test_the_include_of_kea_is_json_without_its_remarks() -> None:
    lines = [line for line in written("kea").splitlines() if not line.lstrip().startswith("#")]
    told = json.loads("{" + "\n".join(lines) + "}")
    assert [entry["name"] for entry in told["client-classes"]] == [
        f"phones-{vendor.id}" for vendor in CATALOGUE.vendors.values() if vendor.ouis
    ]


@pytest.mark.parametrize(
    "address",
    [
        'http://a"; include "/etc/passwd":8080/', "http://a'b:8080/", "http://a\nport=53:8080/", "http://a$(reboot):8080/", "http://a,b:8080/",
        "http://a b:8080/", "http://user@a:8080/", "http://a:8080/x;", "ftp://a/", "http://a:8080", "", "http://" + "a" * 254 + "/", "http://ü:80/",
        "http://a:8080/\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("server", sorted(SERVERS))
def test_address_that_could_end_a_string_is_refused(server: str, address: str) -> None:
    with pytest.raises(InputError, match="PROVISIONER_PUBLIC_HOST"):
        dhcp_config(CATALOGUE, server, address)


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_name_of_a_site_stays_in_its_remark(server: str) -> None:
    plain = dhcp_config(CATALOGUE, server, ADDRESS, site="x")
    hostile = dhcp_config(CATALOGUE, server, ADDRESS, site='x\n"; } include "y" <?include "z"?> \u2028 $(id) `id` #')
    assert len(hostile.splitlines()) == len(plain.splitlines())
    assert not set('";<`$') & set(next(line for line in hostile.splitlines() if "For the site" in line))


def test_ipv6_address_and_name_are_taken() -> None:
    for address in ("http://[2001:db8::1]:8080/", "https://prov.example.com:8443/"):
        assert address in dhcp_config(CATALOGUE, "dnsmasq", address)


def test_unknown_server_names_those_that_there_are() -> None:
    with pytest.raises(InputError, match="dnsmasq, isc, kea, mikrotik, windows, pfsense"):
        dhcp_config(CATALOGUE, "udhcpd", ADDRESS)
