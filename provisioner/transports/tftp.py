"""The TFTP server: one epoll loop that turns RRQs into ``FileRequest``, ``FileAnswer`` into DATA, and both into a ``Fetch``.

What lives here: the loop, the choice of the ERROR, the record. What does not: which file a phone may have (core); datagrams, transfers
and sockets (``tftp_packets``, ``tftp_session``, ``tftp_sockets``).

It keeps tftpy's server class and packet classes and replaces its loop and its transfers: tftpy 0.8.7 ends with the first datagram that it
cannot read, with the 1020th silent client and with 1 % of loss (measured; RFC 1350, 2347, 2348, 2349, 7440; RFC 1123 section 4.2.3).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import tftpy

from provisioner.core.values import Fetch, FileAnswer, FileRequest, Method, Reason
from provisioner.transports import tftp_packets as packets
from provisioner.transports.tftp_content import Contents, FileChangedError, UnservableError
from provisioner.transports.tftp_packets import MalformedRequestError, Request
from provisioner.transports.tftp_session import Asked, Identified, Session, SessionTable, TFTPLimits, Timers, identified
from provisioner.transports.tftp_sockets import Address, Listener, NotForUsError, Tid, TidPool, TidPools, peer_text, receive_drops
from provisioner.transports.tftp_waiting import Waiting

__all__ = ["TFTPLimits", "TFTPServer"]

_LOG = logging.getLogger("provisioner.tftp")

_REQUESTS = 16  # most requests taken in one turn: about as much work as the datagrams of all other sockets
_GRACE_S = 1.0  # a request copied by the network comes again within this time, and so does the first ACK of a client that exists


class TFTPServer(tftpy.TftpServer):  # type: ignore[misc] # tftpy has no types
    """Serves what ``answer`` says over TFTP and hands every finished request to ``record``.

    Both are called in the loop's thread and must not block. No datagram and no exception of theirs ends the loop.
    ``counters`` (events since the start, by name) may be read from any thread.
    """

    def __init__(
        self,
        answer: Callable[[FileRequest], FileAnswer],
        record: Callable[[Fetch], None],
        *,
        clock: Callable[[], float] = time.time,
        limits: TFTPLimits = TFTPLimits(),  # noqa: B008 - frozen
    ) -> None:
        """``clock`` gives seconds since the epoch for the record; waiting is measured on the monotonic clock."""
        # tftpy logs whole requests, tokens included, at DEBUG and INFO.
        logging.getLogger("tftpy").setLevel(logging.CRITICAL)
        super().__init__(tftproot=str(Path(__file__).parent), upload_open=lambda *_args, **_kwargs: None)  # its own transfers never run
        self.counters: Counter[str] = Counter()
        self.sessions = SessionTable(limits)
        self._answer = answer
        self._record_fetch = record
        self._clock = clock
        self._limits = limits
        self._contents = Contents(limits)
        self._timers = Timers()
        self._tids: dict[int, Tid] = {}
        self._at_once = 1
        self._faulty: Session | None = None  # whose datagram or time-out is being handled
        self._failed: list[tuple[Session, bytes]] = []
        self._listener: Listener | None = None
        self._pools: TidPools | None = None
        self._waiting = Waiting()

    def bind(self, host: str, port: int) -> int:
        """Returns the port bound on ``host``, an IPv4 or IPv6 address; port 0 takes any free one, ``::`` takes IPv4 as well.

        Raises ``OSError``, after which another port may be tried. Call it before giving up root where the port is below 1024.
        """
        if self._listener is not None:
            raise RuntimeError("bind() was called before")
        listener = Listener(host or "0.0.0.0", port, self._limits.receive_buffer_bytes)  # noqa: S104 - the documented default
        try:
            self._pools = TidPools(listener, self._limits, self._watch)
        except OSError:
            listener.sock.close()
            raise
        self._listener = listener
        self._waiting.watch(listener.sock)
        self.listenip, self.listenport = listener.address[:2]
        return listener.address[1]

    def _watch(self, tid: Tid) -> None:
        self._tids[self._waiting.watch(tid.sock)] = tid

    def listen(self, listenip: str = "", listenport: int = 69) -> None:
        """Serves until ``stop()``; binds to the address given where ``bind`` was not called. Closes everything in the end."""
        try:
            if self._listener is None and not self._waiting.is_over:
                self.bind(listenip, listenport)
            self.is_running.set()
            while not self._waiting.is_over:
                self._turn()
        finally:
            self.is_running.clear()
            self.close()

    def stop(self) -> None:
        """Ends ``listen`` at once, from any thread or signal handler; transfers under way are recorded as aborted.

        Clients are told nothing: a phone that hears an ERROR gives up, one that hears silence asks again and finds the next server.
        """
        self._waiting.end()

    def close(self) -> None:
        """Closes every descriptor and records what was under way; for a server whose ``listen`` never ran. May be repeated."""
        self._waiting.close()
        if self._pools is not None:
            self._pools.close()
        if self._listener is not None:
            self._listener.sock.close()
        self._tids.clear()
        while self.sessions:
            self._guarded(self._abort_all)

    def _abort_all(self) -> None:
        while self.sessions:
            self._finish(next(iter(self.sessions)), Reason.ABORTED)

    def _turn(self) -> None:
        """Waits for datagrams or the next time-out, and handles what there is."""
        events = iter(self._waiting.ready(self._timers.wait(time.monotonic())))
        while not self._guarded(partial(self._receive, events)):
            continue  # one event was about a transfer that failed; the others still wait
        if self._at_once > 1:  # epoll tells of hundreds of busy transfers before it comes to the requests again
            self._guarded(self._receive_requests)
        if self._timers.is_due(time.monotonic()):
            self._guarded(self._expire)
        while self._failed:
            self._guarded(self._end_failed)

    def _guarded(self, handler: Callable[[], None]) -> bool:
        """Runs one handler and returns whether it came to its end; an exception ends at most the transfer that it was about."""
        self._faulty = None
        try:
            handler()
        except FileChangedError:
            self._on_fault("event=tftp_file_changed", packets.FILE_CHANGED)
        except Exception as error:  # noqa: BLE001 - the loop's edge: a phone must not be able to end it
            self._on_fault(f"event=tftp_fault {packets.described(error)}", packets.INTERNAL_ERROR)
        else:
            return True
        return False

    def _on_fault(self, event: str, wire: bytes) -> None:
        session = self._faulty
        self.counters["faults"] += 1
        _LOG.error("file=%r %s", session.asked.path if session else "", event)
        if session is not None and not session.ended:
            self._failed.append((session, wire))  # ended apart, guarded as well: ``record`` may be what raised

    def _end_failed(self) -> None:
        session, wire = self._failed.pop()
        if session.ended or session.tid is None:
            return  # it failed twice in one turn
        self._send_once(session.tid, wire, session.address)
        self._finish(session, Reason.FAILED)

    def _receive(self, events: Iterator[tuple[int, int]]) -> None:
        """Takes as many datagrams from each socket that has some as it has transfers, so that each transfer has one turn.

        Of a private one that is one: that there is no second, epoll says for less than asking would cost.
        """
        now = time.monotonic()
        tids = self._tids
        for descriptor, _ in events:
            tid = tids.get(descriptor)
            if tid is None:
                self._receive_requests()  # or somebody woke us to stop, and there is none
                continue
            for _ in range(len(tid.sessions) or 1):
                if not self._receive_one(tid, now):
                    break

    def _receive_one(self, tid: Tid, now: float) -> bool:
        """Returns False where there was none."""
        try:
            session, datagram = tid.next()
        except BlockingIOError:
            return False
        except OSError as error:  # a closed port is believed no more than any other ICMP: silence will tell
            self.counters["unreachable" if isinstance(error, ConnectionRefusedError) else "dropped"] += 1
            return True
        if session is None:
            self.counters["wrong_source"] += 1
            return True
        self._faulty = session
        packet = session.step(now) if datagram == session.awaited and session.is_proven else None
        if packet is None:
            self._on_datagram(session, datagram, now)
            return True
        try:
            tid.reply(session, packet)
        except OSError:
            self.counters["send_errors"] += 1
        return True

    def _receive_requests(self) -> None:
        """Takes one request, or as many more as pile up: in a storm a phone that hears nothing for a second asks again."""
        assert self._listener is not None
        for _ in range(self._at_once):
            if not self._receive_request(self._listener):
                self._at_once = 1
                return
        self._at_once = min(2 * self._at_once, _REQUESTS)
        if self._at_once == _REQUESTS:
            self.counters["kernel_drops"] = receive_drops(self._listener.sock)

    def _receive_request(self, listener: Listener) -> bool:
        """Returns False where there was none."""
        assert self._pools is not None
        self._faulty = None
        try:
            datagram, client, own = listener.receive(packets.MAX_REQUEST_BYTES + 1)
        except BlockingIOError:
            return False
        except (NotForUsError, OSError):
            self.counters["dropped"] += 1
            return True
        self.counters["requests"] += 1
        self._on_request(datagram, client, self._pools.for_own(own))
        return True

    def _expire(self) -> None:
        now = time.monotonic()
        for session in self._timers.due(now):
            self._faulty = session
            self._on_timeout(session, now)

    def _on_request(self, datagram: bytes, client: Address, pool: TidPool) -> None:
        if datagram[:2] not in {packets.RRQ, packets.WRQ}:
            self.counters["malformed"] += 1
            return
        if self._is_duplicate(datagram, client, pool):
            return
        request: Request | None = None
        try:
            request = packets.parse_request(datagram)
            path = request.path
        except MalformedRequestError as error:
            path = error.name
        method: Method = "PUT" if datagram[:2] == packets.WRQ else "GET"
        asked = Asked(self._clock(), time.monotonic(), packets.masked_path(path), peer_text(client), method)
        if request is None:
            self.counters["malformed"] += 1
            self._refuse(asked, FileAnswer(Reason.BAD_REQUEST), client, pool)
            return
        if request.is_write:  # nothing over TFTP proves who writes
            self._refuse(asked, FileAnswer(Reason.METHOD_NOT_ALLOWED), client, pool)
            return
        self._on_read(request, asked, datagram, client, pool)

    def _is_duplicate(self, datagram: bytes, client: Address, pool: TidPool) -> bool:
        """Returns True for an RRQ that was answered already; the first packet goes again where it seems to be lost.

        The same RRQ from a client that acknowledged and then fell silent is a phone that started again: its old transfer ends, or the
        phone would take resends of that for the answer. A different RRQ is another transfer, on another TID; it cannot end a real one,
        because it may be forged.
        """
        session = next((one for one in pool.of_client(client) if one.datagram == datagram), None)
        if session is None:
            return False
        now = time.monotonic()
        if session.is_proven and now - session.heard_at >= _GRACE_S:
            self._finish(session, Reason.ABORTED)
            return False
        self.counters["duplicates"] += 1
        if not session.is_proven:
            self._faulty = session
            session.doubt()
            self._send(session, session.window(now))
        return True

    def _on_read(self, request: Request, asked: Asked, datagram: bytes, client: Address, pool: TidPool) -> None:
        if not pool.has_room(client) or not self._has_room(asked):
            self._refuse(asked, FileAnswer(Reason.OVERLOADED), client, pool)
            return
        answer = self._ask(FileRequest(request.path, "tftp", asked.peer), asked)
        if answer.reason is not Reason.SERVED:
            self._refuse(asked, answer, client, pool)
            return
        limits = self._limits
        max_blksize = limits.max_blksize - (20 if ":" in asked.peer else 0)  # the IPv6 header is 20 bytes longer
        terms = packets.agreed(request.tail, max_blksize, limits.max_windowsize, limits.max_timeout_s)
        try:
            content = self._contents.content(answer, request.mode, terms)
        except UnservableError as error:
            self._refuse(asked, answer._replace(reason=error.reason), client, pool, error.wire)
            return
        session = Session(asked, datagram, identified=identified(answer), content=content, terms=terms, limits=limits)
        self._begin(session, pool, client)

    def _has_room(self, asked: Asked) -> bool:
        """Returns whether one more transfer fits, after making room at the expense of a client that never acknowledged anything."""
        if self.sessions.is_crowded(asked.peer):
            return False
        if not self.sessions.is_full:
            return True
        oldest = self.sessions.oldest_unproven()
        if oldest is None or asked.started - oldest.asked.started < _GRACE_S:
            return False
        self.counters["evicted"] += 1
        self._finish(oldest, Reason.ABORTED)
        return True

    def _ask(self, request: FileRequest, asked: Asked) -> FileAnswer:
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with one phone's file, the next phone is served
            self.counters["faults"] += 1
            _LOG.error("event=tftp_answer_failed file=%r peer=%s %s", asked.path, asked.peer, packets.described(error))
            return FileAnswer(Reason.FAILED)

    def _refuse(self, asked: Asked, answer: FileAnswer, client: Address, pool: TidPool, wire: bytes | None = None) -> None:
        """Sends the ERROR that goes with the reason, or ``wire``, and records the request."""
        self.counters["refused"] += 1
        datagram = packets.refusal(answer.reason) if wire is None else wire
        if datagram == packets.NO_ANSWER:
            self.counters["dropped"] += 1
        else:
            self._send_once(pool.shared[0], datagram, client)
        self._record(asked, answer.reason, identified(answer), 0)

    def _begin(self, session: Session, pool: TidPool, client: Address) -> None:
        self.sessions.add(session, pool, client)
        self.counters["sessions"] += 1
        self._faulty = session
        self._send(session, session.window(time.monotonic()))
        self._timers.add(session)

    def _on_datagram(self, session: Session, datagram: bytes, now: float) -> None:
        if datagram[:2] != packets.ACK or len(datagram) < 4:
            self._on_other(session, datagram)
            return
        following = session.acknowledge(datagram[2] << 8 | datagram[3], now)
        if following is None:
            self.counters["old_acks"] += 1
            return
        if not session.is_proven:
            self.sessions.prove(session)
        self._go_on(session, following)

    def _go_on(self, session: Session, following: Sequence[bytes]) -> None:
        if following:
            self._send(session, following)
            session.read_ahead()
        else:
            self._finish(session, Reason.SERVED)

    def _on_other(self, session: Session, datagram: bytes) -> None:
        if datagram[:2] == packets.ERROR:  # as after a look at tsize: ordinary
            self._finish(session, Reason.ABORTED)
        else:
            self.counters["malformed"] += 1

    def _on_timeout(self, session: Session, now: float) -> None:
        if session.is_given_up(now):
            self.counters["timed_out"] += 1
            self._finish(session, Reason.ABORTED)
        elif session.resend_at_timeout(now):
            self.counters["retransmits"] += 1
            self._send(session, session.window(now))

    def _send(self, session: Session, window: Sequence[bytes]) -> None:
        """Sends ``window``; what the kernel does not take is left to the time-out, like any other loss."""
        assert session.tid is not None
        try:
            session.tid.send_window(window, session.address)
        except OSError:
            self.counters["send_errors"] += 1

    def _send_once(self, tid: Tid, datagram: bytes, client: Address) -> None:
        try:
            tid.sock.sendto(datagram, client)
        except OSError:
            self.counters["send_errors"] += 1

    def _finish(self, session: Session, reason: Reason) -> None:
        """Forgets the session, gives back what it holds, and records it: in this order, because ``record`` may raise."""
        self.sessions.remove(session)
        self._timers.forget_one()
        session.content.close()
        self._record(session.asked, reason, session.identified, session.acked_bytes)

    def _record(self, asked: Asked, reason: Reason, who: Identified, sent: int) -> None:
        self.counters[reason.value] += 1
        elapsed_ms = (time.monotonic() - asked.started) * 1000
        mac, name, sha256, epoch = who
        self._record_fetch(
            Fetch(asked.at, asked.path, "tftp", asked.peer, "", asked.method, reason, mac, name, sha256, sent, elapsed_ms, epoch)
        )
