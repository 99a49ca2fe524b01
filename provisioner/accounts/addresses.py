"""Where a request comes from, as far as it can be believed: what limits guessing counts by it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def forwarded(peer: str, hops: Sequence[str], proxies: Sequence[str]) -> str:
    """Returns the nearest address that is no trusted proxy, going from the peer outwards."""
    networks = [ipaddress.ip_network(network) for network in proxies]
    for address in (peer, *reversed(hops)):
        parsed = _parsed(address)
        if parsed is None or not any(parsed in network for network in networks):
            return address if parsed is not None else peer
    return peer


def is_trusted(peer: str, proxies: Sequence[str]) -> bool:
    """Returns whether a peer is one of the proxies whose word is taken."""
    parsed = _parsed(peer)
    return parsed is not None and any(parsed in ipaddress.ip_network(network) for network in proxies)


def hops_of(header: str) -> list[str]:
    """Returns the addresses of an ``X-Forwarded-For``, the nearest last."""
    return [hop.strip() for hop in header.split(",") if hop.strip()]


def _parsed(address: str) -> _Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
