"""Multicast addresses with a port, as phones page each other by: one form for the key that speaks and the setting that listens."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address

EXAMPLE = "224.0.1.116:5001"
_FORM = re.compile(r"(?P<address>[0-9.]{7,15}):(?P<port>[0-9]{1,5})")


def multicast_mistake(text: str) -> str:
    """Returns why ``text`` is no address of a paging group, in one sentence; empty where it is one."""
    match = _FORM.fullmatch(text)
    if match is None:
        return f"a multicast address with its port is needed, for example {EXAMPLE}"
    try:
        address = IPv4Address(match["address"])
    except AddressValueError:
        return f"{match['address']} is no IPv4 address; for example {EXAMPLE}"
    if not address.is_multicast:
        return f"{match['address']} is no multicast address: they are 224.0.0.0 to 239.255.255.255"
    return "" if 1 <= int(match["port"]) <= 65535 else f"{match['port']} is no port: they are 1 to 65535"
