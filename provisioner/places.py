"""At which site an address is: pure look-ups in the trusted networks of sites."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from provisioner.records import SiteRecord

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_PEERS = 65_536
_MAPPED = bytes(10) + b"\xff\xff"


class SiteFinder:
    """Tells at which site an address is: the one whose trusted networks say it most closely. Bounded as ``SiteRule``."""

    def __init__(self, records: Iterable[SiteRecord]) -> None:
        # Of two sites with the same network ``default`` comes first, then the order of their names: the same everywhere and every time.
        ordered = sorted(records, key=lambda record: (record.name != "default", record.name))
        self._names: dict[Network, tuple[str, ...]] = {}
        for record in ordered:
            for text in record.trusted_networks:
                network = ipaddress.ip_network(text)
                self._names[network] = tuple(dict.fromkeys((*self._names.get(network, ()), record.name)))
        self._networks = Networks(self._names)
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
            closest = self._networks.closest(peer)
            found = self._found[peer] = () if closest is None else self._names[closest]
        return found


class Networks:
    """Networks, laid out for looking up one address after another: in a boot storm every phone's is new."""

    def __init__(self, networks: Iterable[Network]) -> None:
        rows = sorted(((int(each.netmask), int(each.network_address), each) for each in networks), key=lambda row: -row[2].prefixlen)
        self._rows = {size: [row for row in rows if row[2].max_prefixlen == size * 8] for size in (4, 16)}

    def closest(self, peer: str) -> Network | None:
        """Returns the smallest network that ``peer``, an address as text, is in; None where it is in none."""
        packed = _packed(peer)
        address = int.from_bytes(packed, "big")
        for mask, first, network in self._rows.get(len(packed), ()):
            if address & mask == first:
                return network
        return None


def _packed(peer: str) -> bytes:
    """Returns the four or sixteen bytes of an address, those of IPv4 where it is one in the clothes of IPv6; empty where it is none."""
    try:
        if ":" not in peer:
            return socket.inet_pton(socket.AF_INET, peer)
        packed = socket.inet_pton(socket.AF_INET6, peer.partition("%")[0])
    except (OSError, ValueError):
        return b""
    return packed[12:] if packed.startswith(_MAPPED) else packed
