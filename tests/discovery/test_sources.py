"""The contract that every source keeps: it says why it is off, it outlives anything that is sent, it is bounded, and it names who it hears."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.core.sightings import Observation
from provisioner.discovery import mdns as mdns_module
from provisioner.discovery.addresses import Addresses
from provisioner.discovery.arp import ARPListener
from provisioner.discovery.dhcp import DHCPListener
from provisioner.discovery.lldp import LLDPListener, read_lldp
from provisioner.discovery.mdns import MDNSListener
from provisioner.discovery.pnp import PnP
from provisioner.discovery.source import Off, Source
from provisioner.discovery.wire import Interface
from tests.discovery.packets import PEER, FakeSurroundings, arp_packet, dhcp_message, frame, ip_packet, lldp_frame, mdns_answer, subscribe
from tests.engines import Clock

MAC = "805ec0a1b2c3"


@dataclass
class Case:
    """A source with the ways a test needs to speak to it."""

    source: Source
    hear: Callable[[bytes], list[Observation]]
    good: Callable[[str], bytes]
    """A packet of a phone with this MAC."""
    wrap: Callable[[bytes], bytes] = lambda data: data
    """What makes of a payload the packet that the filter lets through."""


def by_packets(around: FakeSurroundings, source: Source, good: Callable[[str], bytes], wrap: Callable[[bytes], bytes]) -> Case:
    source.open()
    packets = around.made[-1]

    def hear(data: bytes) -> list[Observation]:
        packets.waiting.append(frame(wrap(data)))
        return source.heard(packets.socket)

    return Case(source, hear, good, wrap)


def make(name: str, around: FakeSurroundings, addresses: Addresses) -> Case:
    if name == "pnp":
        source = PnP(around, addresses, port_is_shared=False)
        return by_packets(around, source, lambda mac: subscribe("yealink", mac), ip_packet)
    if name == "dhcp":
        return by_packets(
            around,
            DHCPListener(around, addresses),
            lambda mac: dhcp_message(mac, 1, [(60, b"yealink"), (12, b"SIP-T46U"), (55, b"\x01\x42")]),
            lambda data: ip_packet(data, "0.0.0.0", "255.255.255.255", (68, 67)),
        )
    if name == "arp":
        return by_packets(around, ARPListener(around), arp_packet, lambda data: data)
    if name == "lldp":
        return by_packets(around, LLDPListener(around), lambda mac: lldp_frame(mac, "Yealink", "T46U", "108.86.0.90"), lambda data: data)
    listener = MDNSListener(around)
    return Case(listener, lambda data: listener.said(data, PEER), lambda mac: mdns_answer(f"SIP-T46U-{mac}.local"))


NAMES = ("pnp", "dhcp", "arp", "lldp", "mdns")


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, around: FakeSurroundings, addresses: Addresses, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    monkeypatch.setattr("provisioner.discovery.pnp._igmp_socket", lambda: None)
    made = make(request.param, around, addresses)
    yield made
    made.source.close()


def test_it_names_the_phone_that_it_hears(case: Case) -> None:
    (seen,) = case.hear(case.good(MAC))
    facts = {fact.name: fact.value for fact in seen.facts}
    assert (seen.mac, seen.source) == (MAC, case.source.name)
    assert facts.get("vendor", "yealink") == "yealink"
    assert facts.get("address", PEER) == PEER or case.source.name == "dhcp"
    assert facts.get("model", "T46U") == "T46U"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(noise=st.binary(max_size=400), at=st.integers(0, 500))
def test_it_outlives_whatever_is_sent(case: Case, noise: bytes, at: int) -> None:
    good = case.good(MAC)
    for data in (noise, good[:at] + noise + good[at:], good[:at], good[:at] + noise):
        for seen in case.hear(data):
            assert all(len(fact.value) <= 200 and fact.value.isprintable() for fact in seen.facts)
        case.source.tick()


def test_a_flood_is_bounded_and_forgotten(case: Case, timer: Clock) -> None:
    heard = sum(len(case.hear(case.good(f"805ec0{number:06x}"))) for number in range(3000))
    assert heard <= 400, "one burst: the rest of a flood goes unread"
    sizes = [len(value) for value in vars(case.source).values() if hasattr(value, "__len__")]
    assert all(size <= 4096 for size in sizes)
    timer.now += 3600
    assert len(case.hear(case.good(MAC))) == 1, "and an hour later it hears again"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "mdns"])
def test_without_the_right_it_says_why_it_is_off(name: str, around: FakeSurroundings, addresses: Addresses) -> None:
    around.may_capture = False
    source = PnP(around, addresses, port_is_shared=True) if name == "pnp" else make_closed(name, around)
    with pytest.raises(Off, match="CAP_NET_RAW"):
        source.open()
    source.close()
    assert list(source.sockets()) == []


def make_closed(name: str, around: FakeSurroundings) -> Source:
    return {"dhcp": DHCPListener, "arp": ARPListener, "lldp": LLDPListener}[name](around)


def test_a_laptop_is_nobodys_business(around: FakeSurroundings, addresses: Addresses) -> None:
    assert make("arp", around, addresses).hear(arp_packet("f0def1000001")) == []
    message = dhcp_message("f0def1000001", 1, [(60, b"MSFT 5.0"), (12, b"LAPTOP-7")])
    assert make("dhcp", around, addresses).hear(message) == []
    assert make("lldp", around, addresses).hear(lldp_frame("f0def1000001", "Cumulus", "SN2700", "5.1")) == []
    assert make("mdns", around, addresses).hear(mdns_answer("laptop-f0def1000001.local")) == []


def test_an_interface_that_was_not_chosen_is_not_heard(around: FakeSurroundings, addresses: Addresses) -> None:
    made = make("arp", around, addresses)
    around.made[0].waiting.append(frame(arp_packet(MAC), interface="wlan0"))
    assert made.source.heard(around.made[0].socket) == []


def test_lldp_reads_what_fits_and_nothing_beyond() -> None:
    whole = lldp_frame(MAC, "Yealink", "T46U", "108.86.0.90")
    mac, told = read_lldp(whole)
    assert (mac, told) == (MAC, {"name": "Yealink phone", "firmware": "108.86.0.90", "maker": "Yealink", "model": "T46U"})
    assert all(read_lldp(whole[:length])[1].items() <= told.items() for length in range(len(whole)))
    organisation = b"\xfe\x08\x00\x12\xbb\x0aT46U"
    assert read_lldp(organisation * 10_000) == (None, {"model": "T46U"})
    assert read_lldp(b"\x00\x00" + whole) == (None, {}), "the end comes first"
    assert read_lldp(b"\x02\x07\x05" + bytes.fromhex(MAC)) == (None, {}), "a chassis that is named by something else"


@dataclass
class Counted(FakeSurroundings):
    """Surroundings that count how often the kernel is asked for the interfaces."""

    asked: int = 0

    def interfaces(self) -> list[Interface]:
        self.asked += 1
        return super().interfaces()


@pytest.mark.parametrize("name", ["pnp", "mdns", "lldp"])
def test_interfaces_are_followed_every_few_seconds(
    name: str, around: FakeSurroundings, addresses: Addresses, timer: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioner.discovery.pnp._igmp_socket", lambda: None)
    monkeypatch.setattr(mdns_module, "PORT", 0)
    counting = Counted(around.catalogue, may_capture=True, chosen=["lo"], clock=around.clock, timer=timer)
    source = MDNSListener(counting) if name == "mdns" else make(name, counting, addresses).source
    if name == "mdns":
        source.open()
    for _ in range(200):  # twenty seconds
        source.tick()
        timer.now += 0.1
    assert 4 <= counting.asked <= 6
    source.close()
    for packets in counting.made:
        packets.close()


def test_an_interface_that_came_back_is_joined_again(around: FakeSurroundings, timer: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdns_module, "PORT", 0)
    listener = MDNSListener(around)
    listener.open()
    (own,) = listener.sockets()
    group = socket.inet_aton(mdns_module.GROUP) + socket.inet_aton("127.0.0.1")
    own.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, group)
    timer.now += mdns_module.REJOIN_S
    listener.tick()
    with pytest.raises(OSError, match="in use"):
        own.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    listener.close()


def test_a_real_mdns_socket_takes_its_datagrams(around: FakeSurroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mdns_module, "PORT", 0)
    monkeypatch.setattr(mdns_module, "GROUP", "127.0.0.1")
    listener = MDNSListener(around)
    listener.open()
    (own,) = listener.sockets()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.sendto(mdns_answer(f"phone-{MAC}.local"), own.getsockname())
        own.setblocking(True)
        own.settimeout(10)
        (seen,) = listener.heard(own)[:1]
    assert seen.mac == MAC
    listener.tick()
    listener.close()
