"""One TFTP transfer: its limits and the arithmetic of blocks, windows and retransmission times.

What does not live here: sockets (``tftp_sockets``), the loop (``tftp``), where blocks come from (``tftp_content``), the layout of
datagrams (``tftp_packets``). Blocks count absolutely from 1; only the wire wraps at 65536. Block 0 is the OACK.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from provisioner.core.mac import Mac
from provisioner.core.values import FileAnswer
from provisioner.transports.tftp_packets import ACKS, Terms, ack

if TYPE_CHECKING:
    from provisioner.transports.tftp_content import Content
    from provisioner.transports.tftp_sockets import Address, Tid, TidPool


@dataclass(frozen=True, slots=True)
class TFTPLimits:
    """Everything that a stranger could make grow, and the times of a transfer."""

    max_sessions: int = 8192
    """Above it the oldest transfer that was never acknowledged gives way, and if there is none the request is dropped in silence: a
    phone asks again after 1 to 4 s, whereas most take an ERROR as final and boot with an old file."""
    max_sessions_per_peer: int = 2048
    """Hundreds of phones behind one NAT address are ordinary."""
    max_blksize: int = 1468
    """What one Ethernet frame of 1500 carries over IPv4; IPv6 gets 20 less."""
    max_windowsize: int = 32
    max_timeout_s: int = 10
    """Longest retransmission time that a client may ask for (RFC 2349)."""
    rto_floor_s: float = 0.15
    """Shortest retransmission time; three times the worst round trip seen lately is used where that is longer."""
    rto_ceiling_s: float = 5.0
    max_resends: int = 6
    give_up_s: float = 20.0
    """Silence after which a transfer that had begun is over."""
    first_resends: int = 3
    """Fewer before anything was acknowledged: the sender's address may be forged, and we would flood its owner."""
    first_ack_s: float = 5.0
    """Silence after which a transfer that nobody acknowledged is over."""
    receive_buffer_bytes: int = 4 << 20
    """A waiting request occupies about 768 bytes of it."""
    tid_sockets: int = 8
    """Shared by any number of transfers; also the most transfers that one client address and port may have."""
    private_sockets: int = 256
    """One transfer each, at less cost; when all are lent, transfers share. Under a wildcard the first own address gets half of them, the
    next half of the rest."""
    local_addresses: int = 16
    """On a wildcard address, own addresses that get TID sockets of their own; requests to further ones share a set."""
    cached_bytes: int = 48 << 20
    """DATA packets kept ready for the next phone that asks for the same bytes."""
    open_files: int = 256
    small_file_bytes: int = 32 << 10
    """Static files up to this size are read at once, and held by their transfers rather than by an open file."""
    netascii_file_bytes: int = 1 << 20


class Asked(NamedTuple):
    """A request as it goes into the record. ``at`` is in seconds since the epoch, ``started`` on the monotonic clock."""

    at: float
    started: float
    path: str
    """With any token masked."""
    peer: str
    method: str


Identified = tuple[Mac | None, str, str, int]
"""MAC, canonical name and hash of what is sent, and the epoch of the token that proved it (0: none), for the record."""


def identified(answer: FileAnswer) -> Identified:
    """Returns what an answer says for the record."""
    return answer.mac, answer.name, answer.noted_hash, answer.epoch


class Session:
    """One transfer to one client: which blocks are acknowledged, which are on their way, and when to send them again."""

    __slots__ = (
        "_calm_s", "_count", "_is_measured", "_packets", "_ready", "_steps", "_windowsize", "acked", "address", "asked", "awaited",
        "backoff", "content", "datagram", "deadline", "ended", "heard_at", "identified", "is_proven", "limits", "oack", "pool", "resends",
        "rto", "sent", "sent_at", "terms", "tid",
    )  # fmt: skip

    def __init__(
        self, asked: Asked, datagram: bytes, *, identified: Identified, content: Content, terms: Terms, limits: TFTPLimits
    ) -> None:
        self.asked = asked
        self.datagram = datagram
        self.identified = identified
        self.content = content
        self.terms = terms
        self.limits = limits
        self._packets, self._count, self._windowsize = content.packets, content.count, terms.windowsize
        self._ready = content.ready if terms.windowsize == 1 else ()
        self._steps = min(len(self._ready), len(ACKS) - 1)
        self.oack = terms.oack(content.size)
        self.acked = -1 if self.oack else 0  # absolute block; -1: not even the OACK
        self.sent = self.acked
        self.awaited = b""  # the ACK of all that is on its way
        self.rto = float(terms.timeout_s or limits.rto_floor_s)
        self.heard_at = self.sent_at = asked.started
        self.deadline = 0.0
        self.resends = 0
        self.backoff = 0
        self._is_measured = False  # True while ``rto`` is known to be longer than a round trip takes
        self._calm_s = -1.0  # a round trip up to this long teaches nothing
        self.is_proven = False  # True once the client acknowledged anything, so that its address is not forged
        self.ended = False
        self.tid: Tid | None = None  # these three are set by ``SessionTable.add``
        self.pool: TidPool | None = None
        self.address: Address = ("", 0)

    @property
    def acked_bytes(self) -> int:
        return min(max(self.acked, 0) * self.terms.blksize, self.content.size)

    def window(self, now: float) -> Sequence[bytes]:
        """Returns the datagrams to send now, all that follows the last acknowledgement, and sets the deadline for their answer."""
        acked = self.acked
        self.sent_at = now
        self.deadline = now + (self._wait() if self.backoff else self.rto)
        if acked < 0:
            self.sent, self.awaited = 0, ACKS[0]
            return (self.oack,)
        last = acked + self._windowsize
        self.sent = last = last if last < self._count else self._count
        self.awaited = ACKS[last] if last < len(ACKS) else ack(last)
        return self._packets(acked + 1, last)

    def read_ahead(self) -> None:
        """Has the next window at hand when the client asks for it."""
        self.content.ahead(self.sent + 1, self._windowsize)

    def step(self, now: float) -> bytes | None:
        """Returns the one datagram that follows the awaited ACK; None where ``advance`` has to say what follows.

        The same as ``advance`` where nothing is special: block by block, packets at hand, a round trip as expected. That is nearly
        every ACK of a storm, and this is half of what it costs.
        """
        block = self.sent
        if not 0 <= block < self._steps or now - self.sent_at > self._calm_s:
            return None
        self.acked = block
        self.sent = following = block + 1
        self.awaited = ACKS[following]
        self.heard_at = self.sent_at = now
        self.deadline = now + self.rto
        return self._ready[block]

    def advance(self, now: float) -> Sequence[bytes]:
        """Returns what follows now that all that was on its way is acknowledged; nothing where that was the end."""
        if now - self.sent_at > self._calm_s:
            self._judge(now - self.sent_at)
        self.heard_at = now
        self.acked = acked = self.sent
        return self.window(now) if acked != self._count else ()

    def acknowledge(self, block: int, now: float) -> Sequence[bytes] | None:
        """Returns the datagrams that an ACK of ``block``, as on the wire, calls for: none when it was the last; None where it is no news.

        Older, repeated and future numbers change nothing, so that a doubled ACK does not double the transfer (RFC 1123 section
        4.2.3.1). Inside a window the blocks after ``block`` were lost and go again (RFC 7440 section 4).
        """
        step = (block - self.acked) & 0xFFFF
        if not 0 < step <= self.sent - self.acked:
            return None
        self.sent = self.acked + step
        return self.advance(now)

    def doubt(self) -> None:
        """Takes note that something was sent twice: nobody knows which of both is answered, so the round trip is not to be believed."""
        self.resends = self.resends or 1
        self._calm_s = -1.0

    def _judge(self, took: float) -> None:
        """Draws from a round trip of ``took`` seconds how long to wait for the next."""
        # After a resend nobody knows which datagram was answered, so a longer wait stays until a round trip is clean (Karn): else a
        # phone behind a link slower than the floor would get everything twice. A quick answer speaks for a loss: back to one doubling.
        if self.resends:
            self.resends = 0
            if 3 * took <= self.rto:
                self.backoff = 1
            else:
                self._is_measured = False
            return
        self.backoff = 0
        if not self.terms.timeout_s:
            self._measure(3 * took)
        self._is_measured = 3 * took <= self.rto
        is_calm = self.rto <= self.limits.rto_floor_s or self.terms.timeout_s
        self._calm_s = self.rto / 3 if is_calm else -1.0

    def _measure(self, measured: float) -> None:
        """Moves the wait towards ``measured``, at most to the double and at least to four fifths of what it was.

        Doubled only, because an ACK may be the client's own repetition after a second, which is no round trip; shortened again, because
        one stall must not slow the repair of every later loss.
        """
        longest = min(2 * self.rto, self.limits.rto_ceiling_s)
        self.rto = min(max(measured, 0.8 * self.rto, self.limits.rto_floor_s), longest)

    def resend_at_timeout(self, now: float) -> bool:
        """Returns True where the window should go again now; False where there is only the end of patience left to wait for."""
        allowed = self.limits.max_resends if self.is_proven else self.limits.first_resends
        if self.resends >= allowed:
            self.deadline = max(self._patience_ends(), now + self.limits.rto_floor_s)
            return False
        self.resends += 1
        self.backoff += 1
        self._calm_s = -1.0
        return True

    def is_given_up(self, now: float) -> bool:
        return now >= self._patience_ends()

    def _patience_ends(self) -> float:
        if self.is_proven:
            return self.heard_at + self.limits.give_up_s
        return self.heard_at + self.limits.first_ack_s + 2 * self.terms.timeout_s

    def _wait(self) -> float:
        """Seconds until the next resend: what the client asked for (RFC 2349), or ours, doubled each time.

        The first doubling is left out where the round trip is known: what stays out then is lost rather than slow, and at 5 % of loss
        every tenth resend is lost as well.
        """
        if self.terms.timeout_s:
            return self.rto
        return min(self.rto * (1 << self.backoff - self._is_measured), self.limits.rto_ceiling_s)


class SessionTable:
    """The transfers under way, within the limits, findable by socket and client."""

    def __init__(self, limits: TFTPLimits) -> None:
        self.limits = limits
        self._sessions: set[Session] = set()
        self._unproven: dict[Session, None] = {}  # oldest first: those that acknowledged nothing yet
        self._per_peer: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions)

    @property
    def is_full(self) -> bool:
        return len(self._sessions) >= self.limits.max_sessions

    def is_crowded(self, peer: str) -> bool:
        """Returns whether ``peer`` has as many transfers as one address may have."""
        return self._per_peer[peer] >= self.limits.max_sessions_per_peer

    def oldest_unproven(self) -> Session | None:
        return next(iter(self._unproven), None)

    def add(self, session: Session, pool: TidPool, client: Address) -> None:
        """Begins a transfer on a socket of ``pool``, which must have room for the client."""
        session.tid, session.pool, session.address = pool.lend(session, client), pool, client
        self._sessions.add(session)
        self._unproven[session] = None
        self._per_peer[session.asked.peer] += 1

    def prove(self, session: Session) -> None:
        """Takes note that the client acknowledged something."""
        session.is_proven = True
        self._unproven.pop(session, None)
        if session.tid is not None:
            session.tid.prove(session)

    def remove(self, session: Session) -> None:
        """Forgets an ended transfer."""
        session.ended = True
        self._sessions.discard(session)
        self._unproven.pop(session, None)
        if session.pool is not None and session.tid is not None:
            session.pool.take_back(session.tid, session.address)
        peer = session.asked.peer
        self._per_peer[peer] -= 1
        if self._per_peer[peer] <= 0:
            del self._per_peer[peer]


class Timers:
    """The deadlines of transfers. Each has one entry, put back where it has moved on meanwhile, so that an ACK touches no heap."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Session]] = []
        self._ids = itertools.count()
        self._ended = 0

    def __len__(self) -> int:
        return len(self._heap)

    def forget_one(self) -> None:
        """Takes note that a transfer ended; sweeps when half of the entries are dead, or clients that come and go would pile them up."""
        self._ended += 1
        if self._ended > 1000 and 2 * self._ended > len(self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].ended]
            heapq.heapify(self._heap)
            self._ended = 0

    def add(self, session: Session) -> None:
        heapq.heappush(self._heap, (session.deadline, next(self._ids), session))

    def wait(self, now: float) -> float:
        """Returns the seconds until the next look is due; -1 for never, as ``epoll.poll`` understands it."""
        return max(0.0, self._heap[0][0] - now) if self._heap else -1

    def is_due(self, now: float) -> bool:
        """Returns whether ``due`` has something to look at."""
        return bool(self._heap) and self._heap[0][0] <= now

    def due(self, now: float) -> Iterator[Session]:
        """Returns the transfers whose deadline has passed, one by one; each should have another one, or be ended, before the next."""
        while self._heap and self._heap[0][0] <= now:
            _, _, session = heapq.heappop(self._heap)
            if session.ended:
                self._ended = max(0, self._ended - 1)
                continue
            if session.deadline <= now:
                yield session
            if not session.ended:
                self.add(session)
