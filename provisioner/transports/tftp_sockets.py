"""The UDP sockets of the TFTP server: the listening one, and those whose port numbers are our transfer identifiers (TIDs).

What does not live here: anything of TFTP. Sources: Linux udp(7), ip(7), ipv6(7); RFC 1123 section 4.2.3.5 (broadcast requests).
"""

from __future__ import annotations

import logging
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from provisioner.transports.tftp_session import Session, TFTPLimits

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address as ``recvfrom`` returns it."""

_LOG = logging.getLogger("provisioner.tftp")

# Linux numbers that the socket module of Python 3.11 lacks.
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IP_PMTUDISC_DONT = 0
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_SOL_UDP = 17
_UDP_SEGMENT = 103
_MEMINFO_DROPS = 8  # index in the nine 32-bit counters of SO_MEMINFO
_ANCILLARY_BYTES = socket.CMSG_SPACE(12) + socket.CMSG_SPACE(20)
_MAPPED = "::ffff:"
_SIZES = struct.Struct("=H")
_ACK_BYTES = 128  # an ACK has 4 bytes, and of an ERROR only the first two matter


def _can_segment() -> bool:
    """Returns whether this kernel cuts what it is given into datagrams (UDP_SEGMENT; Linux 4.18). One that does not know it would send it whole."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.setsockopt(_SOL_UDP, _UDP_SEGMENT, 512)
            return sock.getsockopt(_SOL_UDP, _UDP_SEGMENT) == 512
        except OSError:
            return False


_CAN_SEGMENT = _can_segment()


class NotForUsError(Exception):
    """The datagram went to a broadcast or multicast address: to be ignored in silence (RFC 1123 section 4.2.3.5)."""


def peer_text(address: Address) -> str:
    """Returns the IP address of ``address`` as text, without the scope of link-local and the prefix of mapped addresses."""
    return address[0].partition("%")[0].removeprefix(_MAPPED)


def grow_receive_buffer(sock: socket.socket, wanted: int) -> None:
    """Asks for ``wanted`` bytes of receive buffer, past ``net.core.rmem_max`` where that is allowed."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted)
    except OSError:  # without CAP_NET_ADMIN
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)


def warn_if_capped(sock: socket.socket, wanted: int) -> None:
    """Logs one WARNING where the system gave less receive buffer than ``wanted`` bytes: a boot storm will lose requests."""
    granted = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles, for its own overhead
    if granted < wanted:
        _LOG.warning(
            "event=tftp_receive_buffer_capped wanted_bytes=%d granted_bytes=%d requests_held=%d remedy='sysctl -w net.core.rmem_max=%d'",
            wanted, granted, 2 * granted // 768, wanted,
        )  # fmt: skip


def receive_drops(sock: socket.socket) -> int:
    """Returns how many datagrams the kernel dropped because the receive buffer of ``sock`` was full."""
    meminfo = sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36)
    return int(struct.unpack_from("=I", meminfo, 4 * _MEMINFO_DROPS)[0])


def udp_socket(family: socket.AddressFamily, address: Address, receive_buffer_bytes: int) -> socket.socket:
    """Returns a bound, non-blocking UDP socket; ``::`` takes IPv4 as well. Raises ``OSError`` and leaves nothing open.

    0 for ``receive_buffer_bytes`` leaves the buffers as the system makes them.
    """
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Without "don't fragment": a phone behind a tunnel gets fragments even where the ICMP that asks for them is filtered.
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)
        if receive_buffer_bytes:
            grow_receive_buffer(sock, receive_buffer_bytes)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, receive_buffer_bytes // 4)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """The socket that requests come to."""

    def __init__(self, host: str, port: int, receive_buffer_bytes: int) -> None:
        """Binds to ``host``, a name or an IPv4 or IPv6 address; raises ``OSError``."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)[0]
        self.family: socket.AddressFamily = found[0]
        self.sock = udp_socket(self.family, cast("Address", found[4]), receive_buffer_bytes)
        warn_if_capped(self.sock, receive_buffer_bytes)
        self.address: Address = self.sock.getsockname()
        self.any_own = cast("Address", (self.address[0], 0, *self.address[2:]))
        # Answers have to come from the address that was asked, or a phone discards them; on a host with several addresses the kernel
        # would pick one by its routes. So each own address gets TID sockets bound to it, and only requests, not ACKs, need PKTINFO:
        # 1.2 us more per request than recvfrom (measured), below 1 % of a transfer. Hence always on for a wildcard.
        self.is_wildcard = self.address[0] in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
        if self.is_wildcard:
            self.sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            if self.family == socket.AF_INET6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)

    def receive(self, size: int) -> tuple[bytes, Address, Address]:
        """Returns a datagram, its sender, and the own address it came to with port 0, ready to bind to.

        Raises ``BlockingIOError`` when there is none, and ``NotForUsError`` for one sent to a broadcast or multicast address.
        """
        if self.is_wildcard:
            datagram, ancillary, _flags, sender = self.sock.recvmsg(size, _ANCILLARY_BYTES)
            return datagram, sender, self._own_address(ancillary)
        datagram, sender = self.sock.recvfrom(size)
        return datagram, sender, self.any_own

    def _own_address(self, ancillary: list[tuple[int, int, bytes]]) -> Address:
        values = {(level, kind): value for level, kind, value in ancillary}
        ipv4 = values.get((socket.IPPROTO_IP, _IP_PKTINFO))
        if ipv4 is not None:
            if ipv4[4:8] != ipv4[8:12]:  # the address to answer from is not the one it went to
                raise NotForUsError
            return ((_MAPPED if self.family == socket.AF_INET6 else "") + socket.inet_ntoa(ipv4[8:12]), 0)
        ipv6 = values.get((socket.IPPROTO_IPV6, socket.IPV6_PKTINFO))
        if ipv6 is not None:
            if ipv6[0] == 0xFF:
                raise NotForUsError
            is_link_local = ipv6[:2] == b"\xfe\x80"
            return (socket.inet_ntop(socket.AF_INET6, ipv6[:16]), 0, 0, struct.unpack("=I", ipv6[16:20])[0] if is_link_local else 0)
        return self.any_own


class Tid:
    """One port of ours. A shared one serves any number of clients, told apart by address and port; a private one, one at a time.

    A private socket is connected to its client: kernel and Python then handle no address with each datagram, which saves a sixth of a
    transfer (measured on loopback: 9.1 against 11.1 us for a block and its ACK).
    """

    __slots__ = ("_post", "_receive", "_receive_from", "is_private", "only", "send", "sessions", "sock")

    def __init__(self, sock: socket.socket, *, is_private: bool = False) -> None:
        self.sock = sock
        self.is_private = is_private
        self._receive, self._receive_from = sock.recv, sock.recvfrom
        self._post, self.send = sock.send, sock.sendto
        self.sessions: dict[Address, Session] = {}
        self.only: Session | None = None  # the transfer whose client sends all that arrives from now on

    def next(self) -> tuple[Session | None, bytes]:
        """Returns the next datagram and the transfer that it is about, None for a stranger's; raises ``OSError``."""
        if self.only is not None:
            return self.only, self._receive(_ACK_BYTES)
        datagram, client = self._receive_from(_ACK_BYTES)
        return self.sessions.get(client), datagram

    def reply(self, session: Session, packet: bytes) -> None:
        """Sends ``packet`` to the client of ``session``; raises ``OSError``."""
        if self.only is not None:
            self._post(packet)
        else:
            self.send(packet, session.address)

    def send_window(self, window: Sequence[bytes], client: Address) -> None:
        """Sends the datagrams, all of one size but for a shorter last one; raises ``OSError``."""
        if len(window) > 1 and self._sent_as_one(window, client):
            return
        for packet in window:
            self.send(packet, client)

    def _sent_as_one(self, window: Sequence[bytes], client: Address) -> bool:
        """Hands the datagrams to the kernel as one, which cuts them where they leave, for a third of the cost (udp(7), UDP_SEGMENT).

        Returns False where the way there cannot take that, as with a shorter MTU or a card that computes no checksums.
        """
        if not _CAN_SEGMENT:
            return False
        try:
            self.sock.sendmsg(window, ((_SOL_UDP, _UDP_SEGMENT, _SIZES.pack(len(window[0]))),), 0, client)
        except BlockingIOError:
            raise
        except OSError:
            return False
        return True

    def prove(self, session: Session) -> None:
        """Takes note that the client was heard. Only now is no address needed: what came in before ``connect`` has been read."""
        self.only = session if self.is_private else None


class TidPool:
    """The TID sockets that answer from one own address. Every pair of ports stays unique, as RFC 1350 section 4 wants it."""

    def __init__(self, shared: list[Tid], private: list[Tid]) -> None:
        self.shared = shared
        self.tids = [*shared, *private]
        self._resting = deque(private)
        self._turn = 0
        self._clients: dict[Address, list[Session]] = {}

    def of_client(self, client: Address) -> Sequence[Session]:
        """Returns the transfers that are under way to ``client``."""
        return self._clients.get(client, ())

    def has_room(self, client: Address) -> bool:
        """Returns whether ``client`` may have one more transfer: it may have as many as there are shared sockets."""
        return len(self.of_client(client)) < len(self.shared)

    def lend(self, session: Session, client: Address) -> Tid:
        """Returns the socket for a transfer to ``client``, which must have room; to be given back with ``take_back``.

        A different one each time, so that late packets go astray: of the private ones, while they last, the one that rested longest.
        """
        tid = self._private_for(client) or self._shared_for(client)
        tid.sessions[client] = session
        self._clients.setdefault(client, []).append(session)
        return tid

    def take_back(self, tid: Tid, client: Address) -> None:
        """Forgets the transfer to ``client`` on ``tid``."""
        session = tid.sessions.pop(client)
        tid.only = None
        of_client = self._clients[client]
        of_client.remove(session)
        if not of_client:
            del self._clients[client]
        if tid.is_private:
            self._resting.append(tid)

    def _private_for(self, client: Address) -> Tid | None:
        if not self._resting:
            return None
        try:
            self._resting[0].sock.connect(client)
        except OSError:  # no way there: whatever is sent will fail as well
            return None
        return self._resting.popleft()

    def _shared_for(self, client: Address) -> Tid:
        while True:
            self._turn = (self._turn + 1) % len(self.shared)
            if client not in self.shared[self._turn].sessions:
                return self.shared[self._turn]


class TidPools:
    """A pool per own address that phones ask, made when first needed; on an exact address there is just one."""

    def __init__(self, listener: Listener, limits: TFTPLimits, watch: Callable[[Tid], None]) -> None:
        """``watch`` is told of every socket made. Raises ``OSError`` where there are no sockets left."""
        self._listener = listener
        self._limits = limits
        self._watch = watch
        self._private_left = limits.private_sockets
        # Under a wildcard this first set serves only addresses that came too late for one of their own.
        self._pools = {listener.any_own: self._open(listener.any_own, 0 if listener.is_wildcard else limits.private_sockets)}

    def for_own(self, own: Address) -> TidPool:
        """Returns the pool that answers from ``own``; the shared one, whose source the kernel picks, past the bound on addresses."""
        pool = self._pools.get(own)
        if pool is not None:
            return pool
        if len(self._pools) > self._limits.local_addresses:
            return self._pools[self._listener.any_own]
        try:
            pool = self._open(own, self._private_left // 2)  # most hosts have one address that phones ask, few have three
        except OSError:  # the address just left this host, or the descriptors are used up
            return self._pools[self._listener.any_own]
        self._pools[own] = pool
        return pool

    def _open(self, own: Address, private: int) -> TidPool:
        tids: list[Tid] = []
        try:
            for number in range(self._limits.tid_sockets + private):
                is_private = number >= self._limits.tid_sockets
                # One client's ACKs fit into any buffer.
                wanted = 0 if is_private else self._limits.receive_buffer_bytes
                tids.append(Tid(udp_socket(self._listener.family, own, wanted), is_private=is_private))
        except OSError:
            for tid in tids:
                tid.sock.close()
            raise
        self._private_left -= private
        for tid in tids:
            self._watch(tid)
        return TidPool(tids[: self._limits.tid_sockets], tids[self._limits.tid_sockets :])

    def close(self) -> None:
        """Closes every socket."""
        for pool in self._pools.values():
            for tid in pool.tids:
                tid.sock.close()
