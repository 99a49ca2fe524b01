"""Merges the two hands that write one phone's directory: the server's speed-dial keys and the contacts of the phone's user.

A phone overwrites its directory at boot with what it is served, and sends the whole file back when its user adds a contact. So neither
file alone may be served once both exist. The server's entries have a speed-dial index above a bound that phones do not reach by
themselves; after a round trip through the phone they are known by it, and the newest ones take their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from provisioner.core.escape import escape_xml

MAX_ENTRIES = 9999
"""The largest speed-dial index there is."""
_NAME = re.compile(r"[a-z]{1,16}\Z")
Entry = dict[str, str]


def merged_contacts(ours: bytes, sent: bytes, ours_from: int) -> bytes:
    """Returns the directory to serve: every entry of ``ours``, then the phone's own of ``sent`` (what it uploaded).

    Of ``sent`` is left out what was ours (index above ``ours_from``) and a contact that ``ours`` has too, which the phone would refuse.
    An upload that is no directory is returned as it came: it is the phone's, and nothing can be said of it.
    """
    mine, theirs = list(_entries(ours)), _parsed(sent)
    if theirs is None:
        return sent
    dialled = {entry.get("ct", "") for entry in mine}
    kept = [entry for entry in theirs if _index(entry) <= ours_from and entry.get("ct") and entry["ct"] not in dialled]
    return _written((mine + kept)[:MAX_ENTRIES])


def joined_directories(documents: Sequence[bytes]) -> bytes:
    """Returns the entries of our own directories in their order; of a contact that two of them have, the first stands."""
    if len(documents) == 1:
        return documents[0]
    entries: dict[str, Entry] = {}
    for document in documents:
        for entry in _entries(document):
            entries.setdefault(entry.get("ct", ""), entry)
    return _written(list(entries.values())[:MAX_ENTRIES])


def _parsed(document: bytes) -> list[Entry] | None:
    # A directory needs no declarations; entities that multiply would come in one.
    if b"<!" in document.replace(b"<!--", b""):
        return None
    try:
        return list(_entries(document))
    except ElementTree.ParseError:
        return None


def _entries(document: bytes) -> Iterator[Entry]:
    # Declarations were refused before: without entities there is nothing that a parser could be made to multiply.
    for item in ElementTree.XML(document).iter("item"):
        yield {part.tag: part.text or "" for part in item if _NAME.match(part.tag)}


def _index(entry: Entry) -> int:
    text = entry.get("sd", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else 0


def _written(entries: list[Entry]) -> bytes:
    lines = ['<?xml version="1.0" encoding="UTF-8" standalone="yes"?>', "<directory>", "  <item_list>"]
    for entry in entries:
        lines += ["    <item>", *(f"      <{name}>{escape_xml(text)}</{name}>" for name, text in entry.items()), "    </item>"]
    return "\n".join([*lines, "  </item_list>", "</directory>", ""]).encode()
