"""The phones' listener: one thread, one epoll loop, all connections (docs/adr/0008 says why).

What lives here: accepting within bounds, telling connections what the kernel said, deadlines, stopping. What is said on a connection
is not known here.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import resource
import select
import socket
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable

from provisioner.transports.http_connection import Connection
from provisioner.transports.http_sending import Tails
from provisioner.transports.http_service import Service
from provisioner.transports.http_wire import PlainWire, TLSWire

log = logging.getLogger("provisioner.phones")

CONNECTIONS = 20_000
PER_ADDRESS = 2_048
"""Hundreds of phones behind one address are ordinary; proxies that are trusted are not counted."""
SPARE_FILES = 512
"""Descriptors kept for everything that is no connection: database, logs, static files under way."""
HELD_BYTES = 32 * 1024 * 1024
"""Of heads that are not whole yet, in all."""
ACCEPT_AT_ONCE = 128
SWEEP_S = 0.5
FULL_PAUSE_S = 0.2


class Listener:
    """Serves phones on one address until it is stopped."""

    def __init__(self, address: tuple[str, int], backlog: int, tls: ssl.SSLContext | None = None) -> None:
        """Takes the address; phones can connect from ``serve`` on. Raises ``OSError`` where it is taken."""
        self._socket = _bound(address)
        self._backlog = backlog
        self._tls = tls
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._wake, select.EPOLLIN)
        self._calls: deque[Callable[[], None]] = deque()
        self._connections: dict[int, Connection] = {}
        self._addresses: Counter[str] = Counter()
        self._most = min(CONNECTIONS, raised_file_limit() - SPARE_FILES)
        self._held = 0
        self._stop_at = math.inf
        self._accepts_again_at = math.inf
        self.now = time.monotonic()
        self.tails = Tails()
        self.is_stopping = False
        self._service: Service

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def serve(self, service: Service) -> None:
        """Serves until ``stop``, and until the answers under way are out or the time for that is over."""
        self._service = service
        self._socket.listen(self._backlog)
        self._poll.register(self._socket, select.EPOLLIN)
        sweep_at = 0.0
        while not (self.is_stopping and (not self._connections or self.now >= self._stop_at)):
            events = self._poll.poll(SWEEP_S)
            self._tick()
            for number, event in events:
                connection = self._connections.get(number)
                if connection is not None:
                    connection.ready(event)
                elif number == self._wake:
                    self._called()
                elif not self.is_stopping:  # told with this very event, its socket is closed by now
                    self._accept()
            if self.now >= sweep_at:
                sweep_at = self.now + SWEEP_S
                self._sweep()
        for connection in list(self._connections.values()):
            connection.close()

    def close(self) -> None:
        """Lets go of everything; after ``serve``, and when no other thread calls any more."""
        self._socket.close()
        self._poll.close()
        os.close(self._wake)

    def call(self, function: Callable[[], None]) -> None:
        """Has the serving thread call ``function`` soon. For any thread, and for signal handlers."""
        self._calls.append(function)
        os.eventfd_write(self._wake, 1)

    def stop(self, within_s: float) -> None:
        """Has ``serve`` take no more connections, and return once the answers under way are out, ``within_s`` seconds at most."""
        self.call(lambda: self._stop(within_s))

    # ---- for connections -----------------------------------------------------------------------------------------------

    def watch(self, connection: Connection, events: int) -> None:
        """Has the connection called for these events from now on."""
        if connection.events != events:
            connection.events = events
            self._poll.modify(connection.wire.fileno(), events)

    def forget(self, connection: Connection) -> None:
        """The connection is over; its socket is still open."""
        if self._connections.pop(connection.wire.fileno(), None) is not None:
            left = self._addresses[connection.peer] - 1
            if left > 0:
                self._addresses[connection.peer] = left
            else:
                del self._addresses[connection.peer]

    def may_hold(self, more: int) -> bool:
        """Counts bytes held for heads that are not whole yet; False where all connections together hold too many."""
        self._held += more
        return self._held <= HELD_BYTES

    # ---- the loop's own ------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.now = time.monotonic()
        self.tails.at(int(time.time()))

    def _called(self) -> None:
        os.eventfd_read(self._wake)
        for _ in range(len(self._calls)):
            self._calls.popleft()()

    def _stop(self, within_s: float) -> None:
        self.is_stopping = True
        self._stop_at = self.now + within_s
        self._socket.close()  # the kernel sends away who comes now, and who waits to be accepted
        for connection in list(self._connections.values()):
            connection.finish()

    def _accept(self) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                accepted, address = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no descriptor or no memory left; or the client is gone again, which costs nothing to try anew
                log.warning("event=accept_failed detail=%s", error.strerror)
                self._listen(False)
                return
            accepted.setblocking(False)
            if self._has_room(address[0]):
                self._welcome(accepted, address[0])
            else:
                accepted.close()

    def _has_room(self, address: str) -> bool:
        if self._addresses[address] >= PER_ADDRESS and not self._service.is_proxy(address):
            return False
        if len(self._connections) >= self._most:
            self._make_room()
        return len(self._connections) < self._most

    def _welcome(self, accepted: socket.socket, address: str) -> None:
        try:
            wire = PlainWire(accepted) if self._tls is None else TLSWire(accepted, self._tls)
        except OSError:  # gone already
            accepted.close()
            return
        connection = Connection(self, self._service, wire, address)
        self._connections[wire.fileno()] = connection
        self._addresses[address] += 1
        self._poll.register(wire.fileno(), select.EPOLLIN)

    def _make_room(self) -> None:
        """Ends the connections that have been idle longest: a phone whose kept connection is gone makes another."""
        idle = sorted((each for each in self._connections.values() if each.is_idle), key=lambda each: each.deadline)
        for connection in idle[: max(1, self._most // 50)]:
            connection.close()

    def _listen(self, on: bool) -> None:
        """Takes new connections, or lets them wait in the kernel's queue."""
        self._accepts_again_at = math.inf if on else self.now + FULL_PAUSE_S
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            self._poll.register(self._socket, select.EPOLLIN) if on else self._poll.unregister(self._socket)

    def _sweep(self) -> None:
        for connection in [each for each in self._connections.values() if each.deadline <= self.now]:
            connection.expire()
        if self.now >= self._accepts_again_at and not self.is_stopping:
            self._listen(True)


def _bound(address: tuple[str, int]) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a restart finds its own connections of before in the way
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it: an answer does not wait for another
        made.bind(address)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def raised_file_limit() -> int:
    """Returns how many descriptors this process may have open, after asking for as many as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft
