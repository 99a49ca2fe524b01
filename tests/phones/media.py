"""Speech: a tone of the phone's own in PCMU over RTP, and the proof that another phone's tone was heard (RFC 3550, RFC 3551)."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import struct
import time
from collections import deque
from functools import cache
from itertools import count

RATE_HZ = 8000
FRAME_SAMPLES = 160
FRAME_S = FRAME_SAMPLES / RATE_HZ
PCMU, KEYS = 0, 101
"""Payload types: speech, and pressed keys (RFC 4733)."""
DIGITS = "0123456789*#"
PRESS_FRAMES = 6
LISTEN_FRAMES = 20
"""Four tenths of a second: long enough to tell tones 50 Hz apart, short enough to follow a call that changes."""
HEARD_SHARE, LOUD = 0.5, 500


def encode_ulaw(sample: int) -> int:
    """Returns a 16-bit sample as one byte of G.711 µ-law."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = max(magnitude.bit_length() - 8, 0)
    return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0F)) & 0xFF


def decode_ulaw(byte: int) -> int:
    """Returns one byte of G.711 µ-law as a 16-bit sample."""
    code = ~byte & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 132) << ((code >> 4) & 0x07)) - 132
    return -magnitude if code & 0x80 else magnitude


_SAMPLES = tuple(decode_ulaw(byte) for byte in range(256))


@cache
def tone_frames(frequency_hz: int) -> tuple[bytes, ...]:
    """Returns one second of a tone, cut into frames; it goes round without a click, since the frequency is a whole number."""
    samples = (round(9000 * math.sin(2 * math.pi * frequency_hz * at / RATE_HZ)) for at in range(RATE_HZ))
    encoded = bytes(encode_ulaw(sample) for sample in samples)
    return tuple(encoded[at : at + FRAME_SAMPLES] for at in range(0, RATE_HZ, FRAME_SAMPLES))


def share_of(frequency_hz: int, speech: bytes) -> float:
    """Returns how much of the power in PCMU speech is in one frequency, 0 to 1 (Goertzel)."""
    samples = [_SAMPLES[byte] for byte in speech]
    power = sum(sample * sample for sample in samples)
    if not power:
        return 0.0
    turn, before, last = 2 * math.cos(2 * math.pi * frequency_hz / RATE_HZ), 0.0, 0.0
    for sample in samples:
        before, last = last, sample + turn * last - before
    found = before * before + last * last - turn * before * last
    return 2 * found / (len(samples) * power)


class Speech(asyncio.DatagramProtocol):
    """One end of an RTP stream: says its tone, and keeps the last moments of what it hears."""

    def __init__(self, frequency_hz: int) -> None:
        self.frequency_hz = frequency_hz
        self.port = 0
        self.received = self.said = 0
        self._heard: deque[bytes] = deque(maxlen=LISTEN_FRAMES)
        self._heard_at = 0.0
        self._pressed: deque[tuple[int, bytes]] = deque()
        self._transport: asyncio.DatagramTransport | None = None
        self._to: tuple[str, int] | None = None
        self._saying: asyncio.Task[None] | None = None

    async def open(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        self.port = int(self._transport.get_extra_info("sockname")[1])

    def talk_to(self, host: str, port: int) -> None:
        """Says the tone to that address from now on; port 0 says nothing."""
        self._to = (host, port) if port else None
        if self._saying is None:
            self._saying = asyncio.get_running_loop().create_task(self._say())

    def press(self, digits: str) -> None:
        """Presses keys, one after another."""
        self._pressed.extend(frame for digit in digits for frame in _key_frames(digit))

    def close(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
        if self._transport is not None:
            self._transport.close()

    def forget(self) -> None:
        """Drops what was heard so far: what is heard next is new."""
        self._heard.clear()

    def hears(self, frequency_hz: int) -> bool:
        """Returns whether the last moments were mostly this tone."""
        return share_of(frequency_hz, self._last_moments()) > HEARD_SHARE

    def hears_anything(self) -> bool:
        """Returns whether the last moments were anything but silence: an announcement, or music."""
        return any(abs(_SAMPLES[byte]) > LOUD for byte in self._last_moments())

    def _last_moments(self) -> bytes:
        """Returns what came lately; nothing where too little came, or nothing any more: a line may be silent by falling silent."""
        frames = tuple(self._heard)
        is_fresh = time.monotonic() - self._heard_at < LISTEN_FRAMES * FRAME_S
        return b"".join(frames) if is_fresh and len(frames) == LISTEN_FRAMES else b""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > 12 and data[1] & 0x7F == PCMU:
            self.received += 1
            self._heard.append(data[12:])
            self._heard_at = time.monotonic()

    async def _say(self) -> None:
        stream, frames = _Stream(), tone_frames(self.frequency_hz)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in count():
            if self._to is not None and self._transport is not None:
                packet = stream.key(*self._pressed.popleft()) if self._pressed else stream.speech(frames[number % len(frames)])
                with contextlib.suppress(OSError):
                    self._transport.sendto(packet, self._to)
                    self.said += 1
            await asyncio.sleep(max(began + (number + 1) * FRAME_S - loop.time(), 0))


class _Stream:
    """The packets of one RTP stream in their order."""

    def __init__(self) -> None:
        self._source, self._stamp, self._sequence, self._key_at = secrets.randbits(32), secrets.randbits(31), 0, 0

    def speech(self, frame: bytes) -> bytes:
        return self._packet(PCMU, self._stamp, frame)

    def key(self, place: int, event: bytes) -> bytes:
        """Returns a packet of a pressed key: all of one press carry the moment of its first."""
        self._key_at = self._stamp if place == 0 else self._key_at
        return self._packet(KEYS | (0x80 if place == 0 else 0), self._key_at, event)

    def _packet(self, payload: int, stamp: int, body: bytes) -> bytes:
        head = struct.pack("!BBHII", 0x80, payload, self._sequence & 0xFFFF, stamp & 0xFFFFFFFF, self._source)
        self._sequence += 1
        self._stamp += FRAME_SAMPLES
        return head + body


def _key_frames(digit: str) -> list[tuple[int, bytes]]:
    """Returns the events of one press, numbered; the last three say that it ended (RFC 4733, 2.5)."""
    lengths = [*range(1, PRESS_FRAMES + 1), PRESS_FRAMES, PRESS_FRAMES]
    ends = [at >= PRESS_FRAMES - 1 for at in range(len(lengths))]
    return [
        (at, struct.pack("!BBH", DIGITS.index(digit), 0x8A if ends[at] else 0x0A, length * FRAME_SAMPLES))
        for at, length in enumerate(lengths)
    ]
