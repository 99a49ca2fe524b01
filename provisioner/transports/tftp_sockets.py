"""The UDP sockets of the TFTP server: the listening one, and those whose port numbers are our transfer identifiers (TIDs).

What does not live here: anything of TFTP. Sources: Linux udp(7), ip(7), ipv6(7); RFC 1123 section 4.2.3.5 (broadcast requests).
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable
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
_MEMINFO_DROPS = 8  # index in the nine 32-bit counters of SO_MEMINFO
_ANCILLARY_BYTES = socket.CMSG_SPACE(12) + socket.CMSG_SPACE(20)
_MAPPED = "::ffff:"


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
    """Returns a bound, non-blocking UDP socket; ``::`` takes IPv4 as well. Raises ``OSError`` and leaves nothing open."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Without "don't fragment": a phone behind a tunnel gets fragments even where the ICMP that asks for them is filtered.
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)
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
    """One port of ours, shared by transfers to any number of clients: client address and port tell them apart."""

    __slots__ = ("receive", "send", "sessions", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.receive = sock.recvfrom
        self.send = sock.sendto
        self.sessions: dict[Address, Session] = {}


class TidPool:
    """The TID sockets that answer from one own address. Every pair of ports stays unique, as RFC 1350 section 4 wants it."""

    def __init__(self, tids: list[Tid]) -> None:
        self.tids = tids
        self._turn = 0

    def free(self, client: Address) -> Tid | None:
        """Returns a socket that has no transfer to ``client`` yet, a different one each time so that late packets go astray; or None."""
        for _ in self.tids:
            self._turn = (self._turn + 1) % len(self.tids)
            if client not in self.tids[self._turn].sessions:
                return self.tids[self._turn]
        return None

    def of_client(self, client: Address) -> list[Session]:
        """Returns the transfers that are under way to ``client``."""
        return [tid.sessions[client] for tid in self.tids if client in tid.sessions]


class TidPools:
    """A pool per own address that phones ask, made when first needed; on an exact address there is just one."""

    def __init__(self, listener: Listener, limits: TFTPLimits, watch: Callable[[Tid], None]) -> None:
        """``watch`` is told of every socket made. Raises ``OSError`` where there are no sockets left."""
        self._listener = listener
        self._limits = limits
        self._watch = watch
        self._pools = {listener.any_own: self._open(listener.any_own)}

    def for_own(self, own: Address) -> TidPool:
        """Returns the pool that answers from ``own``; the shared one, whose source the kernel picks, past the bound on addresses."""
        pool = self._pools.get(own)
        if pool is not None:
            return pool
        if len(self._pools) > self._limits.local_addresses:
            return self._pools[self._listener.any_own]
        try:
            pool = self._open(own)
        except OSError:  # the address just left this host, or the descriptors are used up
            return self._pools[self._listener.any_own]
        self._pools[own] = pool
        return pool

    def _open(self, own: Address) -> TidPool:
        tids: list[Tid] = []
        try:
            for _ in range(self._limits.tid_sockets):
                tids.append(Tid(udp_socket(self._listener.family, own, self._limits.receive_buffer_bytes)))
        except OSError:
            for tid in tids:
                tid.sock.close()
            raise
        for tid in tids:
            self._watch(tid)
        return TidPool(tids)

    def close(self) -> None:
        """Closes every socket."""
        for pool in self._pools.values():
            for tid in pool.tids:
                tid.sock.close()
