"""A DHCP client of a few lines, run inside a network namespace: asks for a lease as a given phone would and prints what it was told.

It reads options off the wire, byte for byte: ready clients check option 66 as a host name and would not show an address. Started as
``python -m tests.dhcp.client DEVICE MAC VENDOR_CLASS_HEX``; prints a JSON object of option number -> hex digits of the acknowledgement.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time

MAGIC = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
ASKED = bytes([1, 3, 6, 43, 66, 160])


def packet(kind: int, mac: bytes, transaction: bytes, more: bytes) -> bytes:
    head = struct.pack("!BBBB4sHH16s", 1, 1, 6, 0, transaction, 0, 0x8000, b"")  # the answer is to be a broadcast
    options = b"".join(bytes([code, len(value)]) + value for code, value in ((53, bytes([kind])), (55, ASKED)))
    return head + mac.ljust(16, b"\0") + bytes(192) + MAGIC + options + more + b"\xff"


def options_of(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = data.index(MAGIC) + 4
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        length = data[at + 1]
        found[data[at]] = found.get(data[at], b"") + data[at + 2 : at + 2 + length]
        at += 2 + length
    return found


def exchange(sock: socket.socket, sent: bytes, transaction: bytes, kind: int, seconds: float) -> tuple[bytes, dict[int, bytes]]:
    """Sends until the answer of this kind is there; returns the address that it gives and its options."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sock.sendto(sent, ("255.255.255.255", 67))
        again = time.monotonic() + 2.0
        while (left := again - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                data = sock.recv(4096)
            except TimeoutError:
                break
            if data[4:8] == transaction and options_of(data).get(53) == bytes([kind]):
                return data[16:20], options_of(data)
    raise SystemExit(f"no answer of kind {kind} within {seconds:.0f} s")


def main(device: str, mac: str, vendor_class: str) -> None:
    hardware, transaction = bytes.fromhex(mac.replace(":", "")), os.urandom(4)
    identity = bytes.fromhex(vendor_class)
    more = bytes([60, len(identity)]) + identity if identity else b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        sock.bind(("0.0.0.0", 68))
        address, offer = exchange(sock, packet(DISCOVER, hardware, transaction, more), transaction, OFFER, 60.0)
        wanted = bytes([50, 4]) + address + bytes([54, 4]) + offer[54]
        _, told = exchange(sock, packet(REQUEST, hardware, transaction, more + wanted), transaction, ACK, 60.0)
    print(json.dumps({str(code): value.hex() for code, value in told.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:4])
