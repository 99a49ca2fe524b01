"""A relay between the backend and Asterisk's manager interface: it counts what is asked, and can be cut."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes bytes both ways, in a thread of its own."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.asked = 0
        """Actions that were sent towards Asterisk."""
        self.is_cut = False
        self.says = b""
        """What whoever connects is told instead, and nothing more; empty: they are passed on."""
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._from_us: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._server, selectors.EVENT_READ)
        self._ends = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.getsockname()
        return str(host), int(port)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """While it is cut every connection is broken, and so is each new one."""
        self.is_cut = True
        yield
        self.is_cut = False

    @contextmanager
    def answering(self, text: bytes) -> Iterator[None]:
        """Something else is at the address, for as long as the block lasts: it says ``text`` to everybody, and hangs up."""
        self.says = text
        with self.cut():
            yield
        self.says = b""

    def close(self) -> None:
        self._ends = True
        self._thread.join()

    def _run(self) -> None:
        while not self._ends:
            for key, _ in self._selector.select(0.02):
                if key.fileobj is self._server:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._pairs:
                    self._pass(key.fileobj)
            if self.is_cut:
                for one in list(self._pairs):
                    self._end(one)
        for one in list(self._pairs):
            self._end(one)
        self._selector.close()
        self._server.close()

    def _accept(self) -> None:
        ours, _ = self._server.accept()
        if self.says:
            with suppress(OSError):
                ours.sendall(self.says)
            ours.close()
            return
        try:
            theirs = socket.create_connection(self._target)
        except OSError:
            ours.close()
            return
        self._from_us.add(ours)
        for one, other in ((ours, theirs), (theirs, ours)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass(self, one: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = one.recv(65536)
            self._pairs[one].sendall(data)
        self.asked += data.count(b"Action: ") if one in self._from_us else 0
        if not data:
            self._end(one)

    def _end(self, one: socket.socket) -> None:
        for each in (one, self._pairs.get(one)):
            if each is not None and self._pairs.pop(each, None) is not None:
                self._from_us.discard(each)
                with suppress(KeyError, ValueError):
                    self._selector.unregister(each)
                each.close()
