"""Undoing: puts back what was before a change, by the same writes that a person would use, and with their checks.

A change of one object puts that object back whole. One of many things (``restoring``) gives each of them back the fields that it changed.
A swap is swapped back. What the changes keep is enough for everything but secrets, of which they keep none: those that are gone stay
gone, and are named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from provisioner.changes.layouts import LayoutKeyInput
from provisioner.changes.parts import Standing, phone_as_kept
from provisioner.changes.phones import SHOWN_SECRET
from provisioner.changes.restoring import UNDONE_BY, standing
from provisioner.changes.retiring import REINSTATE, RETIRE
from provisioner.changes.writer import Changes
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NeedsConfirmation
from provisioner.records import ChangeRecord
from provisioner.store import Store

STATES = {
    "phone": ("phone.create", "phone.update", "phone.delete", RETIRE, REINSTATE),
    "extension": ("extension.create", "extension.update", "extension.delete"),
    "site": ("site.create", "site.update", "site.delete"),
    "group": ("group.put", "group.delete"),
    "department": ("department.put", "department.delete"),
    "layout": ("layout.put", "layout.delete"),
    "user": ("user.create", "user.update"),
    "mail_recipient": ("mail_recipient.create", "mail_recipient.update", "mail_recipient.delete"),
}
"""Noun -> the actions that changed the state of one object, which is put back whole."""
SWAP = "phone.swap"
_BESIDES = {"phone": (*UNDONE_BY, SWAP), "extension": tuple(kind for kind in UNDONE_BY if kind.startswith("import."))}
"""Noun -> further actions that change its state."""
PAGE = 100
"""Changes read at once."""
_KEPT_IN_PART = frozenset({"extension", "site", "user", "mail_recipient"})
"""Nouns whose changes keep only the fields that they changed."""
_OF_ADMINS = frozenset({"site", "group", "user", "import", "mail_recipient"})
_BY_NUMBER = "mail_recipient"
"""The noun whose subject is no name: the address of a recipient changes, and one address can be told of two sites. The number of one who
was removed can be another one's afterwards: whoever is put back gets a new one."""
_REMOVED = f"{_BY_NUMBER}.delete"


def is_undoable(record: ChangeRecord) -> bool:
    """Returns whether a change is of a kind that can be undone at all."""
    if _noun(record) == _BY_NUMBER and record.before is None and record.action != f"{_BY_NUMBER}.create":
        return False  # of a version that kept nothing of what was before
    return record.action in STATES.get(_noun(record), ()) or record.action in UNDONE_BY or record.action == SWAP


def role_to_undo(record: ChangeRecord) -> str:
    """Returns the role that undoing needs, the one of the write: admins write sites, groups and users, import, delete and record extensions."""
    is_recording = "record_calls" in {**(record.before or {}), **(record.after or {})}
    return "admin" if _noun(record) in _OF_ADMINS or record.action == "extension.create" or is_recording else "technician"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What undoing a change comes upon."""

    revision: int | None
    """Of what it would write: another number once that was changed. None: it is not there now."""
    later: Sequence[ChangeRecord]
    """Changes of the same object since, the newest first: they are undone with it."""
    since: Sequence[Standing]
    """Of a change of many things: those that are otherwise by now than it left them."""
    lost: Sequence[str]
    """Names of the secrets that cannot come back: no change keeps them, and they are not there now."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """Undoes changes of one installation, or of the part of it that somebody sees."""

    store: Store
    changes: Changes

    def outlook(self, record: ChangeRecord) -> Outlook:
        """Returns what undoing ``record`` comes upon. Raises ``InputError`` for what cannot be undone."""
        if not is_undoable(record):
            raise InputError({"id": f"a change of the kind {record.action} cannot be undone"})
        if record.action in UNDONE_BY:
            found = self.changes.standings(record)
            lost = sorted({name for each in found for name in each.lost})
            return Outlook(standing(found), [], [each for each in found if each.is_gone or each.changed], lost)
        self._expect_the_same(record)
        there = self._readers()[_noun(record)](_subject(record)) if record.action != _REMOVED else None
        revision = None if there is None else int(there.revision)
        return Outlook(revision, self.later(record), [], self.lost(record))

    def undo(self, actor: str, record: ChangeRecord, revision: int | None, *, over_later: bool = False) -> list[str]:
        """Puts back what was before ``record``; ``revision`` is that of its outlook. Returns the secrets that stay lost.

        Raises ``NeedsConfirmation`` where the object was changed again since, unless ``over_later``; besides what the writes raise.
        """
        if record.action in UNDONE_BY:
            lost = list(self.outlook(record).lost)
            self.changes.undo_many(actor, record, revision, over_later=over_later)
            return lost
        noun = _noun(record)
        self._expect_the_same(record)
        self._check_newest(record, over_later=over_later)
        if record.before is None:
            self._delete(noun, actor, _subject(record), revision)
            return []
        lost = self.lost(record)
        if record.action == SWAP:
            self.changes.swap_back(actor, record, revision)
            return lost
        writes: Mapping[str, Callable[[str, ChangeRecord, int | None], object]] = {
            "phone": self._phone,
            "extension": self._extension,
            "site": self._site,
            "group": self._group,
            "department": self._department,
            "user": self._user,
            "layout": self._layout,
            "mail_recipient": self._mail_recipient,
        }
        writes[noun](actor, replace(record, before=self._before(record)), revision)
        return lost

    def lost(self, record: ChangeRecord) -> list[str]:
        """Returns the names of the secrets that undoing a change of one object cannot bring back."""
        if record.before is None:
            return []
        if _noun(record) == "phone":
            there = self.store.phone(Mac(_subject(record)))
            return sorted(set(record.before["secret_settings"]) - set(there.secret_names if there else ()))
        return ["secret"] if _noun(record) == "extension" and self.store.extension(record.subject) is None else []

    def _readers(self) -> Mapping[str, Callable[[str], Any]]:
        store = self.store
        return {
            "phone": lambda subject: store.phone(Mac(subject)),
            "extension": store.extension,
            "site": store.site,
            "group": lambda subject: next((row for row in store.groups() if row.name == subject), None),
            "department": store.department,
            "user": store.user,
            "mail_recipient": lambda subject: store.mail_recipient(int(subject)),
            "layout": store.layout,
        }

    def later(self, record: ChangeRecord) -> list[ChangeRecord]:
        """Returns the changes of the same object since, the newest first: undoing ``record`` undoes them with it."""
        noun, subject = _noun(record), _subject(record)
        actions = STATES[noun] + _BESIDES.get(noun, ())  # rows of other kinds are none of this
        found: list[ChangeRecord] = []
        if record.action == _REMOVED:
            return found
        before: int | None = None
        while True:
            rows = self.store.changes(subject="" if noun == _BY_NUMBER else subject, actions=actions, before=before, limit=PAGE)
            found += [row for row in rows if row.id > record.id and (noun != _BY_NUMBER or _subject(row) == subject)]
            if len(rows) < PAGE or rows[-1].id <= record.id:
                return found
            before = rows[-1].id

    def _before(self, record: ChangeRecord) -> Any:
        """Returns the state before ``record``: of some nouns a change keeps only what it changed, so later ones are laid below it."""
        if _noun(record) not in _KEPT_IN_PART:
            return record.before
        return {field: value for row in (*self.later(record), record) for field, value in (row.before or {}).items()}

    def _check_newest(self, record: ChangeRecord, *, over_later: bool) -> None:
        later = [] if over_later else self.later(record)
        if later:
            subject = _named(record)
            raise NeedsConfirmation(
                f"{subject} was changed {len(later)} times since, last by {later[0].actor}: confirm that these are undone too"
            )

    def _expect_the_same(self, record: ChangeRecord) -> None:
        """Raises ``InputError`` where the number of a recipient is no longer that of the one who was meant."""
        if _noun(record) == _BY_NUMBER and any(row.action != f"{_BY_NUMBER}.update" for row in self.later(record)):
            raise InputError({"id": f"{record.subject} was removed from the notices since"})

    def _delete(self, noun: str, actor: str, subject: str, revision: int | None) -> None:
        changes = self.changes
        deletes: Mapping[str, Callable[[], None]] = {
            "phone": lambda: changes.delete_phone(actor, Mac(subject), revision),
            "extension": lambda: changes.delete_extension(actor, subject, revision),
            "site": lambda: changes.delete_site(actor, subject, revision),
            "group": lambda: changes.delete_group(actor, subject, revision),
            "department": lambda: changes.delete_department(actor, subject, revision),
            "user": lambda: changes.delete_user(actor, subject, revision),
            "layout": lambda: changes.delete_layout(actor, subject, revision),
            "mail_recipient": lambda: changes.delete_mail_recipient(actor, int(subject), revision),
        }
        deletes[noun]()

    def _phone(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        mac = Mac(record.subject)
        there = self.store.phone(mac)
        given = phone_as_kept(record.before, dict.fromkeys(there.secret_names, SHOWN_SECRET) if there else {})
        if there is None:
            self.changes.create_phone(actor, mac, given)
        elif given.retired:
            self.changes.retire_phone(actor, mac, revision)
        elif there.retired_at is not None:
            self.changes.reinstate_phone(actor, mac, revision, record.before)
        else:
            self.changes.update_phone(actor, mac, given, revision)

    def _extension(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        if revision is None:
            self.changes.create_extension(actor, record.subject, **record.before)
        else:
            self.changes.update_extension(actor, record.subject, record.before, revision)

    def _site(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        if revision is None:
            self.changes.create_site(actor, record.subject, record.before)
        else:
            self.changes.update_site(actor, record.subject, record.before, revision)

    def _group(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        self.changes.put_group(actor, record.subject, record.before, revision or 0)

    def _department(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        self.changes.put_department(actor, record.subject, record.before["number"], revision or 0)

    def _user(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        self.changes.update_user(actor, record.subject, record.before, revision)

    def _mail_recipient(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        given = {name: value for name, value in record.before.items() if name != "id"}
        if record.action == _REMOVED:
            self.changes.create_mail_recipient(actor, given)
        else:
            self.changes.update_mail_recipient(actor, int(_subject(record)), given, revision)

    def _layout(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        rows = record.before["keys"]
        keys = [LayoutKeyInput(key, type_, value, label, module, line, slot != "") for module, key, type_, value, label, line, slot in rows]
        self.changes.put_layout(actor, record.subject, keys, revision or 0)


def _noun(record: ChangeRecord) -> str:
    return record.action.partition(".")[0]


def _subject(record: ChangeRecord) -> str:
    """Returns what would be written: of a swap the phone that is in the other one's place now."""
    if _noun(record) == _BY_NUMBER:
        return str((record.after or record.before)["id"])
    return _named(record)


def _named(record: ChangeRecord) -> str:
    """Returns what a change is of, as people call it."""
    return str(record.after["mac"]) if record.action == SWAP else record.subject
