"""Waiting for datagrams on many sockets, until somebody ends it: epoll, and the pair of sockets that wakes it.

What does not live here: whose sockets they are and what came over them (``tftp``).
"""

from __future__ import annotations

import select
import socket

_EVENTS = 64  # sockets told of in one turn


class Waiting:
    """Tells which of the sockets that it watches have datagrams. ``end`` may be called from any thread or signal handler."""

    def __init__(self) -> None:
        self.is_over = False
        self._epoll = select.epoll()
        # Sockets rather than an eventfd: a late end() then meets a closed object, never a number that means another file by now.
        self._reader, self._writer = socket.socketpair()
        for sock in (self._reader, self._writer):
            sock.setblocking(False)
        self.watch(self._reader)

    def watch(self, sock: socket.socket) -> int:
        """Returns the number by which ``ready`` tells of ``sock``."""
        self._epoll.register(sock, select.EPOLLIN)
        return sock.fileno()

    def ready(self, wait_s: float) -> list[tuple[int, int]]:
        """Returns number and event of each socket that can be read, after ``wait_s`` seconds at the latest; -1 waits for ever."""
        return self._epoll.poll(wait_s, _EVENTS)

    def end(self) -> None:
        """Ends the waiting at once, and all that would follow."""
        self.is_over = True
        try:
            self._writer.send(b"x")
        except OSError:  # already closed, or already full of wake-ups
            return

    def close(self) -> None:
        """Gives back the descriptors; may be repeated."""
        self.is_over = True
        self._epoll.close()
        self._reader.close()
        self._writer.close()
