"""ARP: hears which address a phone's MAC has, and asks for addresses in a sweep. Only MACs of makers in the catalogue are noted: the rest
of an office is nobody's business here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from typing import NamedTuple, Protocol

from provisioner.core.mac import Mac, try_parse
from provisioner.core.sightings import PROVEN, Observation, fact, maker_of
from provisioner.discovery import wire
from provisioner.discovery.limits import Recent
from provisioner.discovery.neighbours import neighbours
from provisioner.discovery.packets import ARP, Scapy_Exception
from provisioner.discovery.source import PacketListener, Surroundings
from provisioner.discovery.wire import Frame, Interface

REPEAT_S = 60.0
BROADCAST = b"\xff" * 6
_NOBODY = str(ipaddress.IPv4Address(0))
"""The sender of a probe (RFC 5227)."""
_HEAD = struct.Struct("!HHBB")


class Spoken(NamedTuple):
    """Who says in ARP that it has an address."""

    mac: Mac
    address: str


class ARPListener(PacketListener):
    """The source ``arp``."""

    name = "arp"
    protocol = wire.ARP

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._known = Recent(REPEAT_S)

    def seen(self, frame: Frame) -> Observation | None:
        """Returns who says what address it has."""
        spoken = read_arp(frame.data)
        if spoken is None or not maker_of(self._around.catalogue, spoken.mac):
            return None
        if not self._known.is_new(spoken.mac, self._around.timer(), spoken.address):
            return None
        return Observation(spoken.mac, "arp", self._around.clock(), fact("address", spoken.address, PROVEN))


class Asks(Protocol):
    """Finds out who has which address."""

    def begin(self) -> None: ...

    def ask(self, address: str, interface: Interface) -> None: ...

    def answers(self) -> dict[str, Mac]: ...

    def close(self) -> None: ...


class Sweep:
    """Asks by ARP itself, with a socket of its own. Raises ``Off`` without the right to it."""

    def __init__(self, around: Surroundings) -> None:
        self._packets = around.packets(wire.ARP)

    def begin(self) -> None:
        """Forgets what came in since the last scan: it tells who had an address then."""
        self._waiting()

    def ask(self, address: str, interface: Interface) -> None:
        """Asks for one address on the interface that its network is on."""
        if interface.mac is None:
            return
        request = ARP(op=1, hwsrc=interface.mac.colons, psrc=interface.address, hwdst="00:00:00:00:00:00", pdst=address)
        with contextlib.suppress(OSError):  # the interface went down, or its queue is full: asked for again in the second round
            self._packets.send(bytes(request), interface.name, BROADCAST)

    def answers(self) -> dict[str, Mac]:
        """Returns address -> MAC of everyone heard since the last call."""
        spoken = (read_arp(frame.data) for frame in self._waiting())
        return {each.address: each.mac for each in spoken if each is not None}

    def close(self) -> None:
        self._packets.close()

    def _waiting(self) -> list[Frame]:
        """Returns what came in; bounded, for in a flood there is always more."""
        found: list[Frame] = []
        while len(found) < wire.MOST_WAITING and (frames := list(self._packets.frames())):
            found += frames
        return found


class KernelAsks:
    """Asks without any right: a datagram to the discard port makes the kernel ask, and its table tells who answered."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def begin(self) -> None:
        """Has nothing to forget: the kernel keeps its table itself."""

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
