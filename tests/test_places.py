"""Which network an address is in: the same answer as the standard library's, and the smallest network first."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.places import Network, Networks

V4 = ("0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "127.0.0.0/8", "192.168.0.0/16")
V6 = ("::/0", "fc00::/7", "fd12::/16", "fe80::/10", "::1/128", "::ffff:0:0/96")


def slowly(networks: list[Network], peer: str) -> Network | None:
    """The same by the standard library alone."""
    address = ipaddress.ip_address(peer)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    fitting = [network for network in networks if network.version == address.version and address in network]
    return max(fitting, key=lambda network: network.prefixlen, default=None)


@given(
    st.lists(st.sampled_from(V4 + V6)),
    st.one_of(st.ip_addresses(), st.sampled_from(("10.1.2.3", "10.1.2.4", "::ffff:10.1.2.3", "fd12::1"))),
)
def test_the_closest_is_what_the_standard_library_finds(texts: list[str], address: object) -> None:
    networks = [ipaddress.ip_network(text) for text in texts]
    assert Networks(networks).closest(str(address)) == slowly(networks, str(address))


@pytest.mark.parametrize(
    "peer", ["", "unknown", "10.1.2", "10.1.2.3.4", "010.1.2.3", "10.1.2.3/8", "10.1.2.3\n", "\0", "::g", "1:2", " 10.1.2.3", "ü", "\ud800"]
)
def test_what_is_no_address_is_nowhere(peer: str) -> None:
    assert Networks(ipaddress.ip_network(text) for text in V4 + V6).closest(peer) is None


def test_a_zone_does_not_matter() -> None:
    assert Networks([ipaddress.ip_network("fe80::/10")]).closest("fe80::1%eth0") == ipaddress.ip_network("fe80::/10")
