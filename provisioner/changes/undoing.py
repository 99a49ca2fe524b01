"""Undoing: puts one object back to what it was before a change, by the same writes that a person would use, and with their checks.

What a change row keeps is enough for everything but secrets, of which it keeps none: those that are gone stay gone, and are named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from provisioner.changes.keys import KeyInput
from provisioner.changes.layouts import LayoutKeyInput
from provisioner.changes.phones import SHOWN_SECRET, LineInput, PhoneInput
from provisioner.changes.writer import Changes
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NeedsConfirmation
from provisioner.records import ChangeRecord
from provisioner.store import Store

STATES = {
    "phone": ("phone.create", "phone.update", "phone.delete"),
    "extension": ("extension.create", "extension.update", "extension.delete"),
    "site": ("site.create", "site.update", "site.delete"),
    "group": ("group.put", "group.delete"),
    "department": ("department.put", "department.delete"),
    "layout": ("layout.put", "layout.delete"),
    "user": ("user.create", "user.update"),
}
"""Noun -> the actions that changed its state; only these are undone."""
PAGE = 100
"""Changes read at once."""
_KEPT_IN_PART = frozenset({"extension", "site", "user"})
"""Nouns whose changes keep only the fields that they changed."""
_OF_ADMINS = frozenset({"site", "group", "user"})


def is_undoable(record: ChangeRecord) -> bool:
    """Returns whether a change is of a kind that can be undone at all."""
    return record.action in STATES.get(_noun(record), ())


def role_to_undo(record: ChangeRecord) -> str:
    """Returns the role that undoing needs, the one of the write: admins write sites, groups and users, and delete extensions."""
    return "admin" if _noun(record) in _OF_ADMINS or record.action == "extension.create" else "technician"


@dataclass(frozen=True, slots=True)
class Undoing:
    """Undoes changes of one installation, or of the part of it that somebody sees."""

    store: Store
    changes: Changes

    def revision(self, record: ChangeRecord) -> int | None:
        """Returns the revision of what a change was of; None where it is not there now. Raises ``InputError`` for what cannot be undone."""
        if not is_undoable(record):
            raise InputError({"id": f"a change of the kind {record.action} cannot be undone"})
        found = self._readers()[_noun(record)](record.subject)
        return None if found is None else int(found.revision)

    def undo(self, actor: str, record: ChangeRecord, revision: int | None, *, over_later: bool = False) -> list[str]:
        """Puts back what was before ``record``; ``revision`` is that of the object as it was read. Returns the secrets that stay lost.

        Raises ``NeedsConfirmation`` where the object was changed again since, unless ``over_later``; besides what the writes raise.
        """
        noun = _noun(record)
        self._check_newest(record, over_later=over_later)
        if record.before is None:
            self._delete(noun, actor, record.subject, revision)
            return []
        lost = self.lost(record)
        writes: Mapping[str, Callable[[str, ChangeRecord, int | None], object]] = {
            "phone": self._phone,
            "extension": self._extension,
            "site": self._site,
            "group": self._group,
            "department": self._department,
            "user": self._user,
            "layout": self._layout,
        }
        writes[noun](actor, replace(record, before=self._before(record)), revision)
        return lost

    def lost(self, record: ChangeRecord) -> list[str]:
        """Returns the names of the secrets that undoing cannot bring back: no change keeps them, and they are not there now."""
        if record.before is None:
            return []
        if _noun(record) == "phone":
            there = self.store.phone(Mac(record.subject))
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
            "layout": store.layout,
        }

    def later(self, record: ChangeRecord) -> list[ChangeRecord]:
        """Returns the changes of the same object since, the newest first: undoing ``record`` undoes them with it."""
        actions = STATES[_noun(record)]  # rows of other kinds are none of this
        found: list[ChangeRecord] = []
        before: int | None = None
        while True:
            rows = self.store.changes(subject=record.subject, actions=actions, before=before, limit=PAGE)
            found += [row for row in rows if row.id > record.id]
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
            raise NeedsConfirmation(
                f"{record.subject} was changed {len(later)} times since, last by {later[0].actor}: confirm that these are undone too"
            )

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
        }
        deletes[noun]()

    def _phone(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        mac = Mac(record.subject)
        there = self.store.phone(mac)
        given = _phone_input(record.before, set(there.secret_names) if there else set())
        if there is None:
            self.changes.create_phone(actor, mac, given)
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

    def _layout(self, actor: str, record: ChangeRecord, revision: int | None) -> None:
        rows = record.before["keys"]
        keys = [LayoutKeyInput(key, type_, value, label, module, line, slot != "") for module, key, type_, value, label, line, slot in rows]
        self.changes.put_layout(actor, record.subject, keys, revision or 0)


def _noun(record: ChangeRecord) -> str:
    return record.action.partition(".")[0]


def _phone_input(before: Mapping[str, Any], kept: set[str]) -> PhoneInput:
    """Returns a kept state as somebody would write it: ``***`` stands for the secrets that are still there."""
    hidden = {name: SHOWN_SECRET for name in before["secret_settings"] if name in kept}
    return PhoneInput(
        model=before["model"],
        site=before["site"],
        group=before["group"],
        clear_group=before["group"] is None,
        layout=before.get("layout"),  # changes from before there were layouts do not name one
        clear_layout="layout" in before and before["layout"] is None,
        keeps_hidden=True,
        enabled=before["enabled"],
        modules=before["modules"],
        firmware=before["firmware"],
        settings={**before["settings"], **hidden},
        lines=[LineInput(line, extension, label) for line, extension, label in before["lines"]],
        keys=[KeyInput(key, type_, value, label, module, line) for module, key, type_, value, label, line in before["keys"]],
    )
