"""What phones get over HTTP: a head in, a reply out. Between the connections, which know only bytes, and ``serve``, which knows no wire."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import NamedTuple

from provisioner.core.values import Fetch, FileAnswer, FileRequest, Reason
from provisioner.grounds import Grounds
from provisioner.transports.http import PhonesHTTP
from provisioner.transports.http_reply import UNCONDITIONAL, Conditions, Reply, refusal
from provisioner.transports.http_request import Head, Heads
from provisioner.transports.http_sending import head_of
from provisioner.transports.http_uploads import Uploads

log = logging.getLogger("provisioner.phones")


COMMON = 2_048
"""Answers kept that the catalogue alone gives: to names without a MAC, which all phones of a model ask for."""
SETTLED = 50_000
"""Answers kept, twice: about half a kilobyte each. Ten thousand phones ask 45,000 times in a boot; with fewer kept, what comes next would be what was
just forgotten. Only listed phones and names of the catalogue can fill it."""
ASKED = 65_536
"""Requests of which no more is kept than that they came: most of a boot come once, and an answer is worth keeping from the second time on."""


class Admitted(NamedTuple):
    """The verdict on an upload before a byte of it is read: ``reason`` is STORED where it may come."""

    answer: FileAnswer
    max_bytes: int = 0


@dataclass(slots=True)
class Settled:
    """An answer that was given, and what it rests on: a building that boots again asks the same again."""

    peer: str
    head: bytes
    keep: bool
    asked: FileRequest
    answer: FileAnswer
    """Without its bytes: those are the index's to keep."""
    noted: Fetch
    """How it was recorded: but for its time the next one is recorded as the same."""
    text: bytes
    """The body, where it is no phone's own file."""
    grounds: Grounds
    version: object
    """Of the index, when the grounds were last looked at."""


class Service:
    """Answers for all connections of one serving process. Used by the serving thread alone."""

    def __init__(self, http: PhonesHTTP, uploads: Uploads) -> None:
        self._http = http
        self._answer = http.server.answer
        self.note = http.record
        self.peer = http.peer
        self.is_proxy = http.is_proxy
        self._server = http.server
        self._lasting = http.server.lasting
        self._recent: dict[bytes, Settled] = {}
        self._older: dict[bytes, Settled] = {}
        self._asked: set[int] = set()
        self._common: dict[str, tuple[FileAnswer, Reply]] = {}
        self.uploads = uploads
        self.heads = Heads()

    def get(self, asked: FileRequest, conditions: Conditions) -> tuple[FileAnswer, Reply]:
        """Returns the answer to a GET or HEAD, decided and encoded."""
        is_plain = conditions is UNCONDITIONAL and asked.method == "GET"
        common = self._common.get(asked.path) if is_plain else None
        if common is not None:
            return common
        try:
            answer = self._answer(asked)
            reply = self._http.encoded(answer, asked.method, conditions)
        except Exception:  # a loop's edge: the phone gets its answer, and the others theirs
            log.exception("event=answer_failed")
            return FileAnswer(Reason.FAILED), refusal(Reason.FAILED, asked.method)
        if is_plain and answer.mac is None and self._lasting.is_common(asked.path, answer) and len(self._common) < COMMON:
            self._common[asked.path] = answer, reply
        return answer, reply

    def settled(self, data: bytes, peer: str) -> Settled | None:
        """Returns the answer to ``data``, the whole head of a plain GET, where it was given before and still is the right one."""
        found = self._recent.get(data)
        if found is None:
            found = self._older.get(data)
            if found is None:
                return None
            self._put(data, found)
        if found.peer != peer or (found.version is not self._lasting.version and not self._holds(found)):
            return None
        entry = found.grounds.entry
        return None if entry is not None and entry.body is None else found

    def _holds(self, found: Settled) -> bool:
        version = self._lasting.version
        if not self._lasting.holds(found.grounds):
            return False
        found.version = version
        return True

    def note_again(self, settled: Settled, sent: int, started: float) -> None:
        """Notes a request that got the settled answer."""
        _, path, transport, peer, agent, method, reason, mac, name, sha256, _, _, epoch = settled.noted
        took_ms = (time.perf_counter() - started) * 1000
        again = Fetch(time.time(), path, transport, peer, agent, method, reason, mac, name, sha256, sent, took_ms, epoch)
        self._server.finished_again(again)

    def settle(self, data: bytes, peer: str, keep: bool, asked: FileRequest, answer: FileAnswer, reply: Reply) -> None:
        """Remembers an answer that was just given a second time, where nothing but the index can change it."""
        if self._is_first(hash(data)):
            return
        version = self._lasting.version
        grounds = self._lasting.grounds(asked, answer)
        if grounds is None:
            return
        answer = answer._replace(body=b"") if answer.body else answer
        text = b"" if grounds.entry is not None else reply.body
        noted = self._http.fetch(asked, answer, reply.reason, 0, 0.0)
        self._put(data, Settled(peer, head_of(reply), keep, asked, answer, noted, text, grounds, version))

    def _is_first(self, request: int) -> bool:
        if request in self._asked:
            return False
        if len(self._asked) >= ASKED:
            self._asked.clear()
        self._asked.add(request)
        return True

    def _put(self, data: bytes, settled: Settled) -> None:
        """Keeps it among the newest; those that were not asked for while as many others were are forgotten."""
        if len(self._recent) >= SETTLED:
            self._older, self._recent = self._recent, {}
        self._recent[data] = settled

    def refused(self, answer: FileAnswer, asked: FileRequest) -> Reply:
        """Returns the reply for an answer that is no file."""
        return self._http.encoded(answer, asked.method, Conditions())

    def admit(self, asked: FileRequest, head: Head) -> Admitted:
        """Judges an upload by its head."""
        try:
            answer, candidate = self._http.server.upload_rule(asked)
        except Exception:  # as above
            log.exception("event=upload_failed")
            return Admitted(FileAnswer(Reason.FAILED))
        if candidate is None or candidate.upload is None:
            return Admitted(answer)
        if self.uploads.is_full:
            return Admitted(answer._replace(reason=Reason.OVERLOADED))
        if (head.fields.length or 0) > candidate.upload.max_bytes:
            return Admitted(answer._replace(reason=Reason.TOO_LARGE))
        return Admitted(answer, candidate.upload.max_bytes)
