"""SIP PnP: hears phones that ask a multicast group for a server, and tells those that may know.

With the right to packet sockets, the group is heard beside whatever holds port 5060, and without that program hearing it too: a PBX would
refuse what it does not know, and the phone would take that for the answer. Membership is then told to the switches by hand (IGMP, RFC 2236).
Without the right the port is taken as any program does, where the PBX leaves it free.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from provisioner.core import sip_pnp
from provisioner.core.mac import Mac
from provisioner.core.recognise import Recognised, by_name, by_user_agent, hints_of
from provisioner.core.sightings import GUESSED, SHOWN, TOLD, Fact, Observation, fact
from provisioner.core.sip_pnp import Subscribe
from provisioner.discovery.addresses import Addresses, Asking
from provisioner.discovery.limits import RateLimit, Recent
from provisioner.discovery.neighbours import neighbour
from provisioner.discovery.source import NEEDS_RAW, Off, Surroundings
from provisioner.discovery.wire import IPV4, Datagram, PacketSocket, datagram, local_address_to, udp_to

GROUP, PORT = "224.0.1.75", 5060
GROUP_MAC = bytes.fromhex("01005e00014b")
PENDING = 1024
"""NOTIFYs that may be without their answer."""
AGAIN_S = (0.5, 1.0, 2.0, 4.0)
"""Pauses before a NOTIFY is sent once more (RFC 3261, 17.1.2.2)."""
SAME_S = 32.0
"""The same SUBSCRIBE within this time is a repetition: it gets its 200, and no second NOTIFY beside the one under way."""
REPORT_EVERY_S = 60.0
"""Switches forget a member after 260 s (RFC 2236, 8.4)."""
REJOIN_S = 5.0
_IP_OPTIONS, _ROUTER_ALERT = 4, b"\x94\x04\x00\x00"


@dataclass(slots=True)
class _Pending:
    message: bytes
    target: tuple[str, int]
    sent: int
    due: float


class PnP:
    """The source ``pnp``. ``port_is_shared`` where the PBX of this machine holds the port on every address."""

    name = "pnp"

    def __init__(
        self,
        around: Surroundings,
        addresses: Addresses,
        *,
        port_is_shared: bool,
        token: Callable[[], str] = lambda: secrets.token_hex(6),
    ) -> None:
        self._around = around
        self._addresses = addresses
        self._port_is_shared = port_is_shared
        self._token = token
        self._each = RateLimit(1.0, 10.0)
        self._all = RateLimit(50.0, 100.0)
        self._known = Recent(SAME_S)
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._packets: PacketSocket | None = None
        self._group: socket.socket | None = None
        self._igmp: socket.socket | None = None
        self._answers: socket.socket | None = None
        self._joined: dict[str, str] = {}
        self._join_at = self._report_at = 0.0

    def open(self) -> None:
        """Opens the sockets. Raises ``Off``."""
        if self._around.may_capture:
            self._packets = self._around.packets(IPV4, udp_to(PORT, address=GROUP))
            self._igmp = _igmp_socket()
        elif self._port_is_shared:
            raise Off(f"the PBX holds port {PORT}, and to hear {GROUP} beside it {NEEDS_RAW}")
        else:
            self._group = _group_socket()
        self._answers = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._answers.setblocking(False)
        self._answers.bind(("", 0))
        self._join()

    def sockets(self) -> Sequence[socket.socket]:
        heard = self._packets.socket if self._packets else self._group
        return [each for each in (heard, self._answers) if each is not None]

    def heard(self, ready: socket.socket) -> list[Observation]:
        """Reads what came: SUBSCRIBEs of phones, or their answers to our NOTIFYs."""
        if ready is self._answers:
            for item in _received(ready):
                self._pending.pop(sip_pnp.answered_call(item.payload) or "", None)
            return []
        items = (datagram(frame) for frame in self._packets.frames()) if self._packets else _received(ready)
        # A socket of the group does not tell the interface: it is a member on those that were chosen, and on no other.
        seen = (self._subscribed(item) for item in items if item is not None and (not item.interface or self._around.hears(item.interface)))
        return [each for each in seen if each is not None]

    def tick(self) -> None:
        """Sends again what was not answered, and follows the interfaces."""
        now = self._around.timer()
        for call, item in list(self._pending.items()):
            if item.due > now:
                continue
            if item.sent > len(AGAIN_S):
                del self._pending[call]
                continue
            self._send(item.message, item.target)
            item.due = now + AGAIN_S[min(item.sent, len(AGAIN_S) - 1)]
            item.sent += 1
        if now >= self._report_at:
            self._report_at = now + REPORT_EVERY_S
            self._joined.clear()
        if now >= self._join_at:
            self._join()

    def close(self) -> None:
        for each in (self._packets, self._group, self._igmp, self._answers):
            if each is not None:
                each.close()

    # ---- who asks ------------------------------------------------------------------------------------------------------

    def _subscribed(self, item: Datagram) -> Observation | None:
        now = self._around.timer()
        if not self._addresses.trusts(item.peer[0]) or not self._all.allows("", now) or not self._each.allows(item.peer[0], now):
            return None
        request = sip_pnp.parse_subscribe(item.payload)
        if request is None:
            return None
        who = self._who(request)
        misfit = _misfit(request, who, item.mac or neighbour(item.peer[0]))
        if who is not None and not misfit:
            self._answer(request, item, who)
        # Said even where it is nothing: it takes the place of what was said before.
        refused = Fact("refused", misfit, SHOWN)
        return Observation(request.mac, "pnp", self._around.clock(), (*self._facts(request, item, who), refused))

    def _who(self, request: Subscribe) -> Recognised | None:
        """Returns who asks: by its User-Agent, else by its Event header, whose model is often another maker's short name."""
        agent = by_user_agent(self._around.catalogue, request.user_agent)
        if agent is not None:
            return agent._replace(firmware=agent.firmware or request.version)
        vendor = by_name(self._around.catalogue, request.vendor)
        return Recognised(vendor, request.model, request.version) if vendor else None

    def _facts(self, request: Subscribe, item: Datagram, who: Recognised | None) -> tuple[Fact, ...]:
        by_agent = by_user_agent(self._around.catalogue, request.user_agent) is not None
        said = who.facts(SHOWN if by_agent else TOLD) if who else Recognised(request.vendor, request.model, request.version).facts(GUESSED)
        return (*said, *fact("address", item.peer[0], SHOWN), *fact("user_agent", request.user_agent, SHOWN))

    # ---- what it is told -----------------------------------------------------------------------------------------------

    def _answer(self, request: Subscribe, item: Datagram, who: Recognised) -> None:
        hints = hints_of(self._around.catalogue, who.vendor)
        url = self._addresses.of(Asking(request.mac, item.peer[0], who.vendor, request.user_agent)) if hints.pnp_url else ""
        if not url or self._answers is None:
            return
        local = (local_address_to(item.peer[0]), self._answers.getsockname()[1])
        tag = self._token()
        self._send(sip_pnp.accepted(request, tag, local), item.peer)
        call = request.headers["call-id"]
        if not self._known.is_new((call, request.headers["cseq"]), self._around.timer()):
            return
        told = hints.pnp_url.replace("{url}", url).replace("{mac}", request.mac)
        message = sip_pnp.notified(request, told, tag, self._token(), local, event=hints.pnp_event, ends_line=hints.pnp_ends_line)
        # Never to an address that only the datagram names: whoever forges one would have us send to anybody.
        target = request.contact if request.contact and request.contact[0] == item.peer[0] else item.peer
        self._pending[call] = _Pending(message, target, 1, self._around.timer() + AGAIN_S[0])
        if len(self._pending) > PENDING:
            self._pending.popitem(last=False)
        self._send(message, target)

    def _send(self, message: bytes, target: tuple[str, int]) -> None:
        if self._answers is not None:
            with contextlib.suppress(OSError):  # no way to it, or no room: what matters is sent again
                self._answers.sendto(message, target)

    # ---- the group -----------------------------------------------------------------------------------------------------

    def _join(self) -> None:
        """Becomes a member on interfaces that are new, or have another address, and where it is time to say so again."""
        self._join_at = self._around.timer() + REJOIN_S
        for each in self._around.interfaces():
            if self._joined.get(each.name) == each.address:
                continue
            self._joined[each.name] = each.address
            with contextlib.suppress(OSError):  # a member already, or an interface without multicast
                if self._packets is not None:
                    self._packets.hear_group(each.index, GROUP_MAC)
                    self._report(each.address)
                elif self._group is not None:
                    request = socket.inet_aton(GROUP) + socket.inet_aton(each.address)
                    self._group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)

    def _report(self, address: str) -> None:
        if self._igmp is not None:
            self._igmp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            self._igmp.sendto(membership_report(), (GROUP, 0))


def membership_report() -> bytes:
    """Returns an IGMPv2 membership report for the group (RFC 2236, 2)."""
    group = socket.inet_aton(GROUP)
    total = sum(struct.unpack("!HHHH", struct.pack("!BBH", 0x16, 0, 0) + group))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!BBH", 0x16, 0, ~total & 0xFFFF) + group


def _misfit(request: Subscribe, who: Recognised | None, sender: Mac | None) -> str:
    """Returns in words why a request is not that of the phone it names; such a one is shown, and answered nothing."""
    if sender is not None and sender != request.mac:
        return f"a request for it came from {sender.colons}"
    if who is not None and who.mac is not None and who.mac != request.mac:
        return f"a request for it had the User-Agent of {who.mac.colons}"
    return ""


def _igmp_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_IP, _IP_OPTIONS, _ROUTER_ALERT)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # it only sends
    return made


def _group_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((GROUP, PORT))
    except OSError as error:
        made.close()
        raise Off(f"{GROUP}:{PORT} cannot be taken ({error.strerror}); to hear it beside what holds the port {NEEDS_RAW}") from error
    return made


def _received(ready: socket.socket) -> Iterator[Datagram]:
    for _ in range(64):
        try:
            data, peer = ready.recvfrom(sip_pnp.LONGEST + 1)
        except OSError:
            return
        yield Datagram(data, (peer[0], peer[1]))
