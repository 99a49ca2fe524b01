"""One phone's connection: requests in, answers out, one at a time and in their order.

Nothing here waits. The listener calls when bytes came, when the kernel takes more, and when the deadline is over; each call does what can be
done at once. While an answer is on its way nothing more is read: a client that does not take its answers can send no further requests, and
what waits for it is one answer.
"""

from __future__ import annotations

import math
import time
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from typing import Protocol, cast

from provisioner.core.values import FileAnswer, FileRequest, Method, Reason
from provisioner.transports.http_reply import METHODS, UNCONDITIONAL, Reply, refusal
from provisioner.transports.http_request import BadHead, Fields, Head, check_begin
from provisioner.transports.http_sending import Sending, Tails, head_of
from provisioner.transports.http_service import Service, Settled
from provisioner.transports.http_uploads import BODY_S, Upload
from provisioner.transports.http_wire import Wire

HEAD_S = 15.0
"""From the first byte of a request to the last of its head; and from the connection, TLS included, to the first byte."""
IDLE_S = 60.0
LINGER_S = 2.0
LINGER_BYTES = 262_144
"""What is still read, and thrown away, of a request that was refused: a client that is cut off while it sends may never see why."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Poll(Protocol):
    """What a connection asks of its listener."""

    now: float
    """Monotonic, of this turn of the loop."""
    tails: Tails
    is_stopping: bool

    def watch(self, connection: Connection, events: int) -> None:
        """Has the connection called for these events from now on."""

    def forget(self, connection: Connection) -> None:
        """The connection is over."""

    def may_hold(self, more: int) -> bool:
        """Counts bytes held for heads that are not whole yet; False where all connections together hold too many."""


class Connection:
    """A connection, from accept to close."""

    __slots__ = (
        "_buffer", "_is_busy", "_is_closed", "_is_old", "_keep", "_linger", "_poll", "_sending", "_service", "_subject", "_unread",
        "_upload", "deadline", "events", "peer", "wire",
    )  # fmt: skip

    def __init__(self, poll: Poll, service: Service, wire: Wire, peer: str) -> None:
        self._poll = poll
        self._service = service
        self.wire = wire
        self.peer = peer
        self.deadline = poll.now + HEAD_S
        self.events = EPOLLIN
        self._buffer = b""
        self._sending: Sending | None = None
        self._upload: Upload | None = None
        self._subject: str | None = "" if wire.scheme == "http" else None
        self._is_busy = False  # Flask has the upload
        self._is_closed = False
        self._is_old = False  # the last request was of HTTP/1.0
        self._keep = True
        self._unread = False  # the client may still be sending what we did not want
        self._linger = -1

    @property
    def is_idle(self) -> bool:
        """True while no request is under way, not even a part of one."""
        return not (self._buffer or self._sending or self._upload or self._is_busy or self._linger >= 0)

    def ready(self, events: int) -> None:
        """Does what can be done, now that the poll said ``events``."""
        try:
            if self._sending is not None:
                self._push(self._sending)
            elif not self._is_busy:
                self._receive()  # tells an error and a hang-up too
            elif events & (EPOLLERR | EPOLLHUP):
                self.close()
        except OSError:
            self.close()

    def expire(self) -> None:
        """Ends it, its deadline being over."""
        try:
            if self._upload is not None:
                self._cut(self._upload, Reason.ABORTED)
            elif self._buffer and self._sending is None and self._linger < 0:
                self._refuse(refusal(Reason.ABORTED))
            else:
                self.close()
        except OSError:
            self.close()

    def finish(self) -> None:
        """Lets it end with the answer that is under way, for the server stops."""
        self._keep = False
        if self.is_idle:
            self.close()

    def close(self) -> None:
        """Ends it at once; what was under way is recorded as broken off."""
        if self._is_closed:
            return
        self._is_closed = True
        sending, upload, self._sending, self._upload = self._sending, self._upload, None, None
        if sending is not None:
            sending.close()
            self._note(sending.asked, sending.answer, Reason.ABORTED, sending.body_bytes(), sending.started)
        if upload is not None:
            upload.release()
            self._note(upload.asked, upload.answer, Reason.ABORTED, len(upload.body), upload.started)
        self._poll.may_hold(-len(self._buffer))
        self._poll.forget(self)
        self.wire.close()

    # ---- requests in ---------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        data = self.wire.receive()
        while data:
            self._take(data)
            # TLS may have read more from the kernel than it gave, and the poll does not know of that.
            if self._is_closed or self._sending is not None or self._is_busy or not self.wire.pending():
                return
            data = self.wire.receive()
        if data is not None:
            self.close()  # nothing is under way, and nothing more will come

    def _take(self, data: bytes) -> None:
        if self._linger >= 0:
            self._linger -= len(data)
            if self._linger < 0:
                self.close()
        elif self._upload is not None:
            self._feed(self._upload, data)
        else:
            self._read(self._buffer + data if self._buffer else data)

    def _read(self, data: bytes) -> None:
        """Answers the requests in ``data`` until one of them takes longer; keeps what is left."""
        service = self._service
        while data:
            started = time.perf_counter()
            settled = service.settled(data, self.peer) if self._subject == "" else None
            quick = service.heads.quick(data) if settled is None else None
            if settled is not None:
                data = b""
                self._send_settled(settled, started)
            elif quick is not None:
                self._get_quick(data, quick[0], quick[1], started)
                data = b""
            else:
                rest = self._read_one(data, started)
                if rest is None:
                    break
                data = rest
            if self._is_closed or self._sending is not None or self._is_busy or self._upload is not None or self._linger >= 0:
                break
        self._hold(data)

    def _read_one(self, data: bytes, started: float) -> bytes | None:
        """Answers the first request in ``data``; returns what is behind it, or None where it is not whole yet."""
        data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: before a request line they mean nothing
        if not data:
            return b""
        end = data.find(b"\r\n\r\n") + 4
        try:
            if end < 4:
                check_begin(data)
                if not self._buffer:
                    self.deadline = self._poll.now + HEAD_S  # one more byte now and then does not put it off
                return None
            head = self._service.heads.full(data[:end])
        except BadHead as error:
            self._refuse(refusal(Reason.BAD_REQUEST, status=error.status))
            return b""
        return self._request(head, data[:end], data[end:], started)

    def _hold(self, data: bytes) -> None:
        if data is self._buffer or self._is_closed:
            return
        more, self._buffer = len(data) - len(self._buffer), data
        if not self._poll.may_hold(more) and more > 0:
            self._refuse(refusal(Reason.OVERLOADED))

    def _request(self, head: Head, raw: bytes, rest: bytes, started: float) -> bytes:
        """Answers, or begins to take in, a request whose head is whole; returns what is left of ``rest``."""
        fields, method = head.fields, head.method
        self._is_old = head.is_http_1_0
        self._keep = fields.keep_alive and not self._poll.is_stopping
        if method in ("PUT", "POST"):
            return self._admit(head, raw, rest, started)
        # Where the next request begins behind a body that nobody wants is not worth finding out: the connection ends.
        self._keep = self._keep and not fields.has_body
        self._unread = not self._keep and (bool(rest) or fields.has_body or method not in METHODS)
        if method in METHODS:
            self._get(head.path, cast(Method, method), fields, started)
        else:
            asked = self._asked(head.path, cast(Method, method[:8]), fields)  # as sent, for the record
            self._answer(FileAnswer(Reason.METHOD_NOT_ALLOWED), asked, started)
        return rest if self._keep else b""

    def _send_settled(self, settled: Settled, started: float) -> None:
        """Answers a request that was answered before, and whose answer still holds."""
        self._keep = settled.keep and not self._poll.is_stopping
        self._is_old = False
        entry = settled.grounds.entry
        body = settled.text if entry is None else entry.body or b""
        data = settled.head + self._poll.tails.tail(self._keep, False) + body
        count = self.wire.send(data)
        if count == len(data):
            self._service.note_again(settled, len(body), started)
            self._sent()
        else:
            self._delay(memoryview(data)[count:], Reply(0, "", body, settled.noted.reason), settled.asked, settled.answer, started)

    def _get_quick(self, data: bytes, path: str, fields: Fields, started: float) -> None:
        self._keep = fields.keep_alive and not self._poll.is_stopping
        self._is_old = False
        asked = self._asked(path, "GET", fields)
        answer, reply = self._service.get(asked, fields.conditions)
        if fields.conditions is UNCONDITIONAL:
            self._service.settle(data, self.peer, fields.keep_alive, asked, answer, reply)
        self._respond(reply, asked, answer, started)

    def _get(self, path: str, method: Method, fields: Fields, started: float) -> None:
        asked = self._asked(path, method, fields)
        answer, reply = self._service.get(asked, fields.conditions)
        self._respond(reply, asked, answer, started)

    def _asked(self, path: str, method: Method, fields: Fields) -> FileRequest:
        subject = self._subject
        if subject is None:
            subject = self._subject = self.wire.subject()
        peer = self._service.peer(self.peer, fields.forwarded) if fields.forwarded else self.peer
        return FileRequest(path, self.wire.scheme, peer, fields.user_agent, method, fields.authorization, subject)

    # ---- uploads -------------------------------------------------------------------------------------------------------

    def _admit(self, head: Head, raw: bytes, rest: bytes, started: float) -> bytes:
        """Begins to take in an upload, or refuses it before a byte of it is read."""
        asked = self._asked(head.path, cast(Method, head.method), head.fields)
        answer, max_bytes = self._service.admit(asked, head)
        if answer.reason is not Reason.STORED:
            self._unread = head.fields.has_body
            self._keep = self._keep and not self._unread
            self._answer(answer, asked, started)
            return rest if self._keep else b""
        self._keep = self._keep and not head.fields.is_chunked  # what is behind the last chunk is not looked at
        upload = self._upload = self._service.uploads.begin(asked, answer, head, raw, max_bytes, started)
        self.deadline = self._poll.now + BODY_S
        if head.fields.expects_continue and not rest and self.wire.send(_CONTINUE) != len(_CONTINUE):
            self.close()
            return b""
        return self._feed(upload, rest)

    def _feed(self, upload: Upload, data: bytes) -> bytes:
        """Takes in more of an upload; returns what is behind it."""
        rest, cut = upload.feed(data)
        if cut is not None:
            self._cut(upload, cut)
            return b""
        if upload.is_complete:
            self._upload, self._is_busy = None, True
            self.deadline = math.inf
            self._poll.watch(self, 0)
            self._service.uploads.keep(upload, lambda reply: self._kept(upload, reply))
        return rest

    def _cut(self, upload: Upload, reason: Reason) -> None:
        """Refuses what has come of an upload, and all that is still to come."""
        self._upload = None
        upload.release()
        self._keep, self._unread = False, True
        self._answer(upload.answer._replace(reason=reason), upload.asked, upload.started)

    def _kept(self, upload: Upload, reply: Reply) -> None:
        """Answers an upload that Flask has judged, kept and recorded."""
        upload.release()
        self._is_busy = False
        if self._is_closed:
            return
        try:
            self._poll.watch(self, EPOLLIN)
            self._respond(reply, None, upload.answer, upload.started)
            self._resume()
        except OSError:
            self.close()

    # ---- answers out ---------------------------------------------------------------------------------------------------

    def _answer(self, answer: FileAnswer, asked: FileRequest, started: float) -> None:
        self._respond(self._service.refused(answer, asked), asked, answer, started)

    def _refuse(self, reply: Reply) -> None:
        """Answers what is no request, and ends the connection."""
        self._keep, self._unread = False, True
        self._poll.may_hold(-len(self._buffer))
        self._buffer = b""
        asked = FileRequest("", self.wire.scheme, self.peer)
        self._respond(reply, asked, FileAnswer(reply.reason), time.perf_counter())

    def _respond(self, reply: Reply, asked: FileRequest | None, answer: FileAnswer, started: float) -> None:
        data = head_of(reply) + self._poll.tails.tail(self._keep, self._is_old) + reply.body
        count = self.wire.send(data)
        if count == len(data) and reply.file < 0:
            self._note(asked, answer if reply.is_whole else answer._replace(sha256=""), reply.reason, len(reply.body), started)
            self._sent()
            return
        self._delay(memoryview(data)[count:], reply, asked, answer, started)

    def _delay(self, rest: memoryview, reply: Reply, asked: FileRequest | None, answer: FileAnswer, started: float) -> None:
        sending = self._sending = Sending(rest, reply, asked, answer, started, self._poll.now)
        self.deadline = sending.deadline(self._poll.now)
        self._poll.watch(self, EPOLLOUT)

    def _push(self, sending: Sending) -> None:
        """Sends more of an answer; after its last byte, goes on with what came meanwhile."""
        if not sending.push(self.wire):
            self.deadline = sending.deadline(self._poll.now)
            return
        self._sending = None
        sending.close()
        reply, answer = sending.reply, sending.answer
        self._note(
            sending.asked, answer if reply.is_whole else answer._replace(sha256=""), reply.reason, sending.body_bytes(), sending.started
        )
        self._poll.watch(self, EPOLLIN)
        self._sent()
        self._resume()

    def _note(self, asked: FileRequest | None, answer: FileAnswer, reason: Reason, sent: int, started: float) -> None:
        if asked is not None:
            self._service.note(asked, answer, reason, sent, started)

    def _sent(self) -> None:
        """The last byte of an answer has left."""
        if self._keep:
            self.deadline = self._poll.now + IDLE_S
        elif self._unread:
            self.wire.end_sending()
            self._linger = LINGER_BYTES
            self.deadline = self._poll.now + LINGER_S
        else:
            self.close()

    def _resume(self) -> None:
        if self._buffer and not self._is_closed and self._sending is None:
            data, self._buffer = self._buffer, b""
            self._poll.may_hold(-len(data))
            self._read(data)
        if not (self._is_closed or self._is_busy or self._sending is not None) and self.wire.pending():
            self._receive()
