"""Changes and their undoing as the commands ask for them: of the installation of this machine, or of a server elsewhere over its API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from provisioner.commands.asking import asked, listed, seconds
from provisioner.commands.output import plain
from provisioner.core.mac import Mac, try_parse
from provisioner.errors import NotFound
from provisioner.records import ChangeRecord

if TYPE_CHECKING:
    from provisioner.client import Client
    from provisioner.commands.session import Session
    from provisioner.wiring import Installation


@dataclass(frozen=True, slots=True)
class Thing:
    """What a change made of one of many things, or a thing that was changed since."""

    noun: str
    subject: str
    told: Any
    """Fields before and after, or the names of those that are otherwise by now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What undoing would come to."""

    later: int
    since: Sequence[Thing]
    lost: Sequence[str]
    touched: int
    macs: Sequence[str]
    """The first of the phones whose files would be made anew."""


class Undoes(Protocol):
    """Reads and undoes changes."""

    def changes(self, subject: str, limit: int) -> list[ChangeRecord]: ...

    def change(self, number: int) -> ChangeRecord: ...

    def parts(self, number: int) -> list[Thing]: ...

    def outcome(self, number: int) -> Outcome: ...

    def undo(self, number: int, *, over_later: bool) -> Sequence[str]: ...


def undoing_of(session: Session) -> Undoes:
    """Returns what reads and undoes the changes that the run is to work on."""
    return Far(session.remote.client) if session.remote else Here(session.installation, session.actor)


class Here:
    """Of this machine."""

    def __init__(self, place: Installation, actor: str) -> None:
        from provisioner.changes.undoing import Undoing

        self._place = place
        self._actor = actor
        self._undoing = Undoing(place.store, place.changes)

    def changes(self, subject: str, limit: int) -> list[ChangeRecord]:
        mac = try_parse(subject)
        return self._place.store.changes(subject=mac if isinstance(mac, Mac) else subject, limit=limit)

    def change(self, number: int) -> ChangeRecord:
        record = self._place.store.change(number)
        if record is None:
            raise NotFound({"id": f"there is no change {number}"})
        return record

    def parts(self, number: int) -> list[Thing]:
        rows = self._place.store.change_parts(number)
        return [Thing(row.noun, _named(row.noun, row.subject), {"before": row.before, "after": row.after}) for row in rows]

    def outcome(self, number: int) -> Outcome:
        from provisioner.changes.rehearsing import Rehearsal, TakenBack
        from provisioner.changes.undoing import Undoing

        record, place = self.change(number), self._place
        found = self._undoing.outlook(record)
        since = [Thing(each.part.noun, _named(each.part.noun, each.part.subject), each.changed) for each in found.since]
        touched, macs = 0, list[str]()
        try:
            Undoing(place.store, Rehearsal(place.changes, None)).undo(self._actor, record, found.revision, over_later=True)
        except TakenBack as done:
            touched, macs = done.outcome.touched, [row.mac.colons for row in done.outcome.phones]
        return Outcome(len(found.later), since, found.lost, touched, macs)

    def undo(self, number: int, *, over_later: bool) -> Sequence[str]:
        record = self.change(number)
        return self._undoing.undo(self._actor, record, self._undoing.outlook(record).revision, over_later=over_later)


class Far:
    """Of a server elsewhere."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def changes(self, subject: str, limit: int) -> list[ChangeRecord]:
        rows = self._client.changes.list(subject=subject or None, limit=min(limit, 500))
        return [_record(row) for row in listed(rows, limit)]

    def change(self, number: int) -> ChangeRecord:
        return _record(asked(self._client.changes.show, number))

    def parts(self, number: int) -> list[Thing]:
        rows = listed(self._client.changes.parts(number), 1_000_000)
        return [Thing(row["noun"], row["subject"], {"before": row["before"], "after": row["after"]}) for row in rows]

    def outcome(self, number: int) -> Outcome:
        found = asked(self._client.changes.undo_outlook, number)
        body = {"method": "POST", "path": f"/api/v1/changes/{number}/undo", "body": {"over_later": True}}
        would = asked(self._client.preview.create, body)
        since = [Thing(each["noun"], each["subject"], each["fields"]) for each in found["since"]]
        return Outcome(len(found["later"]), since, found["lost"], would["touched"], [row["mac"] for row in would["phones"]])

    def undo(self, number: int, *, over_later: bool) -> Sequence[str]:
        lost: Sequence[str] = asked(self._client.changes.undo, number, {"over_later": over_later})["lost"]
        return lost


def _record(row: Mapping[str, Any]) -> ChangeRecord:
    return ChangeRecord(**{**row, "at": seconds(row["at"])})


def _named(noun: str, subject: str) -> str:
    return str(plain(Mac(subject))) if noun == "phone" else subject
