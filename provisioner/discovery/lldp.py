"""LLDP: hears what a phone tells its neighbour of itself (IEEE 802.1AB), with the inventory of LLDP-MED (ANSI/TIA-1057). A switch does not pass
these on: they arrive only where the phone's own port is that of this machine, or is mirrored to it.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from scapy.contrib.lldp import LLDPDU, LLDPDUChassisID, LLDPDUPortID, LLDPDUSystemDescription, LLDPDUSystemName
from scapy.error import Scapy_Exception

from provisioner.core.mac import Mac, try_parse
from provisioner.core.recognise import by_name
from provisioner.core.sightings import TOLD, Observation, fact, maker_of
from provisioner.discovery import wire
from provisioner.discovery.limits import Recent
from provisioner.discovery.source import Surroundings
from provisioner.discovery.wire import PacketSocket

GROUP_MAC = bytes.fromhex("0180c200000e")
REPEAT_S = 60.0
FOLLOW_S = 5.0
MOST = 64
_ORGANISATION, _MED = 127, b"\x00\x12\xbb"
_FIRMWARE, _SOFTWARE, _MAKER, _MODEL = 6, 7, 9, 10
_MAC_CHASSIS, _MAC_PORT = 4, 3
Told = dict[str, str]


class LLDPListener:
    """The source ``lldp``."""

    name = "lldp"

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._packets: PacketSocket | None = None
        self._known = Recent(REPEAT_S)
        self._hearing: set[int] = set()
        self._follow_at = 0.0

    def open(self) -> None:
        """Opens the socket. Raises ``Off``."""
        self._packets = self._around.packets(wire.LLDP)
        self.tick()

    def sockets(self) -> Sequence[socket.socket]:
        return [self._packets.socket] if self._packets else []

    def heard(self, ready: socket.socket) -> list[Observation]:
        """Reads what neighbours tell."""
        del ready
        found: list[Observation] = []
        for frame in self._packets.frames() if self._packets else ():
            now = self._around.timer()
            if self._around.hears(frame.interface) and self._around.limit.allows(self.name, now) and self._known.is_new(frame, now):
                found += self._told(frame.data)
        return found

    def tick(self) -> None:
        """Hears the group on interfaces that are new."""
        if self._around.timer() < self._follow_at or self._packets is None:
            return
        self._follow_at = self._around.timer() + FOLLOW_S
        for each in self._around.interfaces():
            if each.index not in self._hearing:
                self._hearing.add(each.index)
                try:
                    self._packets.hear_group(each.index, GROUP_MAC)
                except OSError:
                    self._hearing.discard(each.index)  # it went away just now

    def close(self) -> None:
        if self._packets is not None:
            self._packets.close()

    def _told(self, data: bytes) -> list[Observation]:
        mac, told = read_lldp(data)
        if mac is None:
            return []
        vendor = by_name(self._around.catalogue, told.get("maker", "") or told.get("description", "") or told.get("name", ""))
        if not vendor and not maker_of(self._around.catalogue, mac):
            return []
        facts = (
            *fact("vendor", vendor, TOLD),
            *fact("model", told.get("model"), TOLD),
            *fact("firmware", told.get("firmware"), TOLD),
            *fact("name", told.get("name"), TOLD),
        )
        return [Observation(mac, "lldp", self._around.clock(), facts)]


def read_lldp(data: bytes) -> tuple[Mac | None, Told]:
    """Returns the MAC that a neighbour names as its own, and what it tells; None where it names none, or the frame is nonsense."""
    try:
        unit = LLDPDU(data)
        layers = [layer for layer in (unit.getlayer(at) for at in range(MOST)) if layer is not None]
    except (Scapy_Exception, struct.error, ValueError, IndexError, KeyError, TypeError, AttributeError):
        return None, {}  # scapy's dissectors raise any of these for what is malformed enough
    mac: Mac | None = None
    told: Told = {}
    for layer in layers:
        if isinstance(layer, (LLDPDUChassisID, LLDPDUPortID)) and layer.subtype == (
            _MAC_CHASSIS if isinstance(layer, LLDPDUChassisID) else _MAC_PORT
        ):
            mac = mac or try_parse(str(layer.id))
        elif isinstance(layer, LLDPDUSystemName):
            told["name"] = _text(layer.system_name)
        elif isinstance(layer, LLDPDUSystemDescription):
            told["description"] = _text(layer.description)
    return mac, told | _inventory(data)


def _inventory(data: bytes) -> Told:
    """Returns what the TLVs of LLDP-MED tell: scapy has no names for them."""
    names = {_FIRMWARE: "firmware", _SOFTWARE: "firmware", _MAKER: "maker", _MODEL: "model"}
    told: Told = {}
    at = 0
    for _ in range(MOST):
        if at + 2 > len(data):
            break
        head = int.from_bytes(data[at : at + 2], "big")
        kind, value = head >> 9, data[at + 2 : at + 2 + (head & 0x1FF)]
        if kind == _ORGANISATION and len(value) > 4 and value[:3] == _MED and value[3] in names:
            told[names[value[3]]] = _text(value[4:])
        at += 2 + (head & 0x1FF)
    return told


def _text(value: bytes) -> str:
    return bytes(value).decode("utf-8", "replace").strip("\0 ")
