"""Where a webhook may go. A URL that a person gives must not make this server ask itself, or the machine's metadata service, in their name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

from provisioner.errors import ProvisionerError

METADATA = ipaddress.ip_network("fd00:ec2::254/128")
"""The metadata service of a machine at Amazon, which has an address of a private network; the others are link-local."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unreachable(ProvisionerError):
    """An address that a webhook may not go to, or that is none."""

    reason = "unreachable"


def address_for(host: str, port: int, allowed: Sequence[str]) -> str:
    """Returns the address to connect to. Raises ``Unreachable`` where the name has none, or any that is forbidden.

    The connection then goes to that address and not to the name again, whose next answer may be another one (DNS rebinding).
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"there is no address for {host[:100]}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for text in addresses:
        if not _is_open(ipaddress.ip_address(text.partition("%")[0]), allowed):
            raise Unreachable("it leads to this machine or to a link-local address; PROVISIONER_WEBHOOK_NETWORKS can allow that")
    return addresses[0]


def _is_open(address: Address, allowed: Sequence[str]) -> bool:
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if inner is not None:
        return _is_open(inner, allowed)
    if any(address in ipaddress.ip_network(network) for network in allowed):
        return True
    closed = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved
    closed = closed or address in METADATA
    return not closed and address not in ipaddress.ip_network("0.0.0.0/8")
