"""What an answer rests on: as long as that is the same, so is the answer, and a transport need not ask for it again."""

from __future__ import annotations

from typing import NamedTuple

from provisioner.core.identify import Candidate
from provisioner.core.mac import Mac
from provisioner.records import ServingRecord
from provisioner.serving_index import FileEntry, SiteRule


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


def may_come(candidate: Candidate | None) -> bool:
    """Returns whether a file that is not there may be so later without the index hearing of it: firmware in its folder, and books."""
    return candidate is not None and (candidate.kind == "firmware" or (candidate.rule is not None and candidate.rule.scope == "book"))
