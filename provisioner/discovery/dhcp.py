"""DHCP: hears what phones say of themselves when they ask for a lease, and, where that is switched on, tells them of the server.

As a proxy it answers DHCPINFORM alone (RFC 2131, 4.4.3), which phones send when their lease named no server. It never offers, never leases,
and never speaks to a client that the catalogue knows no address for.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Mapping

from provisioner.core.mac import Mac, try_parse
from provisioner.core.recognise import Recognised, by_enterprise, by_name, by_vendor_class, hints_of
from provisioner.core.sightings import TOLD, Observation, fact, maker_of
from provisioner.discovery.addresses import Addresses, Asking
from provisioner.discovery.limits import RateLimit
from provisioner.discovery.packets import BOOTP, DHCP, IP, UDP, Scapy_Exception
from provisioner.discovery.source import PacketListener, Surroundings
from provisioner.discovery.wire import IPV4, Datagram, Frame, datagram, local_address_to, udp_to

SERVER, CLIENT = 67, 68
DISCOVER, REQUEST, ACK, INFORM = 1, 3, 5, 8
HOST_NAME, REQUESTED, KIND, SERVER_ID, WANTED, VENDOR_CLASS, CLIENT_ID = 12, 50, 53, 54, 55, 60, 61
TFTP_NAME, VENDOR_IDENTIFYING, VENDOR_SPECIFIC, USER_CLASS = 66, 124, 125, 77
NOBODY = str(ipaddress.IPv4Address(0))
_PAD, _END = 0, 255
_COOKIE = b"\x63\x82\x53\x63"
_LONGEST_OPTIONS = 1236


class DHCPListener(PacketListener):
    """The source ``dhcp``; with ``addresses`` it is a proxy as well."""

    name = "dhcp"
    protocol = IPV4
    program = udp_to(SERVER)

    def __init__(self, around: Surroundings, addresses: Addresses | None = None) -> None:
        super().__init__(around)
        self._addresses = addresses
        self._answered = RateLimit(1.0, 5.0)

    def seen(self, frame: Frame) -> Observation | None:
        """Returns what a client says of itself, and answers it where it asks for that."""
        item = datagram(frame)
        return self._asked(item) if item is not None else None

    def _asked(self, item: Datagram) -> Observation | None:
        request = read_request(item.payload)
        if request is None:
            return None
        mac, address, options = request
        who = _who(self._around, options)
        if who is None and not maker_of(self._around.catalogue, mac):
            return None  # a laptop
        if self._addresses is not None and options.get(KIND) == bytes([INFORM]):
            self._tell(self._addresses, item, mac, address, options, who)
        said = who.facts(TOLD) if who else ()
        name = fact("name", options.get(HOST_NAME, b"").decode("latin-1"), TOLD)
        return Observation(mac, "dhcp", self._around.clock(), (*said, *name, *fact("address", address, TOLD)))

    def _tell(
        self, addresses: Addresses, item: Datagram, mac: Mac, address: str, options: Mapping[int, bytes], who: Recognised | None
    ) -> None:
        """Answers a client that has its lease and asks for the rest, with options alone."""
        vendor = who.vendor if who else maker_of(self._around.catalogue, mac)
        wanted = hints_of(self._around.catalogue, vendor).dhcp_options
        if not wanted or not address or self._packets is None or not self._answered.allows(mac, self._around.timer()):
            return
        # A lease is asked for by anybody in any name: by it alone nobody learns a token.
        url = addresses.of(Asking(mac, address, ""))
        own = local_address_to(address)
        if not url or not own:
            return
        told = {number: text.replace("{url}", url).replace("{mac}", mac) for number, text in wanted.items()}
        answer = acknowledged(item.payload, own, told, options.get(VENDOR_CLASS, b""))
        packet = IP(src=own, dst=address) / UDP(sport=SERVER, dport=CLIENT) / answer
        try:
            self._packets.send(bytes(packet), item.interface, bytes.fromhex(mac))
        except OSError:
            return  # the interface went down; the client asks again


def read_request(payload: bytes) -> tuple[Mac, str, dict[int, bytes]] | None:
    """Returns MAC, address (its own, or the one it asks for; perhaps empty) and options of a client's message, or None where it is none."""
    if len(payload) < 240 or payload[236:240] != _COOKIE:
        return None
    try:
        message = BOOTP(payload)
        client = message.ciaddr
    except (Scapy_Exception, struct.error, ValueError, IndexError, KeyError, TypeError, AttributeError):
        return None  # scapy's dissectors raise any of these for what is malformed enough
    mac = try_parse(payload[28:34].hex())
    if message.op != 1 or message.htype != 1 or message.hlen != 6 or mac is None:
        return None
    options = read_options(payload[240:])
    asked = options.get(REQUESTED, b"")
    address = client if client != NOBODY else socket.inet_ntoa(asked) if len(asked) == 4 else ""
    return mac, address, options


def read_options(data: bytes) -> dict[int, bytes]:
    """Returns number -> value; options that come in parts are joined (RFC 3396), what does not fit ends them."""
    found: dict[int, bytes] = {}
    at, data = 0, data[:_LONGEST_OPTIONS]
    while at < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        if at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            break
        found[data[at]] = found.get(data[at], b"") + data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return found


def acknowledged(request: bytes, server: str, told: Mapping[int, str], vendor_class: bytes) -> BOOTP:
    """Returns the DHCPACK to a DHCPINFORM: no address, no time, the options alone."""
    asked = BOOTP(request)
    options: list[object] = [("message-type", "ack"), ("server_id", server)]
    if vendor_class:
        options.append(("vendor_class_id", vendor_class))
    options += [_raw(number, text.encode("ascii", "replace")) for number, text in sorted(told.items())]
    head = BOOTP(op=2, xid=asked.xid, flags=asked.flags, ciaddr=asked.ciaddr, chaddr=request[28:44], siaddr=server)
    return head / DHCP(options=[*options, "end"])


def _raw(number: int, value: bytes) -> bytes:
    """Returns one option as it stands in a message: scapy takes what is bytes already as it is."""
    return bytes([number, len(value)]) + value


def _who(around: Surroundings, options: Mapping[int, bytes]) -> Recognised | None:
    """Returns who the options are of: the vendor class first, then the identifying ones, which few send."""
    found = by_vendor_class(around.catalogue, options[VENDOR_CLASS]) if VENDOR_CLASS in options else None
    for number in (VENDOR_IDENTIFYING, VENDOR_SPECIFIC):
        found = found or (by_enterprise(around.catalogue, options[number]) if number in options else None)
    if found is None and HOST_NAME in options:
        vendor = by_name(around.catalogue, options[HOST_NAME].decode("latin-1"))
        found = Recognised(vendor) if vendor else None
    return found
