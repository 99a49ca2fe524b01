"""At which site an address is: pure look-ups in the trusted networks of sites."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from provisioner.records import SiteRecord

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PEERS = 65_536


class SiteFinder:
    """Tells at which site an address is: the one whose trusted networks say it most closely. Bounded as ``SiteRule``."""

    def __init__(self, records: Iterable[SiteRecord]) -> None:
        # Of two sites with the same network ``default`` comes first, then the order of their names: the same everywhere and every time.
        ordered = sorted(records, key=lambda record: (record.name != "default", record.name))
        self._networks = [(ipaddress.ip_network(text), record.name) for record in ordered for text in record.trusted_networks]
        self._found: dict[str, tuple[str, ...]] = {}

    def site_of(self, peer: str) -> str | None:
        """Returns the name of the site, or None where no site trusts the address."""
        return next(iter(self.sites_of(peer)), None)

    def sites_of(self, peer: str) -> tuple[str, ...]:
        """Returns the sites that say it equally closely, that of ``site_of`` first: several where they have the same network."""
        found = self._found.get(peer)  # one look: another thread may empty the table at any moment
        if found is None:
            if len(self._found) >= _PEERS:
                self._found.clear()
            closest = closest_network([network for network, _ in self._networks], peer)
            found = () if closest is None else tuple(dict.fromkeys(name for network, name in self._networks if network == closest))
            self._found[peer] = found
        return found


def closest_network(networks: Iterable[Network], peer: str) -> Network | None:
    """Returns the smallest network that ``peer``, an address as text, is in; None where it is in none."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    fitting = (network for network in networks if address.version == network.version and address in network)
    return max(fitting, key=lambda network: network.prefixlen, default=None)
