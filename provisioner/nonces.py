"""Nonces of Digest: made by one serving process, accepted by it alone, each with each count once (RFC 7616, sections 3.3 and 3.4).

A challenge costs no memory, for strangers fetch as many as they like: a nonce says itself who made it and when, signed. Remembered is
only what a phone has used, with the right password. Not here: passwords and headers (``digest``).
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from provisioner.core.mac import Mac

NONCE_S = 300
"""Seconds from the challenge that a nonce is good for."""
OF_A_PHONE = 4
"""Nonces remembered of one phone: it has a connection or two, and begins anew on each. A fifth ends the oldest and all that are older."""
WINDOW = 64
"""Counts below the highest that may still come: requests that were sent one after the other may arrive in another order."""
_CLOSED = 1 << 32
"""Above every count, which has eight hexadecimal digits: no further one is within the window."""
_NS = 1_000_000_000


class Nonces:
    """The nonces of this process. May be used by several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` must not go back: what was forgotten because it was old would be good again."""
        self._clock = clock
        self._key = os.urandom(32)
        self._process = os.urandom(8).hex()
        self._used: OrderedDict[Mac, _Used] = OrderedDict()
        self._lock = threading.Lock()

    def make(self) -> str:
        """Returns a new nonce: process, time and chance, 16 hexadecimal digits each, and 32 of a signature; the same length for everybody."""
        text = f"{self._process}{int(self._clock() * _NS):016x}{os.urandom(8).hex()}"
        return text + self._signature(text)

    def spend(self, nonce: str, count: int | None, mac: Mac) -> bool:
        """Returns whether the phone may use the nonce with this count now, and sees to it that nobody does again.

        To be called once the rest of the credentials is known to be right. ``count`` None: the client counts none, so the nonce is good once.
        """
        made = self._made(nonce)
        now = self._clock()
        if made is None or not 0 <= now - made / _NS <= NONCE_S:
            return False
        with self._lock:
            self._forget(now)
            used = self._used.get(mac)
            if used is None:
                used = self._used[mac] = _Used()
            used.at = now
            self._used.move_to_end(mac)
            return used.spend(nonce, made, count)

    def __len__(self) -> int:
        """Returns how many phones something is remembered of."""
        return len(self._used)

    def _made(self, nonce: str) -> int | None:
        """Returns the time in nanoseconds at which this process made the nonce; None for any other text."""
        text, signature = nonce[:48], nonce[48:]
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._signature(text).encode()):
            return None
        return int(text[16:32], 16)

    def _signature(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "replace"), "sha256").hex()[:32]

    def _forget(self, now: float) -> None:
        """Drops the phones whose every nonce is too old by now, so nothing is lost with the memory of it."""
        while self._used:
            mac, used = next(iter(self._used.items()))
            if now - used.at <= NONCE_S:
                return
            del self._used[mac]


class _Used:
    """What one phone has used: of each nonce the highest count and which of those below it, as bits."""

    __slots__ = ("_floor", "_nonces", "at")

    def __init__(self) -> None:
        self.at = 0.0
        self._floor = -1
        self._nonces: dict[str, tuple[int, int, int]] = {}

    def spend(self, nonce: str, made: int, count: int | None) -> bool:
        if made <= self._floor:
            return False  # as old as one that was forgotten, so it may be that one
        known = self._nonces.get(nonce)
        if known is None:
            self._nonces[nonce] = (made, _CLOSED, 0) if count is None else (made, count, 1)
            self._bound()
            return True
        _, highest, bits = known
        if count is None or highest - count >= WINDOW:
            return False
        if count > highest:
            self._nonces[nonce] = (made, count, ((bits << min(count - highest, WINDOW)) | 1) & ((1 << WINDOW) - 1))
            return True
        bit = 1 << (highest - count)
        self._nonces[nonce] = (made, highest, bits | bit)
        return not bits & bit

    def _bound(self) -> None:
        if len(self._nonces) > OF_A_PHONE:
            oldest = min(self._nonces, key=lambda nonce: self._nonces[nonce][0])
            self._floor = self._nonces.pop(oldest)[0]
