"""What an answer rests on: as long as that is the same, so is the answer, and a transport need not ask for it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from provisioner.core.identify import Candidate, ParsedPath
from provisioner.core.mac import Mac
from provisioner.core.values import FileAnswer, FileRequest, Reason
from provisioner.records import ServingRecord
from provisioner.serving_index import FileEntry, ServingIndex, SiteRule, is_news

STATIC_KINDS = frozenset({"firmware", "resource"})
"""Names that a file of the static folder may have."""
_LASTING = frozenset({Reason.SERVED, Reason.NO_SUCH_FILE, Reason.NOT_RENDERED})
_NOTHING: dict[str, FileEntry] = {}


class Grounds(NamedTuple):
    """What an answer rests on. While the index holds these very objects, the same request from the same address has the same answer.

    Whoever replaces a record, a site, a file or an upload puts a new object in the place of the old one, so nothing has to be told.
    """

    mac: Mac | None
    """None for what the catalogue alone says: that holds as long as the process."""
    name: str = ""
    record: ServingRecord | None = None
    site: SiteRule | None = None
    entry: FileEntry | None = None
    uploads: frozenset[str] | None = None
    book: str | None = None


class Lasting:
    """Tells which answers may be given again, and whether what they rest on is still there. Of the one serving thread."""

    def __init__(self, index: ServingIndex, plan_of: Callable[[str], ParsedPath]) -> None:
        """``plan_of`` reads a path."""
        self._index = index
        self._plan_of = plan_of

    @property
    def version(self) -> object:
        """The same object as long as nothing changes that an answer can rest on. To be looked at before ``holds``, not after."""
        return self._index.version

    def grounds(self, request: FileRequest, answer: FileAnswer) -> Grounds | None:
        """Returns what ``answer``, just given to ``request``, rests on; None where the same request may get another one by itself.

        Such are first fetches and install codes, which end with time; credentials; refusals, of which strangers make as many as they like; static files.
        """
        if answer.reason not in _LASTING or request.authorization or answer.static_path is not None:
            return None
        plan = self._plan_of(request.path)
        if plan.mac is None or plan.has_code:
            return Grounds(None) if self.is_common(request.path, answer) else None
        return self._of_phone(plan, plan.mac, answer)

    def _of_phone(self, plan: ParsedPath, mac: Mac, answer: FileAnswer) -> Grounds | None:
        index = self._index
        record = index.phones.get(mac)
        if record is None or (answer.reason is Reason.NO_SUCH_FILE and _may_come(plan.candidates.get(record.vendor))):
            return None
        site = index.sites.get(record.site)
        if site is None or (site.access != "open" and not answer.epoch):
            return None
        entry = index.files.get(mac, _NOTHING).get(answer.name)
        if answer.reason is Reason.SERVED and (entry is None or entry.body is not answer.body):
            return None  # an upload that is given back, or bytes that memory has no room for
        if answer.epoch and is_news(record, answer.epoch):
            return None  # to be noted yet
        return Grounds(mac, answer.name, record, site, entry, index.uploads.get(mac), index.books.get(mac))

    def holds(self, grounds: Grounds) -> bool:
        """Returns whether the answer that rests on ``grounds`` is still the right one."""
        mac, name, record, site, entry, uploads, book = grounds
        if mac is None or record is None:
            return True
        index = self._index
        return (
            index.phones.get(mac) is record
            and index.sites.get(record.site) is site
            and index.files.get(mac, _NOTHING).get(name) is entry
            and index.uploads.get(mac) is uploads
            and index.books.get(mac) == book
        )

    def is_common(self, path: str, answer: FileAnswer) -> bool:
        """Returns whether the answer is that of a name that never has another: a shared file, or one that no folder is searched for."""
        plan = self._plan_of(path)
        if plan.mac is not None or not plan.candidates or answer.static_path is not None or answer.reason not in _LASTING:
            return False
        return answer.reason is Reason.SERVED or not any(candidate.kind in STATIC_KINDS for candidate in plan.candidates.values())


def _may_come(candidate: Candidate | None) -> bool:
    """Returns whether a file that is not there may be so later without the index hearing of it: firmware in its folder, and books."""
    return candidate is not None and (candidate.kind == "firmware" or (candidate.rule is not None and candidate.rule.scope == "book"))
