"""Packets as phones send them, and a packet socket that needs no right: a test puts packets in and reads what was sent."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from provisioner.core.mac import Mac
from provisioner.discovery.source import Surroundings
from provisioner.discovery.wire import Frame, Instruction

PEER = "192.168.1.77"
AGENTS = {
    "yealink": "Yealink SIP-T46U 108.86.0.90",
    "grandstream": "Grandstream GRP2614 1.0.5.67",
    "snom": "snomD120/10.1.39.11",
    "fanvil": "Fanvil X4 2.10.2.6887 {mac}",
}
TOLD = {"yealink": ("yealink", "T46U", "108.86.0.90"), "grandstream": ("Grandstream", "GRP2614", "1.0.5.67"),
        "snom": ("snom", "snomD120", "10.1.39.11"), "fanvil": ("Fanvil", "X4", "2.10.2.6887")}  # fmt: skip
USERS = {"yealink": "MAC{mac}", "grandstream": "MAC%3A{MAC}", "snom": "MAC%3a{mac}", "fanvil": "MAC{mac}"}


def subscribe(
    maker: str, mac: str, *, host: str = PEER, port: int = 5059, call: str = "", agent: str | None = None, contact: str = ""
) -> bytes:
    """Returns the SUBSCRIBE of a phone: the layout of the captures in the vendors' notes."""
    user = USERS[maker].format(mac=mac, MAC=mac.upper())
    vendor, model, version = TOLD[maker]
    lines = (
        f"SUBSCRIBE sip:{user}@224.0.1.75 SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{mac}",
        f"From: <sip:{user}@224.0.1.75>;tag={mac[-6:]}",
        f"To: <sip:{user}@224.0.1.75>",
        f"Call-ID: {call or f'15365{mac}'}@{host}",
        "CSeq: 1 SUBSCRIBE",
        f"Contact: {contact or f'<sip:{user}@{host}:{port}>'}",
        "Max-Forwards: 70",
        f"User-Agent: {(AGENTS[maker] if agent is None else agent).format(mac=mac)}",
        "Expires: 0",
        f'Event: ua-profile;profile-type="device";vendor="{vendor}";model="{model}";version="{version}"',
        "Accept: application/url",
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def ip_packet(payload: bytes, source: str = PEER, destination: str = "224.0.1.75", ports: tuple[int, int] = (5059, 5060)) -> bytes:
    """Returns an IPv4 packet with a UDP datagram in it; checksums are not looked at where packets are heard."""
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(destination) + udp


def dhcp_message(mac: str, kind: int, options: Sequence[tuple[int, bytes]], client: str = "0.0.0.0") -> bytes:
    """Returns a client's DHCP message (RFC 2131, 2)."""
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234, 0, 0) + socket.inet_aton(client) + bytes(12)
    told = b"".join(bytes([number, len(value)]) + value for number, value in ((53, bytes([kind])), *options))
    return head + bytes.fromhex(mac) + bytes(10 + 64 + 128) + b"\x63\x82\x53\x63" + told + b"\xff"


def arp_packet(mac: str, address: str = PEER) -> bytes:
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    return head + bytes.fromhex(mac) + socket.inet_aton(address) + bytes(6) + socket.inet_aton("192.168.1.1")


def lldp_frame(mac: str, maker: str, model: str, firmware: str) -> bytes:
    """Returns what a phone tells its neighbour: chassis by network address, port by MAC, and the inventory of LLDP-MED."""

    def tlv(kind: int, value: bytes) -> bytes:
        return struct.pack("!H", kind << 9 | len(value)) + value

    med = b"\x00\x12\xbb"
    parts = (
        tlv(1, b"\x05\x01" + socket.inet_aton(PEER)), tlv(2, b"\x03" + bytes.fromhex(mac)), tlv(3, b"\x00\x78"),
        tlv(5, f"{maker} phone".encode()), tlv(127, med + b"\x07" + firmware.encode()), tlv(127, med + b"\x09" + maker.encode()),
        tlv(127, med + b"\x0a" + model.encode()), tlv(0, b""),
    )  # fmt: skip
    return b"".join(parts)


def mdns_answer(name: str, address: str = PEER) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\x00"
    return struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0) + labels + struct.pack("!HHIH", 1, 1, 120, 4) + socket.inet_aton(address)


@dataclass
class FakePackets:
    """A packet socket in memory."""

    waiting: list[Frame] = field(default_factory=list)
    sent: list[tuple[bytes, str, bytes]] = field(default_factory=list)
    groups: list[tuple[int, bytes]] = field(default_factory=list)
    socket: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def frames(self) -> Iterator[Frame]:
        for _ in range(min(64, len(self.waiting))):
            yield self.waiting.pop(0)

    def send(self, data: bytes, interface: str, mac: bytes) -> None:
        self.sent.append((data, interface, mac))

    def hear_group(self, interface: int, mac: bytes) -> None:
        self.groups.append((interface, mac))

    def close(self) -> None:
        self.socket.close()


@dataclass
class FakeSurroundings(Surroundings):
    """Surroundings whose packet sockets are in memory."""

    made: list[FakePackets] = field(default_factory=list)

    def packets(self, protocol: int, program: Sequence[Instruction] = ()) -> Any:
        if not self.may_capture:
            return super().packets(protocol, program)
        self.made.append(FakePackets())
        return self.made[-1]


def frame(data: bytes, mac: str = "", interface: str = "eth0") -> Frame:
    return Frame(data, interface, Mac(mac) if mac else None)
