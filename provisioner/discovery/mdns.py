"""mDNS: hears what phones call themselves (RFC 6762). A name counts where it has a MAC of a maker in the catalogue in it, or where the catalogue
knows what a phone's name looks like and the sender's MAC is known. Nothing is asked and nothing answered.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator, Sequence

from provisioner.core.recognise import by_banner, mac_in
from provisioner.core.sightings import GUESSED, Observation, fact, maker_of
from provisioner.discovery.neighbours import neighbour
from provisioner.discovery.packets import DNS, Scapy_Exception
from provisioner.discovery.source import Off, Surroundings

GROUP, PORT = "224.0.0.251", 5353
LONGEST = 2048
MOST_RECORDS = 64
EACH_TURN = 64
REJOIN_S = 5.0
Records = list[tuple[str, str]]


class MDNSListener:
    """The source ``mdns``. It needs no right: any number of programs may hear the group."""

    name = "mdns"

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._socket: socket.socket | None = None
        self._join_at = 0.0

    def open(self) -> None:
        """Opens the socket. Raises ``Off``."""
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            made.bind((GROUP, PORT))
        except OSError as error:
            made.close()
            raise Off(f"{GROUP}:{PORT} cannot be taken ({error.strerror})") from error
        self._socket = made
        self._join()

    def sockets(self) -> Sequence[socket.socket]:
        return [self._socket] if self._socket else []

    def heard(self, ready: socket.socket) -> list[Observation]:
        """Reads announcements."""
        found: list[Observation] = []
        for _ in range(EACH_TURN):
            try:
                data, peer = ready.recvfrom(LONGEST)
            except OSError:
                break
            found += self.said(data, peer[0])
        return found

    def tick(self) -> None:
        """Joins the group on interfaces that are new, or came back."""
        if self._around.timer() >= self._join_at:
            self._join()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def said(self, data: bytes, peer: str) -> list[Observation]:
        """Returns what an announcement from ``peer`` tells of a phone."""
        if not self._around.limit.allows(self.name, self._around.timer()):
            return []
        records = read_announcement(data)
        text = "\n".join(value for record in records for value in record)
        mac, who = mac_in(text), by_banner(self._around.catalogue, text)
        mac = mac if mac is not None or who is None else neighbour(peer)
        if mac is None or not (who or maker_of(self._around.catalogue, mac)):
            return []
        name = next((own for own, _ in records if mac_in(own) == mac), records[0][0] if records else "")
        facts = (*(who.facts(GUESSED) if who else ()), *fact("address", peer, GUESSED), *fact("name", name.rstrip("."), GUESSED))
        return [Observation(mac, "mdns", self._around.clock(), facts)]

    def _join(self) -> None:
        self._join_at = self._around.timer() + REJOIN_S
        if self._socket is None:
            return
        for each in self._around.interfaces():
            with contextlib.suppress(OSError):  # a member already, as mostly, or an interface without multicast
                request = socket.inet_aton(GROUP) + socket.inet_aton(each.address)
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)


def read_announcement(data: bytes) -> Records:
    """Returns name and value of the records of a response, a bounded number; empty for a question, or nonsense."""
    try:
        message = DNS(data)
        return list(_records(message)) if message.qr == 1 else []
    except (Scapy_Exception, struct.error, ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError):
        return []  # scapy's dissectors raise any of these for what is malformed enough


def _records(message: DNS) -> Iterator[tuple[str, str]]:
    for section in (message.an, message.ar):
        for record in list(section or ())[:MOST_RECORDS]:
            value = getattr(record, "rdata", getattr(record, "target", b""))
            yield _text(getattr(record, "rrname", b"")), _text(value)


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(_text(item) for item in value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
