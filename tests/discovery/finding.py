"""How a phone fresh from its box finds a server: each way that phones have, as their firmware goes it. Every way returns an address, or nothing."""

from __future__ import annotations

import re
import select
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.discovery.packets import dhcp_message, subscribe

CLASSES = {
    "yealink": b"yealink",
    "grandstream": b"Grandstream GXP2170 dslforum.org",
    "polycom": b"\x00\x00\x36\x3d\x20\x01\x07Polycom\x02\x07VVX_411\x04\x0cSIP/6.4.6.24\xff",
}
SIP_NAMES = {"yealink": "Yealink SIP-{model} 108.86.0.90", "grandstream": "Grandstream {model} 1.0.11.57"}
"""Makers whose firmware asks the PnP group. Polycom's does not: phone_templates/polycom/SOURCES.md says what was looked at."""
PATIENCE_S = 60.0
AGAIN_S = 2.0
SCRIPT = """#!/bin/sh
case "$1" in bound|renew) ip address add "$ip/$mask" dev "$interface"; ip route add 224.0.0.0/4 dev "$interface";; esac
"""


@dataclass(frozen=True)
class Socket:
    """The wall socket of one phone: who it is, and the interface that it has in its host."""

    model: str
    mac: str
    interface: str = "eth0"

    @property
    def vendor(self) -> str:
        return self.model.partition("/")[0]

    @property
    def name(self) -> str:
        """Returns the model as the phone itself writes it."""
        return self.model.partition("/")[2].upper()

    def address(self) -> str:
        shown = subprocess.run(["ip", "-4", "-o", "address", "show", self.interface], check=True, capture_output=True, text=True).stdout
        found = re.search(r"inet ([0-9.]+)/", shown)
        assert found, shown
        return found[1]


def by_pnp(phone: Socket) -> str:
    """Asks the group, answers the NOTIFY, and returns the address in it; the host was given its own address by hand."""
    if phone.vendor not in SIP_NAMES:
        return ""
    own = phone.address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, phone.interface.encode())
        line.bind((own, 5059))
        asked = subscribe(phone.vendor, phone.mac, host=own, agent=SIP_NAMES[phone.vendor].format(model=phone.name))
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            line.sendto(asked, ("224.0.1.75", 5060))
            told = _notified(line)
            if told:
                return told
    return ""


def _notified(line: socket.socket) -> str:
    """Returns what the NOTIFY says, which may overtake the 200 (RFC 6665, 4.1.2.4). A PBX that heard the group as well would refuse here."""
    while select.select([line], [], [], AGAIN_S)[0]:
        data, server = line.recvfrom(4096)
        if data.startswith(b"NOTIFY "):
            head, _, body = data.partition(b"\r\n\r\n")
            line.sendto(b"SIP/2.0 200 OK\r\n" + b"\r\n".join(head.split(b"\r\n")[1:6]) + b"\r\nCSeq: 3 NOTIFY\r\n\r\n", server)
            return body.decode().strip()
        assert data.startswith(b"SIP/2.0 200"), data
    return ""


def by_dhcp(phone: Socket) -> str:
    """Gets a lease with the real udhcpc, and returns what option 160 or 66 of the answer on the wire says."""
    with _listening() as wire:
        _lease(phone)
        return next(_told(wire, phone.mac), "")


def by_proxy(phone: Socket) -> str:
    """Gets a lease that names no server, asks for the rest, and returns what the answers to that say."""
    with _listening() as wire:
        _lease(phone)
        own = phone.address()
        asked = dhcp_message(phone.mac, 8, [(60, CLASSES[phone.vendor]), (55, bytes([66, 160, 43]))], own)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            line.bind((own, 68))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, phone.interface.encode())
            line.sendto(asked, ("255.255.255.255", 67))
            return next(_told(wire, phone.mac), "")


WAYS: dict[str, Callable[[Socket], str]] = {"pnp": by_pnp, "dhcp": by_dhcp, "proxy": by_proxy}


def _lease(phone: Socket) -> None:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        options = ["-O", "66", "-O", "160", "-V", "", "-x", f"0x3c:{CLASSES[phone.vendor].hex()}"]
        subprocess.run(
            ["udhcpc", "-i", phone.interface, "-n", "-q", "-f", "-t", "10", "-T", "1", "-s", str(script), *options],
            check=True,
            timeout=60,
            capture_output=True,
        )


def _listening() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))


def _told(wire: socket.socket, mac: str) -> Iterator[str]:
    """Yields the addresses in the acknowledgements that arrive for this phone: option 160 before 66, as Polycom's look."""
    end = time.monotonic() + PATIENCE_S
    while (left := end - time.monotonic()) > 0 and select.select([wire], [], [], left)[0]:
        packet = wire.recv(2048)
        head = (packet[0] & 15) * 4
        message = packet[head + 8 :]
        if packet[9] != 17 or packet[head : head + 4] != struct.pack("!HH", 67, 68) or message[28:34].hex() != mac:
            continue
        options = dict(_options(message[240:]))
        if options.get(53) == b"\x05":
            value = options.get(160) or options.get(66) or b""
            if re.match(rb"https?://", value):
                yield value.rstrip(b"\0").decode()


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
