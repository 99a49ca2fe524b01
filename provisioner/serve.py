"""``Server.answer``: the path of a request for a file, whatever wire it came over.

Identify, check what was proven, look up: no template, no write, and for most requests no database. Half of a boot storm asks for
files that are not there; those are answered on the same path.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from provisioner.bookshelf import Bookshelf
from provisioner.core.access import Credentials, Proof, Standing, certificate_of, decide
from provisioner.core.catalogue import MAX_USER_AGENT, Catalogue, parse_user_agent
from provisioner.core.encoders import KEY_CHARACTERS
from provisioner.core.flood import Alarm, FloodGuard
from provisioner.core.identify import MAX_PATH, Candidate, ParsedPath, PathReader, conflict_of, masked_path
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.values import Fetch, FileAnswer, FileRequest, Reason, RenderedFile
from provisioner.enciphering import EncipheredFiles
from provisioner.grounds import STATIC_KINDS, Lasting
from provisioner.images import PinnedImages
from provisioner.install_codes import InstallCodes
from provisioner.merging import MergedDirectories
from provisioner.records import ServingRecord
from provisioner.records_install import InstallLink
from provisioner.secrets import SecretBox
from provisioner.serving_index import FileEntry, ServingIndex
from provisioner.static_files import StaticFiles
from provisioner.store import Store
from provisioner.waiting_room import WaitingFiles

PLANS = 8_192
"""Parsed paths without a MAC that are kept; bounded, then dropped whole. Those with one mostly come once, and are read by their shape."""
EVIDENCE = 16_384
"""Verdicts on User-Agents kept, for the same reason and in the same way."""
TOKENS = 65_536
_NOTHING: dict[str, FileEntry] = {}


class CredentialCheck(Protocol):
    """Judges an Authorization header for one phone; the only thing of digest that serving knows."""

    def __call__(self, request: FileRequest, mac: Mac) -> Credentials: ...


class Access(NamedTuple):
    """What a request may have, and on which grounds."""

    reason: Reason
    epoch: int = 0
    """Of the token that proved it; 0 where none did."""
    is_first_fetch: bool = False
    is_stale: bool = False  # the credentials were right but for their nonce


class Recording(Protocol):
    """Where finished requests go. Must not block and must not raise."""

    def fetch(self, fetch: Fetch) -> None: ...

    def success(self, mac: Mac, epoch: int, at: float) -> None: ...

    def taken(self, mac: Mac, opened_at: float, peer: str, at: float) -> None: ...

    def alarm(self, alarm: Alarm) -> None: ...

    def install(self, mac: Mac, link: InstallLink) -> None: ...


class Server:
    """Answers requests for files. One per serving process, used by its one serving thread."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        store: Store,
        box: SecretBox,
        index: ServingIndex,
        renderer: Renderer,
        recording: Recording,
        static_root: Path,
        first_fetch_s: float,
        check_credentials: CredentialCheck,
        waiting: WaitingFiles,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._box = box
        self._index = index
        self._recording = recording
        self._static = StaticFiles(static_root)
        self._directories = MergedDirectories()
        self._enciphered = EncipheredFiles()
        self._books = Bookshelf(store)
        self._images = PinnedImages(store, self._static)
        self._first_fetch_s = first_fetch_s
        self._check_credentials = check_credentials
        self._clock = clock
        self._codes = InstallCodes(index, box, recording, clock)
        self._shared: dict[str, RenderedFile] = {file.name: file for file in renderer.shared_files()}
        self._paths = PathReader(catalogue)
        self._plans: dict[str, ParsedPath] = {}
        self.lasting = Lasting(index, self._plan_of)
        self._evidence: dict[tuple[str, Mac, str], tuple[bool, str]] = {}
        self._tokens: dict[tuple[Mac, int], str] = {}
        self._waiting = waiting
        self._guard = FloodGuard()
        self._guard_lock = threading.Lock()
        self._moving = frozenset(vendor.id for vendor in catalogue.vendors.values() if vendor.provisions_again)
        self._decoy = next((model.id for vendor in catalogue.vendors.values() for model in vendor.models.values()), "/")

    def answer(self, request: FileRequest) -> FileAnswer:
        """Returns what to send. Raises nothing that a request could cause."""
        plan = self._plan_of(request.path)
        if plan.mac is None:
            return self._without_mac(plan)
        if not plan.candidates:
            static = self._static_answer(plan)  # twelve digits in the name of a picture are no phone
            if static is not None:
                return static
        record = self._index.phones.get(plan.mac)
        if record is None:
            return self._waiting_or(self._unknown(request, plan, plan.mac), request, plan)
        candidate = plan.candidates.get(record.vendor)
        name = candidate.name if candidate else ""
        reason, epoch, is_first_fetch, is_stale = self._access(request, plan, record)
        if reason is not Reason.SERVED:
            return self._waiting_or(self._refused(reason, plan.mac, name, is_stale), request, plan)
        if candidate is None:
            return FileAnswer(Reason.NO_SUCH_FILE, mac=plan.mac, name=_any_name(plan), epoch=epoch)
        if is_first_fetch:
            answer = self._first_file(request, record, candidate)
        else:
            answer = self._with_key(self._own_file(record, candidate, epoch, request.path, is_proven=True), record, candidate)
        if answer.reason is Reason.SERVED and request.method == "GET" and plan.has_code:
            self._codes.used(record.mac, request.peer)
        return answer

    def upload_rule(self, request: FileRequest) -> tuple[FileAnswer, Candidate | None]:
        """Returns whether the phone may send this file: an answer with reason STORED and the rule, or a refusal and None."""
        plan = self._plan_of(request.path)
        record = self._index.phones.get(plan.mac) if plan.mac else None
        if plan.mac is None:
            return self._refused(Reason.BAD_REQUEST if plan.malformed else Reason.UNKNOWN_NAME, None, ""), None
        if record is None:
            return self._unknown(request, plan, plan.mac), None
        reason, epoch, _, is_stale = self._access(request, plan, record)
        if reason is Reason.SERVED and plan.has_code:
            reason = Reason.UNPROVEN  # an install code brings files, and takes none
        if reason is not Reason.SERVED:
            return self._refused(reason, plan.mac, "", is_stale), None
        if record.is_retired:
            return FileAnswer(Reason.METHOD_NOT_ALLOWED, mac=plan.mac), None  # it would be given back what it was emptied of
        candidate = plan.candidates.get(record.vendor)
        if candidate is None or candidate.upload is None or not candidate.upload.regex.match(plan.rest):
            return FileAnswer(Reason.UNKNOWN_NAME, mac=plan.mac), None  # proven: credentials would not help, so none are asked for
        return FileAnswer(Reason.STORED, mac=plan.mac, name=candidate.upload_name, epoch=epoch), candidate

    def finished(self, fetch: Fetch) -> None:
        """Takes note of a request that is over; the transports call it after the last byte."""
        if not fetch.epoch and self._waiting.gave(fetch.mac, fetch.sha256) and fetch.reason in (Reason.SERVED, Reason.NOT_MODIFIED):
            fetch = fetch._replace(reason=Reason.WAITING)
        if fetch.epoch and fetch.mac is not None and _is_success(fetch):
            self._codes.arrived(fetch.mac, fetch.at)
            if self._index.mark_success(fetch.mac, fetch.epoch, fetch.at):
                self._recording.success(fetch.mac, fetch.epoch, fetch.at)
        self._recording.fetch(fetch)

    def finished_again(self, fetch: Fetch) -> None:
        """Takes note of a request like one before, on the same grounds: that it came is all that is new."""
        self._recording.fetch(fetch)

    def uploaded(self, mac: Mac, name: str) -> None:
        """Takes note of an upload that was kept: the phone may ask for it in the next breath."""
        self._index.note_upload(mac, name)

    def _plan_of(self, path: str) -> ParsedPath:
        known = self._plans.get(path)
        if known is not None:
            return known
        plan = self._paths.parse(path)
        if plan.mac is not None or len(path) > MAX_PATH:
            return plan  # too long it is refused, and not remembered: it may be as long as a request line
        if len(self._plans) >= PLANS:
            self._plans.clear()
        self._plans[path] = plan
        return plan

    def _waiting_or(self, refused: FileAnswer, request: FileRequest, plan: ParsedPath) -> FileAnswer:
        """Returns the file of the waiting room where the site has one, whatever the reason for refusing was; else the refusal."""
        now = self._clock()
        if plan.mac is None or request.method == "PUT" or self._guard.is_frozen(request.peer, everywhere=True, now=now):
            return refused
        file = self._waiting.file(request, plan, plan.mac, now)
        if file is None:
            return refused
        return FileAnswer(Reason.SERVED, file.body, file.content_type, file.sha256, mac=plan.mac, name=file.name, secret=True)

    def _unknown(self, request: FileRequest, plan: ParsedPath, mac: Mac) -> FileAnswer:
        """Refuses a phone that nobody listed, after as much work as refusing one that is: the time must not tell which it was."""
        vendor, now = self._decoy.partition("/")[0], self._clock()
        access = self._access(request, plan, ServingRecord(mac, self._decoy, vendor, "default", True, 1, 1, 0.0, None, None))
        with self._guard_lock:  # uploads are judged on threads of their own
            alarms = self._guard.note(request.peer, mac, trusted=self._index.places.site_of(request.peer) is not None, now=now)
        for alarm in alarms:
            self._recording.alarm(alarm)
        return self._refused(Reason.UNKNOWN_PHONE, mac, _any_name(plan), access.is_stale)

    def _access(self, request: FileRequest, plan: ParsedPath, record: ServingRecord) -> Access:
        site = self._index.sites.get(record.site)
        if site is None:
            return Access(Reason.UNPROVEN)  # deleted this moment; the index follows
        looks_like_vendor, conflict = self._verdict(request.user_agent, record)
        epoch, trusted = 0, False
        token: Credentials = "none"
        if plan.token is None:
            trusted = site.trusts(request.peer)
        elif plan.has_code:
            return Access(self._by_code(request, plan.token, record, looks_like_vendor, conflict))
        else:
            epoch = self._epoch(plan.token, record)
            token = "good" if epoch else "bad"
        credentials = self._credentials(request, record.mac)
        now, is_first_fetch = self._clock(), site.access == "first-fetch" and not epoch
        frozen = self._guard.is_frozen(request.peer, everywhere=is_first_fetch, now=now)
        elsewhere = bool(record.first_peer) and record.first_peer != request.peer
        shown = certificate_of(request.tls_subject, record.mac) if request.tls_subject else "none"
        # By position: this is made for every request of a storm.
        proof = Proof(token, trusted, credentials, looks_like_vendor or request.transport == "tftp", conflict, frozen, elsewhere, shown)
        standing = Standing(record.enabled, site.access, record.opened_at, record.first_success_at, record.has_key)
        return Access(decide(standing, proof, now=now, first_fetch_s=self._first_fetch_s), epoch, is_first_fetch, credentials == "stale")

    def _by_code(self, request: FileRequest, code: str, record: ServingRecord, looks_like_vendor: bool, conflict: str) -> Reason:
        reason = self._codes.judge(request, code, record)
        if not record.enabled:
            return Reason.DISABLED
        if reason is Reason.SERVED and (conflict or not looks_like_vendor):
            return Reason.CONFLICT if conflict else Reason.NOT_A_PHONE
        return reason

    def _credentials(self, request: FileRequest, mac: Mac) -> Credentials:
        # Judged for every MAC alike, listed or not, digest site or not: the time that it takes must not tell which.
        return self._check_credentials(request, mac) if request.authorization and self._index.any_digest else "none"

    def _epoch(self, token: str, record: ServingRecord) -> int:
        """Returns the epoch whose token this is, among those still accepted; 0 for none."""
        for epoch in range(record.token_epoch, record.token_floor - 1, -1):
            expected = self._tokens.get((record.mac, epoch)) or self._token(record.mac, epoch)
            if hmac.compare_digest(token, expected):
                return epoch
        return 0

    def _token(self, mac: Mac, epoch: int) -> str:
        if len(self._tokens) >= TOKENS:
            self._tokens.clear()
        token = self._tokens[mac, epoch] = self._box.token(mac, epoch)
        return token

    def _verdict(self, user_agent: str, record: ServingRecord) -> tuple[bool, str]:
        """Returns whether the User-Agent is that of the listed vendor's phones, and in words what contradicts the record."""
        if len(user_agent) > MAX_USER_AGENT:
            return False, ""  # no phone's, and too long to be remembered
        key = (user_agent, record.mac, record.model)
        verdict = self._evidence.get(key)
        if verdict is None:
            if len(self._evidence) >= EVIDENCE:
                self._evidence.clear()
            agent = parse_user_agent(self._catalogue, user_agent)
            conflict = conflict_of(self._catalogue, record.mac, record.model, agent)
            is_vendors = agent is not None and agent.vendor == record.vendor and agent.model is not None
            verdict = self._evidence[key] = (is_vendors, conflict)
        return verdict

    def _first_file(self, request: FileRequest, record: ServingRecord, candidate: Candidate) -> FileAnswer:
        """Answers a first fetch. From the first byte on it is that address's alone: who gave up in the middle may have read the secret."""
        if candidate.rule is not None and candidate.rule.scope == "book":
            return FileAnswer(Reason.NO_SUCH_FILE, mac=record.mac, name=candidate.name)  # names of people are for proven phones
        answer = self._own_file(record, candidate, 0, request.path, is_proven=False)
        if answer.reason is not Reason.SERVED or request.method != "GET":
            return answer
        if record.vendor in self._moving:
            found = self._store.live_file(record.mac, answer.name, "boot")
            if found is None:
                return FileAnswer(Reason.NOT_RENDERED, mac=record.mac, name=answer.name)
            answer = answer._replace(body=found.body, content_type=found.content_type, sha256=found.sha256, made_from="")
        opened = self._index.mark_taken(record.mac, request.peer)
        if opened is not None:
            self._recording.taken(record.mac, opened.opened_at, request.peer, self._clock())
        return answer

    def _own_file(self, record: ServingRecord, candidate: Candidate, epoch: int, path: str, *, is_proven: bool) -> FileAnswer:
        """Returns a file of the phone; what names people, its book and what its user sent, for a proven phone alone."""
        mac, name = record.mac, candidate.name
        is_proven = is_proven and not record.is_retired
        missing = FileAnswer(Reason.NO_SUCH_FILE, mac=mac, name=name, epoch=epoch)
        if candidate.rule is not None and candidate.kind == "firmware":
            return self._images.answer(candidate.rule, missing)
        if candidate.rule is not None and candidate.rule.scope == "book":
            book_id = None if record.is_retired else self._index.books.get(mac)
            return self._books.answer(record.vendor, book_id, candidate.rule, path, missing)
        entry: FileEntry | None = self._index.files.get(mac, _NOTHING).get(name)
        content = self._index.content(mac, entry) if entry is not None else None
        upload = candidate.upload if is_proven else None
        found = None
        if upload is not None and upload.readable and candidate.upload_name in self._index.uploads.get(mac, ()):
            found = self._store.upload_body(mac, candidate.upload_name)
        if upload is not None and upload.ours_from and content is not None:
            book = self._books.book(record.vendor, self._index.books.get(mac)) if _has_book(candidate) else None
            if book is not None or found is not None:
                return self._directories.answer(upload.ours_from, content, book, found)._replace(mac=mac, name=name, epoch=epoch)
        elif found is not None:
            kept, body = found
            return FileAnswer(Reason.SERVED, body, kept.content_type, kept.sha256, mac=mac, name=name, epoch=epoch, secret=True)
        if entry is not None and content is not None:
            return FileAnswer(Reason.SERVED, content[0], entry.content_type, content[1], None, mac, name, False, epoch, True)
        rendered = candidate.rule is not None and candidate.rule.template is not None
        return FileAnswer(Reason.NOT_RENDERED if rendered else Reason.NO_SUCH_FILE, b"", "", "", None, mac, name, False, epoch)

    def _with_key(self, clear: FileAnswer, record: ServingRecord, candidate: Candidate) -> FileAnswer:
        """Returns the file encrypted where the phone came by an address that it read beside a key, and reads the file so."""
        encoder = candidate.rule.encoder if candidate.rule is not None else None
        if encoder is None or clear.reason is not Reason.SERVED or not record.has_key_of(clear.epoch):
            return clear
        return self._enciphered.answer(clear, encoder, self._box.file_key(record.mac, clear.epoch, KEY_CHARACTERS[encoder]))

    def _without_mac(self, plan: ParsedPath) -> FileAnswer:
        if plan.malformed:
            return FileAnswer(Reason.BAD_REQUEST)
        names = [candidate.name for candidate in plan.candidates.values()]
        for name in names:
            shared = self._shared.get(name)
            if shared is not None:
                return FileAnswer(Reason.SERVED, shared.body, shared.content_type, shared.sha256, name=name)
        if not names or any(candidate.kind in STATIC_KINDS for candidate in plan.candidates.values()):
            static = self._static_answer(plan)
            if static is not None:
                return static
        return FileAnswer(Reason.NO_SUCH_FILE if names else Reason.UNKNOWN_NAME, name=names[0] if names else masked_path(plan.rest))

    def _static_answer(self, plan: ParsedPath) -> FileAnswer | None:
        path = self._static.find(plan.rest)
        return FileAnswer(Reason.SERVED, static_path=path, name=masked_path(plan.rest)) if path is not None else None

    def _refused(self, reason: Reason, mac: Mac | None, name: str, is_stale: bool = False) -> FileAnswer:
        # One refusal for all: with a digest site, whoever names a MAC is asked for credentials, be it known or not.
        return FileAnswer(reason, mac=mac, name=name, challenge=self._index.any_digest and mac is not None, is_stale=is_stale)


def _has_book(candidate: Candidate) -> bool:
    return candidate.rule is not None and candidate.rule.with_book


def _is_success(fetch: Fetch) -> bool:
    return fetch.method == "GET" and fetch.reason in (Reason.SERVED, Reason.NOT_MODIFIED)


def _any_name(plan: ParsedPath) -> str:
    for candidate in plan.candidates.values():
        return candidate.name
    return masked_path(plan.rest)
