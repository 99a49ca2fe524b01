"""Phone books made of the extensions: which there are, who is in which, and what a search finds in one.

What lives here: values and rules. What does not: the forms of the makers, which are templates, and when a book is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from provisioner.core.escape import escape_xml

SETTING = "phonebook"
ALL, SITE, DEPARTMENT = "all", "site", "department"
SPANNING = frozenset({ALL, DEPARTMENT})
"""Books that may hold people of several sites."""
FOUND_AT_MOST = 100
"""Contacts in an answer to a search: a phone shows some ten at a time."""


_APART = frozenset({
    "backup", "claim_code", "department", "firmware", "layout", "pbx", "redirect_account", "scan", "session", "token", "user", "warehouse", "webhook", "window",
})  # fmt: skip
"""Nouns of changes that leave extensions, phones and their settings as they are."""
_SAME_PEOPLE = frozenset({"extension.rotated", "extension.rolled_back"})


@dataclass(frozen=True, slots=True)
class Contact:
    """An extension as a phone book shows it."""

    number: str
    name: str
    department: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """One phone book. ``id`` is ``all``, ``site:<name>`` or ``department:<name>``; contacts are sorted by name, then number."""

    id: str
    contacts: tuple[Contact, ...]

    @property
    def departments(self) -> tuple[str, ...]:
        """The departments of its contacts, sorted."""
        return tuple(sorted({contact.department for contact in self.contacts if contact.department}))

    def cut(self, most: int) -> Book:
        """Returns the book with its first ``most`` contacts."""
        return self if len(self.contacts) <= most else Book(self.id, self.contacts[:most])


def book_of(scope: str, site: str, department: str) -> str:
    """Returns the id of the book for a phone whose setting ``phonebook`` is ``scope``; empty for none.

    A phone whose first line has no department has the book of its site where that of a department is asked for.
    """
    if scope == ALL:
        return ALL
    if scope == DEPARTMENT and department:
        return f"{DEPARTMENT}:{department}"
    return f"{SITE}:{site}" if scope in (SITE, DEPARTMENT) else ""


def allowed_scope(scope: str, of_site: object, *, is_only_site: bool) -> str:
    """Returns what a phone gets that asks for ``scope``: people of other sites only where the setting of its own site says so itself.

    A phone, a group or a model may ask for less than its site, never for more: else whoever may edit one phone would read every site's names.
    """
    return SITE if scope in SPANNING and scope != of_site and not is_only_site else scope


def concerns_books(action: str, before: Any, after: Any) -> bool:
    """Returns whether a change may have made a book another one, or given a phone another one.

    ``before`` and ``after`` are what the change log keeps. A kind of change that is not known here may: a book must not stay old.
    """
    noun = action.partition(".")[0]
    if noun in _APART or action in _SAME_PEOPLE:
        return False
    if noun == "phone":
        return _reader(before) != _reader(after)
    if action == "extension.update":
        return not {"display_name", "department"}.isdisjoint(after)
    if action == "site.update":
        return bool(_scope(before.get("settings")) != _scope(after.get("settings")))
    if noun == "group":
        return bool(_scope(before) != _scope(after))
    return True


def _reader(shown: Any) -> tuple[Any, ...]:
    """Returns what decides of a phone, as the change log shows it, which book it has and whose numbers are at its site."""
    row = shown or {}
    return (
        *(row.get(name) for name in ("model", "site", "group")),
        _scope(row.get("settings")),
        [line[:2] for line in row.get("lines", ())],
    )


def _scope(settings: Any) -> Any:
    return (settings or {}).get(SETTING)


def books(wanted: Iterable[str], contacts: Sequence[Contact], numbers_at: Mapping[str, Set[str]]) -> list[Book]:
    """Returns the books of these ids. ``numbers_at``: site -> the extensions that a phone there has on a line."""
    ordered = sorted(contacts, key=lambda contact: (contact.name.casefold(), contact.number))
    place = {contact.number: at for at, contact in enumerate(ordered)}
    members: dict[str, list[int]] = {ALL: list(range(len(ordered)))}
    for at, contact in enumerate(ordered):
        members.setdefault(f"{DEPARTMENT}:{contact.department}", []).append(at)
    for site, numbers in numbers_at.items():
        members[f"{SITE}:{site}"] = sorted(place[number] for number in numbers if number in place)
    return [Book(book_id, tuple(ordered[at] for at in members.get(book_id, ()))) for book_id in sorted(set(wanted))]


def typed_search(path: str) -> str:
    """Returns what somebody typed into the phone: the value of ``search`` in the query of ``path``, or an empty text."""
    fields = (field.partition("=") for field in path.partition("?")[2].split("&"))
    return next((unquote_plus(value) for name, _, value in fields if name == "search"), "").strip()


def searched(body: bytes, contact_begins: str, text: str) -> bytes:
    """Returns a rendered book with only the contacts that have every word of ``text``, at most ``FOUND_AT_MOST``.

    A contact is a line of the book that begins with ``contact_begins``; all other lines stay.
    """
    words, left = [escape_xml(word).casefold() for word in text.split()], FOUND_AT_MOST
    kept = []
    for line in body.decode().splitlines(keepends=True):
        if line.startswith(contact_begins):
            shown = line.casefold()
            if not left or not all(word in shown for word in words):
                continue
            left -= 1
        kept.append(line)
    return "".join(kept).encode()
