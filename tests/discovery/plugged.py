"""A phone fresh from its box, in a host of its own: ``python -m tests.discovery.plugged`` finds a server by one of the ways that phones have,
fetches from it as its vendor's firmware does, and prints what came of it as JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.discovery.packets import dhcp_message, subscribe
from tests.phones.device import FIRMWARES, HTTPServer

CLASSES = {
    "yealink": b"yealink",
    "grandstream": b"Grandstream GXP2170 dslforum.org",
    "polycom": b"\x00\x00\x36\x3d\x20\x01\x07Polycom\x02\x07VVX_411\x04\x0cSIP/6.4.6.24\xff",
}
SIP_NAMES = {"yealink": "Yealink SIP-{model} 108.86.0.90", "grandstream": "Grandstream {model} 1.0.11.57"}
PATIENCE_S = 20.0
SCRIPT = """#!/bin/sh
case "$1" in bound|renew) ip address add "$ip/$mask" dev "$interface"; ip route add 224.0.0.0/4 dev "$interface";; esac
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--mac", required=True)
    parser.add_argument("--by", choices=["pnp", "dhcp", "proxy"], required=True)
    given = parser.parse_args()
    vendor = given.model.partition("/")[0]
    found = {"pnp": by_pnp, "dhcp": by_dhcp, "proxy": by_proxy}[given.by](vendor, given.model.partition("/")[2].upper(), given.mac)
    asked, config = fetched(given.model, given.mac, found) if found else ([], None)
    lines = [line.number for line in config.lines] if config else []
    sys.stdout.write(json.dumps({"found": found, "asked": asked, "url": config.url if config else "", "lines": lines}) + "\n")


def fetched(model: str, mac: str, url: str) -> tuple[list, object]:
    """Fetches from the address, and follows it to the phone's own one."""
    firmware = FIRMWARES[model.partition("/")[0]](model.partition("/")[2], mac)
    asked: list[tuple[str, int]] = []
    for _ in range(2):
        server = HTTPServer(url, firmware.user_agent, {}, "0.0.0.0")
        firmware.fetch(server)
        server.close()
        asked += server.asked
        if not server.read or firmware.config().url in ("", url):
            break
        url = firmware.config().url
    return asked, firmware.config() if asked and asked[-1][1] < 400 else None


def by_pnp(vendor: str, model: str, mac: str) -> str:
    """Asks the group, answers the NOTIFY, and returns the address in it; with the address that the host was given by hand."""
    own = own_address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((own, 5059))
        agent = SIP_NAMES[vendor].format(model=model)
        asked = subscribe(vendor, mac, host=own, agent=agent)
        end, accepted = time.monotonic() + PATIENCE_S, False
        while time.monotonic() < end:
            phone.sendto(asked, ("224.0.1.75", 5060))
            while select.select([phone], [], [], 2.0)[0]:
                data, server = phone.recvfrom(4096)
                accepted |= data.startswith(b"SIP/2.0 200")
                if data.startswith(b"NOTIFY "):
                    head, _, body = data.partition(b"\r\n\r\n")
                    phone.sendto(b"SIP/2.0 200 OK\r\n" + b"\r\n".join(head.split(b"\r\n")[1:6]) + b"\r\nCSeq: 3 NOTIFY\r\n\r\n", server)
                    assert accepted, "the 200 comes before the NOTIFY"
                    return body.decode().strip()
    return ""


def by_dhcp(vendor: str, model: str, mac: str) -> str:
    """Gets a lease with the real udhcpc, and returns what option 160 or 66 of the answer on the wire says."""
    with listening() as wire:
        lease(vendor)
        return next(told(wire, mac), "")


def by_proxy(vendor: str, model: str, mac: str) -> str:
    """Gets a lease that names no server, asks for the rest, and returns what the answers to that say."""
    with listening() as wire:
        lease(vendor)
        own = own_address()
        asked = dhcp_message(mac, 8, [(60, CLASSES[vendor]), (55, bytes([66, 160, 43]))], own)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            phone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            phone.bind((own, 68))
            phone.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
            phone.sendto(asked, ("255.255.255.255", 67))
            return next(told(wire, mac), "")


def lease(vendor: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script"
        script.write_text(SCRIPT)
        script.chmod(0o755)
        options = ["-O", "66", "-O", "160", "-V", "", "-x", f"0x3c:{CLASSES[vendor].hex()}"]
        subprocess.run(
            ["udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "10", "-T", "1", "-s", str(script), *options],
            check=True,
            timeout=60,
            capture_output=True,
        )


def listening() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))


def told(wire: socket.socket, mac: str) -> Iterator[str]:
    """Yields the addresses in the acknowledgements that arrive for this phone: option 160 before 66, as Polycom's look."""
    end = time.monotonic() + PATIENCE_S
    while (left := end - time.monotonic()) > 0 and select.select([wire], [], [], left)[0]:
        packet = wire.recv(2048)
        head = (packet[0] & 15) * 4
        message = packet[head + 8 :]
        if packet[9] != 17 or packet[head : head + 4] != struct.pack("!HH", 67, 68) or message[28:34].hex() != mac:
            continue
        options = dict(read(message[240:]))
        if options.get(53) == b"\x05":
            value = options.get(160) or options.get(66) or b""
            if re.match(rb"https?://", value):
                yield value.rstrip(b"\0").decode()


def read(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


def own_address() -> str:
    shown = subprocess.run(["ip", "-4", "-o", "address", "show", "eth0"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"inet ([0-9.]+)/", shown)
    assert found, shown
    return found[1]


if __name__ == "__main__":
    main()
