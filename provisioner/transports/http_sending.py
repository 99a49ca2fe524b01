"""An answer on its way: what the kernel did not take at once, and how long that may take."""

from __future__ import annotations

import os
from email.utils import formatdate
from http import HTTPStatus

from provisioner.core.values import FileAnswer, FileRequest
from provisioner.transports.http_reply import Reply
from provisioner.transports.http_wire import Wire

STALL_S = 30.0
"""The longest that a client may take nothing of its answer."""
GRACE_S = 60.0
SLOWEST_BYTES_S = 1024
"""After the grace it must have taken at least so much on the average: one byte now and then does not hold a connection for ever."""
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def head_of(reply: Reply) -> bytes:
    """Returns the first part of a reply's head: what is the same whenever, and to whomever, it is sent."""
    return f"{_LINES[reply.status]}{reply.fields}".encode("latin-1")


class Tails:
    """The ends of heads: the date, and whether the connection is kept."""

    def __init__(self) -> None:
        self._second = -1
        self._kept = self._closed = self._kept_old = b""

    def at(self, second: int) -> None:
        """Sets the clock, in whole seconds since the epoch."""
        if second != self._second:
            self._second = second
            date = f"Date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
            self._kept, self._closed, self._kept_old = (
                date + b"\r\n",
                date + b"Connection: close\r\n\r\n",
                date + b"Connection: keep-alive\r\n\r\n",
            )

    def tail(self, keep: bool, is_http_1_0: bool) -> bytes:
        """Returns the last lines of a head and the empty one."""
        return self._closed if not keep else self._kept_old if is_http_1_0 else self._kept


class Sending:
    """The rest of one answer. ``asked`` is None where the request is on record already."""

    __slots__ = ("_at", "_began", "_data", "_sent", "answer", "asked", "reply", "started")

    def __init__(self, rest: memoryview, reply: Reply, asked: FileRequest | None, answer: FileAnswer, started: float, now: float) -> None:
        self._data = rest
        self._at = reply.begin
        self._began = now
        self._sent = 0
        self.reply = reply
        self.asked = asked
        self.answer = answer
        self.started = started

    def push(self, wire: Wire) -> bool:
        """Gives the kernel what it takes; returns whether that was the last of it. Of a file it is one chunk: then it is the others' turn."""
        if self._data:
            count = wire.send(self._data)
            self._data = self._data[count:]
            self._sent += count
            if self._data:
                return False
        if self.reply.file < 0:
            return True
        count = wire.send_file(self.reply.file, self._at, self.reply.end)
        self._at += count
        self._sent += count
        return self._at >= self.reply.end

    def deadline(self, now: float) -> float:
        """Returns when to give up, unless more is taken until then."""
        return min(now + STALL_S, self._began + GRACE_S + self._sent / SLOWEST_BYTES_S)

    def body_bytes(self) -> int:
        """Returns how much of the body has left."""
        return self._at - self.reply.begin if self.reply.file >= 0 else max(0, len(self.reply.body) - len(self._data))

    def close(self) -> None:
        """Lets go of the file."""
        if self.reply.file >= 0:
            os.close(self.reply.file)
