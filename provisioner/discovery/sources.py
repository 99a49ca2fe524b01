"""Which sources run with which settings: a new one is a file and a row here."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping

from provisioner.discovery.addresses import Addresses
from provisioner.discovery.arp import ARPListener
from provisioner.discovery.dhcp import DHCPListener
from provisioner.discovery.lldp import LLDPListener
from provisioner.discovery.mdns import MDNSListener
from provisioner.discovery.pnp import PORT, PnP
from provisioner.discovery.source import Source, Surroundings
from provisioner.settings import Settings
from provisioner.store import Store


def sources(settings: Settings, store: Store, around: Surroundings) -> list[Source]:
    """Returns the sources that the settings name, not opened yet."""
    addresses = Addresses(settings, store, around.clock, around.timer)
    makers: Mapping[str, Callable[[], Source]] = {
        "pnp": lambda: PnP(around, addresses, port_is_shared=_shares_port(settings)),
        "dhcp": lambda: DHCPListener(around, addresses if settings.dhcp_proxy else None),
        "arp": lambda: ARPListener(around),
        "mdns": lambda: MDNSListener(around),
        "lldp": lambda: LLDPListener(around),
    }
    # A proxy that does not hear answers nobody: switching it on switches hearing on.
    wanted = {*settings.discovery, *(["dhcp"] if settings.dhcp_proxy else [])}
    return [make() for name, make in makers.items() if name in wanted]


def _shares_port(settings: Settings) -> bool:
    bind = settings.sip_bind
    return settings.pbx == "bundled" and bind.port == PORT and ipaddress.ip_address(bind.host).is_unspecified
