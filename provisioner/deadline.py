"""A bound on a whole exchange with another server. What is asked and what becomes of it is the caller's.

The timeout of ``http.client`` is of one operation of the socket: a server that sends a byte now and then outlasts any of them.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self


class BoundedConnection(http.client.HTTPConnection):
    """A connection on which everything, from connecting to the last byte read, takes ``seconds`` at the most.

    To be used with ``with``; at its end it raises ``TimeoutError`` where the time was up, whatever came of the exchange by then. Only the
    look-up of a name is not bounded by it. ``address`` is connected to in place of the name; TLS is for the name.
    """

    def __init__(self, host: str, port: int | None, *, seconds: float, address: str = "", is_tls: bool = False) -> None:
        super().__init__(host, port or (443 if is_tls else 80), timeout=seconds)
        self.default_port = 443 if is_tls else 80
        self._peer, self._seconds = address or host, seconds
        self._tls = ssl.create_default_context() if is_tls else None
        self._copy: socket.socket | None = None
        self._is_over = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._timer.cancel()
        self.close()
        with self._lock:
            if self._copy is not None:
                self._copy.close()
        if self._is_over or isinstance(error, TimeoutError):  # one operation may have used up all the time, just before the timer
            raise TimeoutError(f"it was not done within {self.timeout:g} s") from error

    def connect(self) -> None:
        self.sock = self._connected()
        with self._lock:
            # A descriptor of our own: TLS puts another object in the socket's place, and http.client lets go of it before the body is read.
            self._copy = self.sock.dup()
            if self._is_over:
                raise TimeoutError
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)

    def _connected(self) -> socket.socket:
        """Returns a socket to the first address that answers; each has its share of the time that is left, so that a dead one hides no other."""
        found = socket.getaddrinfo(self._peer, self.port, type=socket.SOCK_STREAM)
        until = time.monotonic() + self._seconds
        failed: OSError = TimeoutError()
        for at, (family, kind, protocol, _name, address) in enumerate(found):
            made = socket.socket(family, kind, protocol)
            made.settimeout(max((until - time.monotonic()) / (len(found) - at), 0.01))
            try:
                made.connect(address)
            except OSError as error:
                made.close()
                failed = error
            else:
                made.settimeout(self._seconds)
                return made
        raise failed

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            if self._copy is not None:
                with suppress(OSError):  # the other side has ended it already
                    self._copy.shutdown(socket.SHUT_RDWR)
