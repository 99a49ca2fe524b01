"""What a phone is told by PnP: its own address only where a first fetch would be served, never anything outside the trusted networks."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from provisioner.discovery.addresses import Addresses
from provisioner.discovery.pnp import AGAIN_S, GROUP_MAC, PnP, membership_report
from provisioner.discovery.wire import Frame
from tests.contract.inside import Inside
from tests.contract.world import Phone
from tests.discovery.packets import PEER, FakeSurroundings, ip_packet, subscribe
from tests.engines import Clock

BASE = "http://prov.example:8080/"


class Noting(PnP):
    """Keeps what it would send."""

    def __init__(self, around: FakeSurroundings, addresses: Addresses) -> None:
        super().__init__(around, addresses, port_is_shared=True, token=lambda: "0a0b0c")
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def _send(self, message: bytes, target: tuple[str, int]) -> None:
        self.sent.append((message, target))


class Line:
    """A PnP source, and a phone's end of the wire."""

    def __init__(self, around: FakeSurroundings, addresses: Addresses) -> None:
        self.source = Noting(around, addresses)
        self.source.open()
        self.packets = around.made[0]
        self.sent = self.source.sent

    def ask(self, data: bytes, peer: str = PEER, mac: str = "") -> list:
        self.packets.waiting.append(Frame(ip_packet(data, peer), "eth0", Mac(mac) if mac else None))
        return self.source.heard(self.packets.socket)

    def url(self) -> str:
        """Returns the address of the last NOTIFY; empty where none was sent."""
        notifies = [message for message, _ in self.sent if message.startswith(b"NOTIFY")]
        return notifies[-1].partition(b"\r\n\r\n")[2].decode().strip() if notifies else ""


@pytest.fixture
def line(around: FakeSurroundings, addresses: Addresses, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setattr("provisioner.discovery.pnp._igmp_socket", lambda: None)
    made = Line(around, addresses)
    yield made
    made.source.close()


def agent_of(phone: Phone) -> str:
    return f"Yealink SIP-{phone.model.partition('/')[2].upper()} 108.86.0.90"


def test_a_listed_phone_that_may_fetch_is_told_its_own_address(line: Line, own: Inside) -> None:
    phone = own.phone()
    (seen,) = line.ask(subscribe("yealink", phone.mac))
    accepted, target = line.sent[0]
    assert accepted.startswith(b"SIP/2.0 200 OK\r\n") and target == (PEER, 5059)
    assert line.url() == f"{BASE}p/{own.token(phone)}/"
    assert {fact.name: fact.value for fact in seen.facts}["model"] == "T46U"


def test_a_phone_whose_files_are_encrypted_is_told_the_plain_address(line: Line, own: Inside) -> None:
    site = own.site()
    own.installation.changes.update_site("test", site, {"settings": {"encrypt_files": True}})
    phone = own.phone(site=site)
    line.ask(subscribe("yealink", phone.mac))
    assert line.url() == BASE, "the key comes with a file, and at its own address it would lack it"


@pytest.mark.parametrize(
    "why", ["closed", "too late", "disabled", "token site", "other vendor", "other model", "conflict", "no User-Agent"]
)
def test_a_phone_that_may_not_fetch_is_told_the_plain_address(line: Line, own: Inside, why: str) -> None:
    phone = own.phone(site=own.site("token")) if why == "token site" else own.phone()
    asked = subscribe("yealink", phone.mac)
    if why == "closed":
        own.fetch(f"p/{own.token(phone)}/{phone.name}", phone.agent)
        own.recorder.flush()
    elif why == "too late":
        own.clock.now += 25 * 3600
    elif why == "disabled":
        own.installation.changes.update_phone("test", phone.mac, PhoneInput(enabled=False))
    elif why == "other vendor":
        asked = subscribe("grandstream", phone.mac)
    elif why == "other model":
        asked = subscribe("yealink", phone.mac, agent="Yealink SIP-T31P 124.86.0.40")
    elif why == "no User-Agent":
        asked = subscribe("yealink", phone.mac, agent="")
    elif why == "conflict":
        own.fetch(phone.name, "Grandstream Model HW GXP2170 SW 1.0.11.57 DevId " + phone.mac)
        own.recorder.flush()
    line.ask(asked)
    assert line.url() == BASE


def test_an_unknown_phone_is_told_the_plain_address_unless_no_phone_is_taken_in(line: Line, own: Inside, timer: Clock) -> None:
    line.ask(subscribe("yealink", "805ec0000001"))
    assert line.url() == BASE
    own.installation.changes.update_site("test", "default", {"enrolment": "never"})
    line.sent.clear()
    timer.now += 60
    line.ask(subscribe("yealink", "805ec0000002"))
    assert line.sent == []


def test_nobody_outside_the_trusted_networks_is_answered_or_noted(line: Line) -> None:
    """pnp-009."""
    assert line.ask(subscribe("yealink", "805ec0000001", host="198.51.100.7"), peer="198.51.100.7") == []
    assert line.sent == []


def test_one_address_that_asks_too_often_is_not_heard(line: Line) -> None:
    """pnp-009."""
    seen = [line.ask(subscribe("yealink", f"805ec0{number:06x}")) for number in range(50)]
    assert sum(map(bool, seen)) == 10
    assert line.ask(subscribe("yealink", "805ec0000001", host="192.168.1.78"), peer="192.168.1.78"), "another one is"


def test_a_request_from_another_mac_is_shown_and_not_answered(line: Line, own: Inside) -> None:
    """pnp-006."""
    phone = own.phone()
    (seen,) = line.ask(subscribe("yealink", phone.mac), mac="805ec0ffffff")
    assert line.sent == []
    assert {fact.name: fact.value for fact in seen.facts}["refused"] == "a request for it came from 80:5e:c0:ff:ff:ff"
    line.ask(subscribe("yealink", phone.mac), mac=phone.mac)
    assert line.url().startswith(f"{BASE}p/")


def test_nothing_goes_to_an_address_that_only_the_request_names(line: Line) -> None:
    line.ask(subscribe("yealink", "805ec0000001", contact="<sip:MAC805ec0000001@192.168.9.9:9>"))
    assert {target for _, target in line.sent} == {(PEER, 5059)}


def test_a_maker_without_pnp_is_noted_and_not_answered(line: Line) -> None:
    asked = subscribe("yealink", "64167f000001", agent="PolycomVVX-VVX_411-UA/6.4.6.2494").replace(b'vendor="yealink"', b'vendor="Polycom"')
    (seen,) = line.ask(asked)
    assert line.sent == [] and {fact.name: fact.value for fact in seen.facts}["vendor"] == "polycom"


def test_a_notify_is_sent_again_until_it_is_answered(line: Line, timer: Clock) -> None:
    line.ask(subscribe("yealink", "805ec0000001", call="c1"))
    line.ask(subscribe("yealink", "805ec0000001", call="c1"))
    assert [message[:6] for message, _ in line.sent] == [b"SIP/2.", b"NOTIFY", b"SIP/2."], "a repetition gets its 200 and no second NOTIFY"
    timer.now += AGAIN_S[0]
    line.source.tick()
    assert len(line.sent) == 4
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        answers = line.source.sockets()[1]
        phone.sendto(
            f"SIP/2.0 200 OK\r\nVia: x\r\nCall-ID: c1@{PEER}\r\nCSeq: 3 NOTIFY\r\n\r\n".encode(), ("127.0.0.1", answers.getsockname()[1])
        )
        answers.setblocking(True)
        answers.settimeout(0.5)
        line.source.heard(answers)
    timer.now += 100
    line.source.tick()
    assert len(line.sent) == 4


def test_a_notify_that_is_never_answered_ends(line: Line, timer: Clock) -> None:
    line.ask(subscribe("grandstream", "ec74d7000001"))
    for _ in range(20):
        timer.now += 10
        line.source.tick()
    assert len(line.sent) == 2 + len(AGAIN_S) and not line.source._pending


def test_the_group_is_joined_where_its_frames_come_in(line: Line) -> None:
    assert (1, GROUP_MAC) in line.packets.groups
    assert membership_report() == bytes.fromhex("160008b4e000014b")


def test_a_socket_of_the_group_is_heard_where_interfaces_are_chosen(line: Line) -> None:
    line.packets.waiting.append(Frame(ip_packet(subscribe("yealink", "805ec0000001")), "", None))
    assert line.source.heard(line.packets.socket)
    line.packets.waiting.append(Frame(ip_packet(subscribe("yealink", "805ec0000002")), "wlan0", None))
    assert line.source.heard(line.packets.socket) == [], "but not by an interface that was not"


def test_each_site_with_its_own_host_and_without(own: Inside, timer: Clock) -> None:
    from dataclasses import replace

    from provisioner.discovery.addresses import Asking

    bare = Addresses(replace(own.installation.settings, public_host=""), own.installation.store, own.clock, timer)
    own.installation.changes.update_site("test", "default", {"trusted_networks": ["127.0.0.0/8"]})
    assert bare.of(Asking(Mac("805ec0000001"), "127.0.0.1", "yealink")) == "http://127.0.0.1:8080/"
