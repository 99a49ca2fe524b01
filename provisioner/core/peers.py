"""Who stands behind the address that a request comes from."""

from __future__ import annotations

import ipaddress


def group_of(peer: str) -> str:
    """Returns what stands for one asker: an IPv4 address, or the /64 of an IPv6 one, for whoever has one has all of them."""
    if ":" not in peer:
        return peer
    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
