"""LLDP: hears what a phone tells its neighbour of itself (IEEE 802.1AB), with the inventory of LLDP-MED (ANSI/TIA-1057). A switch does not pass
these on: they arrive only where the phone's own port is that of this machine, or is mirrored to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.core.mac import Mac, try_parse
from provisioner.core.recognise import by_name
from provisioner.core.sightings import TOLD, Observation, fact, maker_of
from provisioner.discovery import wire
from provisioner.discovery.limits import Recent
from provisioner.discovery.source import PacketListener, Surroundings
from provisioner.discovery.wire import Frame

GROUP_MAC = bytes.fromhex("0180c200000e")
REPEAT_S = 60.0
FOLLOW_S = 5.0
MOST = 64
"""TLVs of a frame that are looked at."""
_END, _NAME, _DESCRIPTION, _ORGANISATION = 0, 5, 6, 127
_MAC_IDS = {(1, 4), (2, 3)}
"""Kind and subtype of the TLVs that name a MAC: chassis and port (IEEE 802.1AB, 8.5.2 and 8.5.3)."""
_MED = b"\x00\x12\xbb"
_INVENTORY = {6: "firmware", 7: "firmware", 9: "maker", 10: "model"}
"""Subtype of LLDP-MED -> what it tells; the software's version, which comes after that of the firmware, counts (ANSI/TIA-1057, 10.2.6)."""
Told = dict[str, str]


class LLDPListener(PacketListener):
    """The source ``lldp``."""

    name = "lldp"
    protocol = wire.LLDP

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._known = Recent(REPEAT_S)
        self._hearing: set[int] = set()
        self._follow_at = 0.0

    def open(self) -> None:
        """Opens the socket, and hears the group. Raises ``Off``."""
        super().open()
        self.tick()

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

    def seen(self, frame: Frame) -> Observation | None:
        """Returns what a neighbour tells."""
        if not self._known.is_new(frame.mac, self._around.timer(), frame.data):
            return None
        mac, told = read_lldp(frame.data)
        vendor = by_name(self._around.catalogue, told.get("maker", "") or told.get("description", "") or told.get("name", ""))
        if mac is None or not (vendor or maker_of(self._around.catalogue, mac)):
            return None
        facts = (
            *fact("vendor", vendor, TOLD),
            *fact("model", told.get("model"), TOLD),
            *fact("firmware", told.get("firmware"), TOLD),
            *fact("name", told.get("name"), TOLD),
        )
        return Observation(mac, "lldp", self._around.clock(), facts)


def read_lldp(data: bytes) -> tuple[Mac | None, Told]:
    """Returns the MAC that a neighbour names as its own, None where it names none, and what it tells; nonsense tells nothing."""
    mac: Mac | None = None
    told: Told = {}
    for kind, value in _tlvs(data):
        if len(value) == 7 and (kind, value[0]) in _MAC_IDS:
            mac = mac or try_parse(value[1:].hex())
        elif kind == _NAME:
            told["name"] = _text(value)
        elif kind == _DESCRIPTION:
            told["description"] = _text(value)
        elif kind == _ORGANISATION and len(value) > 4 and value[:3] == _MED and value[3] in _INVENTORY:
            told[_INVENTORY[value[3]]] = _text(value[4:])
    return mac, told


def _tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields kind and value, a bounded number; what does not fit ends them."""
    at = 0
    for _ in range(MOST):
        head = int.from_bytes(data[at : at + 2], "big")
        kind, end = head >> 9, at + 2 + (head & 0x1FF)
        if kind == _END or end > len(data):
            return
        yield kind, data[at + 2 : end]
        at = end


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace").strip("\0 ")
