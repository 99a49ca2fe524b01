"""Undoing a change of many things - an import, a layout given to many phones - in one transaction and a handful of statements.

What it made is taken away again, what it changed gets back the fields that it changed, and what it took away is listed anew. All or
nothing: where one thing cannot go back, all of them stay, and what stands in the way is named.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.changes.bulk import BulkWrites, ExtensionRow, PhoneRow
from provisioner.changes.keys import key_inputs, key_mistakes, layout_mistake
from provisioner.changes.layouts import LayoutWrites
from provisioner.changes.parts import Standing, extension_part, gone_part, listed_anew, phone_part, stood, told, way_back
from provisioner.changes.phones import LineInput, checked_settings, line_mistakes, raw_mistakes
from provisioner.changes.unit import Unit
from provisioner.core.laying import LayoutRecord
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NeedsConfirmation
from provisioner.models import extension, pbx_removal, phone_line
from provisioner.records import ChangeRecord, ExtensionRecord, PhoneRecord
from provisioner.store import CHUNK

UNDONE_BY: Mapping[str, str] = {
    "import.commit": "import.undo",
    "import.undo": "import.undo",
    "layout.assign": "layout.undo",
    "layout.undo": "layout.undo",
}
"""Kinds of changes of many things -> the kind that undoing one is, which can be undone in its turn."""
Things = Mapping[tuple[str, str], PhoneRecord | ExtensionRecord]


@dataclass(slots=True)
class WayBack:
    """What has to be written."""

    extensions: list[ExtensionRow] = field(default_factory=list)
    phones: list[PhoneRow] = field(default_factory=list)
    gone_extensions: list[ExtensionRecord] = field(default_factory=list)
    gone_phones: list[PhoneRecord] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each are made again, put back and taken away."""
        found = {
            "phones_listed": sum(row.before is None for row in self.phones),
            "phones_put_back": sum(row.before is not None for row in self.phones),
            "phones_taken_off": len(self.gone_phones),
            "extensions_made": sum(row.before is None for row in self.extensions),
            "extensions_put_back": sum(row.before is not None for row in self.extensions),
            "extensions_deleted": len(self.gone_extensions),
        }
        return {name: count for name, count in found.items() if count}


class RestoreWrites(BulkWrites, LayoutWrites):
    """Undoes changes of many things."""

    def undo_many(self, actor: str, record: ChangeRecord, expected: int | None = None, *, over_later: bool = False) -> None:
        """Puts back what was before ``record``; ``expected`` is the ``standing`` that the caller saw.

        Raises ``NeedsConfirmation`` naming the things that are otherwise by now than the change left them, unless ``over_later``: then
        those go back as well, and what is no longer there stays away. Raises ``StaleWrite``, ``RenderError``, and ``InputError`` naming
        what cannot go back.
        """
        with self.unit(actor) as unit:
            standings = self.standings(record, unit.connection)
            if not standings:
                raise InputError({"id": "this change was made by an older version, which kept nothing of what was before"})
            unit.expect(standing(standings), expected)
            since = [each for each in standings if each.is_gone or each.changed]
            if since and not over_later:
                raise NeedsConfirmation(f"changed since: {told(since)}: confirm that these are undone too")
            way = self._way(standings)
            if mistakes := self._restore_mistakes(unit, way) | _refused(standings):
                raise InputError(mistakes)
            self._go_back(unit, record, way)

    def standings(self, record: ChangeRecord, connection: Connection | None = None) -> list[Standing]:
        """Returns what the change made of each thing, beside what there is now of it."""
        if connection is None:
            with self.store.database.read() as own:
                return self.standings(record, own)
        parts = self.store.change_parts(record.id, connection)
        macs = [Mac(part.subject) for part in parts if part.noun == "phone"]
        numbers = [part.subject for part in parts if part.noun == "extension"]
        found: dict[tuple[str, str], PhoneRecord | ExtensionRecord] = {}
        for start in range(0, len(macs), CHUNK):
            found |= {("phone", each.mac): each for each in self.store.phones_named(macs[start : start + CHUNK], connection)}
        for each in self.store.extensions_named(numbers, connection):
            found["extension", each.number] = each
        return stood(parts, found)

    def _way(self, standings: Sequence[Standing]) -> WayBack:
        way = WayBack()
        for each in standings:
            part, record = each.part, each.record
            if isinstance(record, PhoneRecord) and part.before is None:
                way.gone_phones.append(record)
            elif isinstance(record, ExtensionRecord) and part.before is None:
                way.gone_extensions.append(record)
            elif isinstance(record, PhoneRecord) and part.after is not None:
                way.phones.append(PhoneRow(**way_back(part, record)))
            elif isinstance(record, ExtensionRecord) and part.after is not None:
                way.extensions.append(ExtensionRow(record.number, dict(part.before or {}), record))
            elif record is None and part.after is None and part.noun == "phone":
                way.phones.append(PhoneRow(**listed_anew(part)))
            elif record is None and part.after is None:
                way.extensions.append(ExtensionRow(part.subject, dict(part.before or {})))
        return way

    def _go_back(self, unit: Unit, record: ChangeRecord, way: WayBack) -> None:
        numbers = [row.number for row in way.extensions] + [row.number for row in way.gone_extensions]
        named = self.store.phones_of_extensions(numbers, unit.connection)
        for start in range(0, len(way.gone_phones), CHUNK):
            self.take_off(unit, way.gone_phones[start : start + CHUNK])
        self.write_rows(unit, way.extensions, way.phones)
        self._delete_extensions(unit, way.gone_extensions)
        stay = (named | {row.mac for row in way.phones}) - {row.mac for row in way.gone_phones}
        touched = unit.rerender(stay) + len(way.gone_phones)
        secret = self.secrecy()
        parts = [*map(extension_part, way.extensions), *(phone_part(row, secret) for row in way.phones)]
        parts += [*map(gone_part, way.gone_extensions), *map(gone_part, way.gone_phones)]
        unit.log(UNDONE_BY[record.action], record.subject, None, {"change": record.id, **way.counts}, touched, parts)

    def _delete_extensions(self, unit: Unit, records: Sequence[ExtensionRecord]) -> None:
        """Deletes extensions. Raises ``InputError`` naming those that are on a line of a phone, or somebody's own."""
        numbers = [record.number for record in records]
        mistakes = self._in_use(unit, numbers)
        if mistakes:
            raise InputError(mistakes)
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            unit.connection.execute(extension.delete().where(extension.c.number.in_(part)))
            unit.connection.execute(pbx_removal.delete().where(pbx_removal.c.number.in_(part)))
            unit.connection.execute(pbx_removal.insert(), [{"number": number} for number in part])
        self.members_changed(unit, [record.department for record in records])

    def _in_use(self, unit: Unit, numbers: Sequence[str]) -> dict[str, str]:
        users: dict[str, list[str]] = {}
        for start in range(0, len(numbers), CHUNK):
            query = sa.select(phone_line.c.extension, phone_line.c.mac).where(phone_line.c.extension.in_(numbers[start : start + CHUNK]))
            for number, mac in unit.connection.execute(query.order_by(phone_line.c.extension, phone_line.c.mac)):
                users.setdefault(number, []).append(Mac(mac).colons)
        mistakes = {
            f"extensions.{number}": f"extension {number} is on a line of {', '.join(macs[:5])}: take it off there first"
            for number, macs in users.items()
        }
        own = {number for record in self.store.users(unit.connection) for number in record.extensions or ()} if numbers else set()
        return mistakes | {
            f"extensions.{number}": f"extension {number} is the own one of a user: give them another one first"
            for number in numbers
            if number in own
        }

    def _restore_mistakes(self, unit: Unit, way: WayBack) -> dict[str, str]:
        """Returns why phones cannot go back: what they had is no longer there, or does not fit any more."""
        sites = {site.name for site in self.store.sites(unit.connection)}
        groups = {group.name for group in self.store.groups(unit.connection)}
        layouts = {name: self.store.layout(name, unit.connection) for name in {row.layout for row in way.phones} if name}
        wanted = {line.extension for row in way.phones for line in row.lines or ()}
        numbers = {each.number for each in self.store.extensions_named(sorted(wanted), unit.connection)}
        numbers |= {row.number for row in way.extensions if row.before is None}
        numbers -= {row.number for row in way.gone_extensions}
        there = {"site": sites, "group": groups, "layout": {name for name, layout in layouts.items() if layout}}
        mistakes = {
            f"extensions.{row.number}": f"there is no site {row.given['site'][:60]}"
            for row in way.extensions
            if row.given.get("site") and row.given["site"] not in sites
        }
        for row in way.phones:
            mistakes |= _missing(row, there) or self._unfit_phone(row, layouts, numbers)
        return mistakes

    def _unfit_phone(self, row: PhoneRow, layouts: Mapping[str, LayoutRecord | None], numbers: set[str]) -> dict[str, str]:
        model = self.store.catalogue.model(row.model)
        if model is None:
            return {f"phones.{row.mac.colons}": f"the catalogue has no model {row.model[:60]}; 'provisioner check' lists them"}
        before = row.before
        found = line_mistakes(model, row.lines or (), numbers.__contains__)
        if before is None or before.model != row.model:  # what stays has to fit the model that comes back
            kept = [LineInput(line.line, line.extension, line.label) for line in before.lines] if before and row.lines is None else []
            found |= line_mistakes(model, kept, lambda _: True)
        if before is None or before.model != row.model or row.keys is not None:
            keys = row.keys if row.keys is not None else key_inputs(before.keys) if before else ()
            found |= key_mistakes(model, keys, row.modules)
        layout = layouts.get(row.layout or "")
        if layout is not None and (before is None or (before.model, before.layout) != (row.model, row.layout)):
            why = layout_mistake(model, layout)
            found |= {"layout": f"the {model.title} cannot have the layout {layout.name}: {why}"} if why else {}
        found |= raw_mistakes(self.store.catalogue.vendors[model.vendor], model, row.settings)
        try:
            checked_settings(self.store.catalogue, {name: value for name, value in row.settings.items() if value is not None}, {})
        except InputError as error:
            found |= error.fields
        return {f"phones.{row.mac.colons}.{name}": f"{row.mac.colons}: {sentence}" for name, sentence in found.items()}


def standing(standings: Sequence[Standing]) -> int:
    """Returns a number that is another one once any of the things was changed, as a revision is."""
    rows = [f"{each.part.noun}:{each.part.subject}:{each.record.revision if each.record else 0}" for each in standings]
    return zlib.crc32("\n".join(sorted(rows)).encode()) % 1_000_000_000  # nine digits, as forms take them


def _refused(standings: Sequence[Standing]) -> dict[str, str]:
    """Returns what the change took away and is there again: which of the two is meant nobody but a person knows."""
    found: dict[str, str] = {}
    for each in standings:
        if each.is_back and each.part.noun == "phone":
            mac = Mac(each.part.subject).colons
            found[f"phones.{mac}"] = f"phone {mac} is listed already"
        elif each.is_back:
            found[f"extensions.{each.part.subject}"] = f"extension {each.part.subject} exists already"
    return found


def _missing(row: PhoneRow, there: Mapping[str, set[str]]) -> dict[str, str]:
    """Returns what the phone had and is no longer there."""
    found: dict[str, str] = {}
    if row.site not in there["site"]:
        found["site"] = f"there is no site {row.site[:60]}"
    if row.group and row.group not in there["group"]:
        found["group"] = f"there is no group {row.group[:60]}"
    if row.layout and row.layout not in there["layout"]:
        found["layout"] = f"there is no layout {row.layout[:60]}"
    return {f"phones.{row.mac.colons}.{name}": f"{row.mac.colons}: {sentence}" for name, sentence in found.items()}
