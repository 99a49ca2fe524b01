"""The kinds of DHCP server that configuration can be written for. What is written is ``dhcp``'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class DHCPServer(NamedTuple):
    """A kind of DHCP server; ``title`` is for people."""

    name: str
    title: str
    template: str


SERVERS: Mapping[str, DHCPServer] = {
    server.name: server
    for server in (
        DHCPServer("dnsmasq", "dnsmasq", "dnsmasq.conf.j2"),
        DHCPServer("isc", "ISC dhcpd", "isc.conf.j2"),
        DHCPServer("kea", "Kea", "kea.json.j2"),
        DHCPServer("mikrotik", "MikroTik RouterOS", "mikrotik.rsc.j2"),
        DHCPServer("windows", "Windows Server", "windows.ps1.j2"),
        DHCPServer("pfsense", "pfSense", "pfsense.txt.j2"),
    )
}
