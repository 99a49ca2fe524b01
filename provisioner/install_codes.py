"""Judges the one-time codes of install links on the serving side: once, for a while, for one address, and guessed at only so often.

The code stands where a capability token stands, ``/p/<code>/``. Whatever it is refused for looks alike on the wire.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from provisioner.core.access import code_verdict
from provisioner.core.guessing import GuessLimit
from provisioner.core.mac import Mac
from provisioner.core.values import FileRequest, Reason
from provisioner.records import ServingRecord
from provisioner.records_install import InstallLink
from provisioner.secrets import SecretBox
from provisioner.serving_index import ServingIndex

WRONG_CODES = 30
WINDOW_S = 60.0
"""So many wrong codes a minute from one address: a phone with a dead code asks for a few files; 50 bits take longer than any code lives."""


class CodeRecording(Protocol):
    """Keeps what became of a link. Must not block and must not raise."""

    def install(self, mac: Mac, link: InstallLink) -> None: ...


class InstallCodes:
    """The codes of one serving process, used by its one serving thread."""

    def __init__(self, index: ServingIndex, box: SecretBox, recording: CodeRecording, clock: Callable[[], float]) -> None:
        self._index = index
        self._box = box
        self._recording = recording
        self._clock = clock
        self._guesses = GuessLimit(WRONG_CODES, WINDOW_S)

    def judge(self, request: FileRequest, code: str, record: ServingRecord) -> Reason:
        """Returns SERVED where the code opens the phone's files for this request, else the reason why not."""
        now = self._clock()
        if self._guesses.wait_s(request.peer, now):
            return Reason.TOO_MANY_GUESSES
        digest = self._box.code_digest(record.mac, code)  # made for every phone alike, with a link or without
        link = record.install
        if link is None or not hmac.compare_digest(digest, link.digest):
            self._guesses.note(request.peer, now)
            return Reason.BAD_TOKEN
        # TFTP has no User-Agent: whoever merely clicks the link, or a scanner of mails, must not use it up.
        return Reason.NOT_A_PHONE if request.transport == "tftp" else code_verdict(link, request.peer, now)

    def used(self, mac: Mac, peer: str) -> None:
        """Binds the link to the address that its first file goes to."""
        record = self._index.phones.get(mac)
        link = record.install if record else None
        if link is not None and link.started_at is None:
            self._keep(mac, replace(link, started_at=self._clock(), peer=peer[:45]))

    def arrived(self, mac: Mac, at: float) -> None:
        """Closes the link of a phone that was served at its own address after it used the code."""
        record = self._index.phones.get(mac)
        link = record.install if record else None
        if link is not None and link.started_at is not None and link.closed_at is None:
            self._keep(mac, replace(link, closed_at=at))

    def _keep(self, mac: Mac, link: InstallLink) -> None:
        self._index.note_install(mac, link)
        self._recording.install(mac, link)
