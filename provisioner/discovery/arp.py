"""ARP: hears which address a phone's MAC has, and asks for addresses in a sweep. Only MACs of makers in the catalogue are noted: the rest
of an office is nobody's business here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from scapy.error import Scapy_Exception
from scapy.layers.l2 import ARP

from provisioner.core.mac import Mac, try_parse
from provisioner.core.sightings import PROVEN, Observation, fact, maker_of
from provisioner.discovery import wire
from provisioner.discovery.limits import Recent
from provisioner.discovery.neighbours import neighbours
from provisioner.discovery.source import Surroundings
from provisioner.discovery.wire import Interface, PacketSocket

REPEAT_S = 60.0
BROADCAST = b"\xff" * 6
MOST_ANSWERS = 8192
_NOBODY = str(ipaddress.IPv4Address(0))
"""The sender of a probe (RFC 5227)."""
_HEAD = struct.Struct("!HHBB")


class Spoken(NamedTuple):
    """Who says in ARP that it has an address."""

    mac: Mac
    address: str


class ARPListener:
    """The source ``arp``."""

    name = "arp"

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._packets: PacketSocket | None = None
        self._known = Recent(REPEAT_S)

    def open(self) -> None:
        """Opens the socket. Raises ``Off``."""
        self._packets = self._around.packets(wire.ARP)

    def sockets(self) -> Sequence[socket.socket]:
        return [self._packets.socket] if self._packets else []

    def heard(self, ready: socket.socket) -> list[Observation]:
        """Reads who says what address it has."""
        del ready
        found: list[Observation] = []
        for frame in self._packets.frames() if self._packets else ():
            now = self._around.timer()
            if not self._around.hears(frame.interface) or not self._around.limit.allows(self.name, now):
                continue
            spoken = read_arp(frame.data)
            if spoken and maker_of(self._around.catalogue, spoken.mac) and self._known.is_new(spoken, now):
                found.append(Observation(spoken.mac, "arp", self._around.clock(), fact("address", spoken.address, PROVEN)))
        return found

    def tick(self) -> None:
        """Has nothing that comes due."""

    def close(self) -> None:
        if self._packets is not None:
            self._packets.close()


class Asks(Protocol):
    """Finds out who has which address."""

    def ask(self, address: str, interface: Interface) -> None: ...

    def answers(self) -> dict[str, Mac]: ...

    def close(self) -> None: ...


class Sweep:
    """Asks by ARP itself, with a socket of its own. Raises ``Off`` without the right to it."""

    def __init__(self, around: Surroundings) -> None:
        self._packets = around.packets(wire.ARP)
        self._found: dict[str, Mac] = {}

    def ask(self, address: str, interface: Interface) -> None:
        """Asks for one address on the interface that its network is on."""
        if interface.mac is None:
            return
        request = ARP(op=1, hwsrc=interface.mac.colons, psrc=interface.address, hwdst="00:00:00:00:00:00", pdst=address)
        with contextlib.suppress(OSError):  # the interface went down, or its queue is full: asked for again in the second round
            self._packets.send(bytes(request), interface.name, BROADCAST)

    def answers(self) -> dict[str, Mac]:
        """Returns address -> MAC of everyone heard since the last call."""
        while frames := list(self._packets.frames()):
            for spoken in (read_arp(frame.data) for frame in frames):
                if spoken and len(self._found) < MOST_ANSWERS:
                    self._found[spoken.address] = spoken.mac
        found, self._found = self._found, {}
        return found

    def close(self) -> None:
        self._packets.close()


class KernelAsks:
    """Asks without any right: a datagram to the discard port makes the kernel ask, and its table tells who answered."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ask(self, address: str, interface: Interface) -> None:
        """Has the kernel ask for one address."""
        del interface
        with contextlib.suppress(OSError):
            self._socket.sendto(b"", (address, 9))

    def answers(self) -> dict[str, Mac]:
        """Returns address -> MAC of every neighbour that the kernel knows."""
        return neighbours()

    def close(self) -> None:
        self._socket.close()


def read_arp(data: bytes) -> Spoken | None:
    """Returns who says in an ARP packet that it has an address, or None where nobody does."""
    if len(data) < 28 or _HEAD.unpack_from(data) != (1, 0x0800, 6, 4):
        return None
    try:
        packet = ARP(data[:28])
        mac, address = try_parse(packet.hwsrc), str(packet.psrc)
    except (Scapy_Exception, struct.error, ValueError):
        return None
    return Spoken(mac, address) if mac is not None and address != _NOBODY else None
