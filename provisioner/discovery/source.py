"""What a way of finding phones has to have, and what all of them are given."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from socket import socket
from typing import ClassVar, Protocol

from provisioner.core.catalogue import Catalogue
from provisioner.core.sightings import Observation
from provisioner.discovery import wire
from provisioner.discovery.limits import RateLimit

PER_SECOND, BURST = 200.0, 400.0
"""Packets that one source looks at: more in a second is no office, but a flood, and the rest of it goes unread."""
NEEDS_RAW = "it needs the right CAP_NET_RAW: run as root, or AmbientCapabilities=CAP_NET_RAW in systemd"


class Off(Exception):
    """The source cannot work here; the message says why, and the mend."""


@dataclass
class Surroundings:
    """What a source works with. Clocks are given, so that tests move them."""

    catalogue: Catalogue
    may_capture: bool
    chosen: Collection[str] = ()
    """Interfaces; empty for all."""
    clock: Callable[[], float] = time.time
    timer: Callable[[], float] = time.monotonic
    limit: RateLimit = field(default_factory=lambda: RateLimit(PER_SECOND, BURST))

    def interfaces(self) -> list[wire.Interface]:
        return wire.interfaces(self.chosen)

    def hears(self, interface: str) -> bool:
        """Returns whether what comes in by this interface counts."""
        return not self.chosen or interface in self.chosen

    def packets(self, protocol: int, program: Sequence[wire.Instruction] = ()) -> wire.PacketSocket:
        """Returns a packet socket. Raises ``Off`` without the right to it."""
        if not self.may_capture:
            raise Off(NEEDS_RAW)
        try:
            return wire.PacketSocket(protocol, program)
        except OSError as error:
            raise Off(f"a packet socket cannot be opened ({error.strerror})") from error


class Source(Protocol):
    """One way of finding phones. Only ``open`` raises, and only ``Off``; nothing that a stranger sends may get out of ``heard``."""

    name: str

    def open(self) -> None:
        """Opens the sockets."""
        ...

    def sockets(self) -> Sequence[socket]:
        """Returns the sockets to wait for."""
        ...

    def heard(self, ready: socket) -> list[Observation]:
        """Reads a bounded number of packets, answers what is to be answered, and returns what was seen."""
        ...

    def tick(self) -> None:
        """Does what is due; called about every tenth of a second."""
        ...

    def close(self) -> None:
        """Closes the sockets."""
        ...


class PacketListener(ABC):
    """A source that hears packets of one protocol on every interface that was chosen. Subclasses say what a packet tells."""

    name: str
    protocol: ClassVar[int]
    program: ClassVar[Sequence[wire.Instruction]] = ()

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._packets: wire.PacketSocket | None = None

    def open(self) -> None:
        """Opens the socket. Raises ``Off``."""
        self._packets = self._around.packets(self.protocol, self.program)

    def sockets(self) -> Sequence[socket]:
        return [self._packets.socket] if self._packets else []

    def heard(self, ready: socket) -> list[Observation]:
        """Reads what came, within the bound of one source."""
        del ready
        heard = (frame for frame in (self._packets.frames() if self._packets else ()) if self._around.hears(frame.interface))
        seen = (self.seen(frame) for frame in heard if self._around.limit.allows(self.name, self._around.timer()))
        return [each for each in seen if each is not None]

    @abstractmethod
    def seen(self, frame: wire.Frame) -> Observation | None:
        """Returns what a packet tells of a phone, or None where it tells nothing new, or is none of a phone."""

    def tick(self) -> None:
        """Has nothing that comes due."""
        return

    def close(self) -> None:
        if self._packets is not None:
            self._packets.close()
