"""Sockets that hear what is not sent to a port of ours: packets of one protocol on every interface, filtered in the kernel; and the interfaces.

A packet socket (packet(7)) needs CAP_NET_RAW once, to be opened. It is bound to no interface, so that those which come later are heard too.
"""

from __future__ import annotations

import ctypes
import fcntl
import ipaddress
import socket
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from provisioner.core.mac import Mac, try_parse

IPV4, ARP, LLDP = 0x0800, 0x0806, 0x88CC
LONGEST = 2048
"""Bytes of a packet that are read: no phone sends more in one that matters here."""
EACH_TURN = 64
"""Packets read before others have their turn."""
BUFFER_BYTES = 512 * 1024
MOST_WAITING = 8192
"""More packets than wait in a socket's buffer: the kernel gives twice the bytes, and counts at least 256 of them for each packet."""
_SO_ATTACH_FILTER = 26
_PACKET_ADD_MEMBERSHIP, _MULTICAST, _SOL_PACKET = 1, 0, 263
_ADDRESS, _NETMASK, _HARDWARE = 0x8915, 0x891B, 0x8927
_ETHERNET = 1
_ACCEPT, _REFUSE = -1, -2
"""Jumps to the last two instructions of a filter."""

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, value: one instruction of the classic BPF (linux/filter.h)."""


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface with an IPv4 address of its own."""

    index: int
    name: str
    address: str
    network: ipaddress.IPv4Network
    mac: Mac | None


class Frame(NamedTuple):
    """A packet that was heard, without its Ethernet header."""

    data: bytes
    interface: str
    mac: Mac | None
    """Who put it on the wire: the phone, or a router on the way."""


class Datagram(NamedTuple):
    """A UDP datagram with where it came from."""

    payload: bytes
    peer: tuple[str, int]
    interface: str = ""
    mac: Mac | None = None


def interfaces(chosen: Collection[str] = ()) -> list[Interface]:
    """Returns the interfaces that have an IPv4 address, or those of them that are chosen; loopback only where it is chosen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        found = (_interface(probe, index, name) for index, name in socket.if_nameindex() if (name in chosen if chosen else name != "lo"))
        return [each for each in found if each is not None]


def _interface(probe: socket.socket, index: int, name: str) -> Interface | None:
    asked = struct.pack("256s", name.encode()[:15])
    try:
        address, netmask, hardware = (fcntl.ioctl(probe.fileno(), what, asked) for what in (_ADDRESS, _NETMASK, _HARDWARE))
    except OSError:
        return None  # it has no address, or is gone by now
    own, mask = socket.inet_ntoa(address[20:24]), socket.inet_ntoa(netmask[20:24])
    return Interface(index, name, own, ipaddress.IPv4Network(f"{own}/{mask}", strict=False), try_parse(hardware[18:24].hex()))


def may_capture() -> bool:
    """Returns whether this process may open packet sockets."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except OSError:  # no right to it, or the whole family is forbidden here
        return False
    return True


class PacketSocket:
    """Hears one protocol on every interface. Raises ``PermissionError`` without CAP_NET_RAW."""

    def __init__(self, protocol: int, program: Sequence[Instruction] = ()) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol))
        self._protocol = protocol
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        if program:
            _attach(self.socket, program)
            for _ in self.frames():  # what came in before the filter was there
                continue

    def frames(self) -> Iterator[Frame]:
        """Yields what was heard and not sent by this machine, a bounded number."""
        for _ in range(EACH_TURN):
            try:
                data, (interface, _, kind, _, mac) = self.socket.recvfrom(LONGEST)
            except OSError:
                return  # nothing more, or an interface went down
            if kind != socket.PACKET_OUTGOING:
                yield Frame(data, interface, try_parse(mac[:6].hex()))

    def send(self, data: bytes, interface: str, mac: bytes) -> None:
        """Sends a packet on one interface. Raises ``OSError`` where that is not possible now."""
        self.socket.sendto(data, (interface, self._protocol, 0, _ETHERNET, mac))

    def hear_group(self, interface: int, mac: bytes) -> None:
        """Makes an interface take frames to a multicast MAC, without any other program of this machine being handed them."""
        request = struct.pack("iHH8s", interface, _MULTICAST, 6, mac)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, request)

    def close(self) -> None:
        self.socket.close()


def udp_to(*ports: int, address: str = "") -> list[Instruction]:
    """Returns a filter that lets through whole UDP datagrams to one of the ports, and only to ``address`` where it is given (RFC 791, 768)."""
    body: list[Instruction] = [(0x30, 0, 0, 9), (0x15, 0, _REFUSE, socket.IPPROTO_UDP), (0x28, 0, 0, 6), (0x45, _REFUSE, 0, 0x1FFF)]
    if address:
        body += [(0x20, 0, 0, 16), (0x15, 0, _REFUSE, int.from_bytes(socket.inet_aton(address), "big"))]
    body += [(0xB1, 0, 0, 0), (0x48, 0, 0, 2)]
    body += [(0x15, _ACCEPT, 0, port) for port in ports[:-1]] + [(0x15, _ACCEPT, _REFUSE, ports[-1])]
    ends = {_ACCEPT: len(body), _REFUSE: len(body) + 1}
    steps = [(code, *(ends[to] - at - 1 if to in ends else to for to in jumps), value) for at, (code, *jumps, value) in enumerate(body)]
    return [(code, true, false, value) for code, true, false, value in steps] + [(0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0)]


def datagram(frame: Frame) -> Datagram | None:
    """Returns the UDP datagram of an IPv4 packet, or None where it is none, or not whole."""
    data = frame.data
    if len(data) < 28 or data[0] >> 4 != 4 or data[9] != socket.IPPROTO_UDP:
        return None
    head = (data[0] & 15) * 4
    if head < 20 or len(data) < head + 8:
        return None
    port, _, length = struct.unpack_from("!HHH", data, head)
    if length < 8 or len(data) < head + length:
        return None
    return Datagram(data[head + 8 : head + length], (socket.inet_ntoa(data[12:16]), port), frame.interface, frame.mac)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def _attach(sock: socket.socket, program: Sequence[Instruction]) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(_Program(len(program), ctypes.addressof(code))))


def local_address_to(peer: str) -> str:
    """Returns the address of this machine that ``peer`` reaches it by; empty where there is no way to it. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""
