"""What phones get over HTTP: a head in, a reply out. Between the connections, which know only bytes, and ``serve``, which knows no wire."""

from __future__ import annotations

import logging
from typing import NamedTuple

from provisioner.core.values import FileAnswer, FileRequest, Reason
from provisioner.transports.http import PhonesHTTP
from provisioner.transports.http_reply import Conditions, Reply, refusal
from provisioner.transports.http_request import Head, Heads
from provisioner.transports.http_uploads import Uploads

log = logging.getLogger("provisioner.phones")


class Admitted(NamedTuple):
    """The verdict on an upload before a byte of it is read: ``reason`` is STORED where it may come."""

    answer: FileAnswer
    max_bytes: int = 0


class Service:
    """Answers for all connections of one serving process. Used by the serving thread alone."""

    def __init__(self, http: PhonesHTTP, uploads: Uploads) -> None:
        self._http = http
        self._answer = http.server.answer
        self.note = http.record
        self.peer = http.peer
        self.is_proxy = http.is_proxy
        self.uploads = uploads
        self.heads = Heads()

    def get(self, asked: FileRequest, conditions: Conditions) -> tuple[FileAnswer, Reply]:
        """Returns the answer to a GET or HEAD, decided and encoded."""
        try:
            answer = self._answer(asked)
            reply = self._http.encoded(answer, asked.method, conditions)
        except Exception:  # a loop's edge: the phone gets its answer, and the others theirs
            log.exception("event=answer_failed")
            answer, reply = FileAnswer(Reason.FAILED), refusal(Reason.FAILED, asked.method)
        return answer, reply

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
