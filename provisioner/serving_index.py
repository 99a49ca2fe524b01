"""What a serving process knows by heart: every phone's record, the names of its files, and as many of their bytes as fit.

Filled at start, then kept up to date from the index log: a change is seen as soon as it is committed, or within ``POLL_S`` seconds.
"""

from __future__ import annotations

import ipaddress
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from provisioner.bell import Bell
from provisioner.core.mac import Mac
from provisioner.db import DatabaseError, Watcher
from provisioner.places import Networks, SiteFinder
from provisioner.records import LiveFile, ServingRecord, SiteRecord
from provisioner.records_install import InstallLink
from provisioner.store import Store

log = logging.getLogger("provisioner.serving")

POLL_S = 0.02
"""Where commits cannot be heard."""
_PEERS = 65_536
_NO_FILES: dict[str, FileEntry] = {}


class FileEntry:
    """A live file: its facts always, its bytes while there is room."""

    __slots__ = ("body", "content_type", "name", "sha256", "size")

    def __init__(self, file: LiveFile) -> None:
        self.name = file.name
        self.sha256 = file.sha256
        self.size = file.size
        self.content_type = sys.intern(file.content_type)  # a handful of words, in tens of thousands of entries
        self.body: bytes | None = None


class SiteRule:
    """A site as serving needs it. Whether an address is trusted is remembered, for a bounded number of addresses."""

    def __init__(self, record: SiteRecord, window_until: float = 0.0) -> None:
        self.made_of = record, window_until
        self.name = record.name
        self.access = record.access
        self._enrolment = record.enrolment
        self._window_until = window_until
        self._networks = Networks(ipaddress.ip_network(text) for text in record.trusted_networks)
        self._verdicts: dict[str, bool] = {}

    def takes_in(self, in_warehouse: bool, now: float) -> bool:
        """Returns whether a phone that nobody has let in may wait here for that."""
        if self._enrolment == "claim" or (in_warehouse and self._enrolment != "never"):
            return True
        return self._enrolment == "window" and now < self._window_until

    def trusts(self, peer: str) -> bool:
        """Returns whether ``peer``, an address as text, is in one of the site's trusted networks."""
        verdict = self._verdicts.get(peer)
        if verdict is None:
            if len(self._verdicts) >= _PEERS:
                self._verdicts.clear()
            verdict = self._verdicts[peer] = self._networks.closest(peer) is not None
        return verdict


class ServingIndex:
    """The index of one serving process. Read without a lock by its one serving thread; replaced entry by entry by the refresher."""

    def __init__(self, store: Store, cache_bytes: int) -> None:
        self._store = store
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0
        self._position = 0
        self._lock = threading.Lock()
        self._records_lock = threading.Lock()
        """Held for moments only, by whoever replaces a phone's record: neither a success nor a change may be lost between the threads."""
        self.phones: dict[Mac, ServingRecord] = {}
        self.files: dict[Mac, dict[str, FileEntry]] = {}
        self.uploads: dict[Mac, frozenset[str]] = {}
        self.books: dict[Mac, str] = {}
        """The phone book that each phone may read; phones without have none."""
        self.sites: dict[str, SiteRule] = {}
        self.places = SiteFinder(())
        self.warehouse: frozenset[Mac] = frozenset()
        self.any_digest = False
        self.version = object()
        """Another object after every change: what rests on something that is in here holds for certain as long as this is the same."""

    def load(self) -> None:
        """Reads everything anew."""
        with self._lock:
            self._position = self._store.index_position()
            records = list(self._store.serving_records())
            # Sites after phones: one that a phone was moved to since is then there as well.
            sites, places = self._site_rules()
            self.warehouse = self._store.warehouse_macs()
            uploads = _grouped(self._store.upload_names())
            books = self._store.books_of_phones()
            self._cached_bytes = 0
            files: dict[Mac, dict[str, FileEntry]] = {}
            for file in self._store.live_files():
                files.setdefault(file.mac, {})[file.name] = self._entry(file)
            self.files, self.uploads, self.books = files, uploads, books
            self._set_sites(sites, places)
            with self._records_lock:
                self.phones = {record.mac: self._with_success(record) for record in records}
            self.version = object()

    def refresh(self) -> int:
        """Reads what changed since the last time; returns how many phones were read again."""
        changes = self._store.index_changes(self._position)
        if changes.is_everything:
            self.load()
            return len(self.phones)
        with self._lock:
            if changes.macs:
                self._reload(changes.macs)
            if "sites" in changes.parts:
                self._set_sites(*self._site_rules())
            if "warehouse" in changes.parts:
                self.warehouse = self._store.warehouse_macs()
            self.version = object()
        self._position = changes.position
        return len(changes.macs)

    def content(self, mac: Mac, entry: FileEntry) -> tuple[bytes, str] | None:
        """Returns the bytes of a live file and their hash, from memory or by one indexed read; None where it is gone.

        Where the file was replaced a moment ago, what is read is the newer one: it is live, and the index will say so too.
        """
        if entry.body is not None:
            return entry.body, entry.sha256
        file = self._store.live_file(mac, entry.name)
        if file is None:
            return None
        if file.sha256 == entry.sha256:
            with self._lock:
                if entry.body is None and self.files.get(mac, _NO_FILES).get(entry.name) is entry:
                    self._keep(file, entry)
        return file.body, file.sha256

    def mark_success(self, mac: Mac, epoch: int, at: float) -> bool:
        """Notes a success at the phone's own address: closes the first fetch and refuses older tokens. True where that is news."""
        if not is_news(self.phones.get(mac), epoch):
            return False
        with self._records_lock:
            record = self.phones.get(mac)
            if record is None or not is_news(record, epoch):
                return False
            floor = max(record.token_floor, epoch)
            self.phones[mac] = replace(record, token_floor=floor, first_success_at=record.first_success_at or at)
            self.version = object()
        return True

    def mark_taken(self, mac: Mac, peer: str) -> ServingRecord | None:
        """Notes which address took a first fetch; returns the record where that is news, None where one had it already."""
        with self._records_lock:
            record = self.phones.get(mac)
            if record is None or record.first_peer:
                return None
            self.phones[mac] = replace(record, first_peer=peer)
            self.version = object()
        return record

    def note_install(self, mac: Mac, link: InstallLink) -> None:
        """Notes what this process just saw of an install link: it must not open for a second address until the database says so too."""
        with self._records_lock:
            record = self.phones.get(mac)
            if record is not None and record.install is not None and record.install.digest == link.digest:
                self.phones[mac] = replace(record, install=link)
                self.version = object()

    def note_upload(self, mac: Mac, name: str) -> None:
        """Notes an upload that this process just kept, so that the phone gets it back at once."""
        self.uploads[mac] = self.uploads.get(mac, frozenset()) | {name}
        self.version = object()

    def follow(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Keeps the index up to date until ``stop``; survives a database that is away, and says so once."""
        watcher: Watcher | None = None
        away = False
        bell = Bell(self._store.database, POLL_S)
        while not stop.is_set():
            bell.wait()
            beat()
            try:
                # A new watcher after every failure: its connection may be dead, and what it saw last was not read to its end.
                watcher = watcher or self._store.database.watcher("index_log")
                if watcher.changed():
                    self.refresh()
                away = False
            except Exception as error:  # noqa: BLE001 - a process loop: phones keep what is in memory whatever the database does
                if not away:
                    log.error("event=index_stale detail=%s", type(error).__name__)
                away = True
                _close(watcher)
                watcher = None
                stop.wait(0.5)
        _close(watcher)
        bell.close()

    def _reload(self, macs: Iterable[Mac]) -> None:
        wanted = set(macs)
        found = {record.mac: record for record in self._store.serving_records(wanted)}
        files = self._files_again(wanted)
        uploads = _grouped((mac, record.name) for mac in wanted for record in self._store.uploads_of(mac))
        books = self._store.books_of_phones(wanted)
        for mac in wanted:
            self._set_book(mac, books.get(mac))
            for name in self.files.get(mac, {}).keys() - files[mac].keys():
                self._forget(mac, name)
            if mac in found:
                self.files[mac], self.uploads[mac] = files[mac], uploads.get(mac, frozenset())
                with self._records_lock:
                    self.phones[mac] = self._with_success(found[mac])
            else:
                for table in (self.files, self.phones, self.uploads):
                    table.pop(mac, None)

    def _site_rules(self) -> tuple[dict[str, SiteRule], SiteFinder]:
        """Returns the sites as they are. A rule that nothing was changed of stays the object that it is: answers that rest on it hold."""
        records = self._store.sites()
        windows = {window.site: window.closes_at for window in self._store.windows()}
        rules: dict[str, SiteRule] = {}
        for record in records:
            known, until = self.sites.get(record.name), windows.get(record.name, 0.0)
            rules[record.name] = known if known is not None and known.made_of == (record, until) else SiteRule(record, until)
        return rules, SiteFinder(records)

    def _set_sites(self, sites: dict[str, SiteRule], places: SiteFinder) -> None:
        self.any_digest = any(site.access == "digest" for site in sites.values())
        self.sites, self.places = sites, places

    def _set_book(self, mac: Mac, book: str | None) -> None:
        if book is None:
            self.books.pop(mac, None)
        else:
            self.books[mac] = book

    def _files_again(self, wanted: set[Mac]) -> dict[Mac, dict[str, FileEntry]]:
        """Returns the live files of these phones; only bytes that are new are read, for most entries of the log are of a success."""
        files: dict[Mac, dict[str, FileEntry]] = {mac: {} for mac in wanted}
        changed: set[Mac] = set()
        for mac, name, sha256, content_type in self._store.live_facts(wanted):
            entry = self.files.get(mac, {}).get(name)
            if entry is None or (entry.sha256, entry.content_type) != (sha256, content_type):
                changed.add(mac)
            else:
                files[mac][name] = entry
        for file in self._store.live_files(changed):
            known = files[file.mac].get(file.name)
            if known is None or known.sha256 != file.sha256:
                self._forget(file.mac, file.name)
                files[file.mac][file.name] = self._entry(file)
        return files

    def _with_success(self, record: ServingRecord) -> ServingRecord:
        """Returns the record with what this process saw and the recorder has not written yet, unless it was opened anew since."""
        known = self.phones.get(record.mac)
        if known is not None and known.install is not None and record.install is not None:
            record = replace(record, install=_later(record.install, known.install))
        if known is None or known.opened_at != record.opened_at:
            return record
        if known.first_peer and not record.first_peer:
            record = replace(record, first_peer=known.first_peer)
        if known.first_success_at is None:
            return record
        floor = max(record.token_floor, min(known.token_floor, record.token_epoch))
        return replace(record, first_success_at=record.first_success_at or known.first_success_at, token_floor=floor)

    def _entry(self, file: LiveFile) -> FileEntry:
        entry = FileEntry(file)
        self._keep(file, entry)
        return entry

    def _keep(self, file: LiveFile, entry: FileEntry) -> None:
        """Keeps the bytes where there is room. Nothing gives way: in a storm of more phones than fit, what gave way would be asked for next."""
        if self._cached_bytes + file.size <= self._cache_bytes:
            entry.body = file.body
            self._cached_bytes += file.size

    def _forget(self, mac: Mac, name: str) -> None:
        entry = self.files.get(mac, _NO_FILES).get(name)
        if entry is not None and entry.body is not None:
            self._cached_bytes -= entry.size


def is_news(record: ServingRecord | None, epoch: int) -> bool:
    """Returns whether a success by the address of ``epoch`` is the phone's first there."""
    if record is None or epoch > record.token_epoch:
        return False
    return record.first_success_at is None or record.token_floor < epoch


def _later(stored: InstallLink, known: InstallLink) -> InstallLink:
    """Returns the stored link with a use of it that was not written yet; a new link, which has another code, begins unused."""
    if stored.digest != known.digest:
        return stored
    started = known if stored.started_at is None else stored
    return replace(stored, started_at=started.started_at, peer=started.peer, closed_at=stored.closed_at or known.closed_at)


def _close(watcher: Watcher | None) -> None:
    with suppress(DatabaseError):
        if watcher is not None:
            watcher.close()


def _grouped(pairs: Iterable[tuple[Mac, str]]) -> dict[Mac, frozenset[str]]:
    grouped: dict[Mac, set[str]] = {}
    for mac, name in pairs:
        grouped.setdefault(mac, set()).add(name)
    return {mac: frozenset(names) for mac, names in grouped.items()}
