"""Judges one row by itself: what it asks for, and what is wrong with it. Whether rows fit each other is ``planning``'s business."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from provisioner.changes.bulk import ExtensionRow, PhoneRow
from provisioner.changes.extensions import checked_extension
from provisioner.changes.keys import key_inputs, key_mistakes, layout_mistake
from provisioner.changes.phones import SHOWN_SECRET, LineInput, line_mistakes
from provisioner.core.catalogue import Model
from provisioner.core.mac import InvalidMac, Mac
from provisioner.core.settings_check import checked_setting
from provisioner.core.values import SettingValue
from provisioner.errors import InputError
from provisioner.importing.columns import is_clearable, numbers_of
from provisioner.importing.judging_keys import fitting_keys, needed_modules, shown_keys
from provisioner.importing.values import Difference, ImportMistake, ParsedRow
from provisioner.importing.world import World
from provisioner.records import PhoneRecord

DETAILS = ("display_name", "secret", "email", "department")
_WORDS = {"yes": True, "true": True, "on": True, "1": True, "x": True, "no": False, "false": False, "off": False, "0": False}
_MENDS = {
    "mac": "write twelve hex digits, for example 80:5e:c0:aa:bb:cc",
    "extension": "write the number, for example 1001",
    "email": "write it as name@example.com, or leave it empty",
    "secret": "leave it empty: one is made",
    "display_name": "shorten it, or take the line break out",
    "department": "shorten it, or take the line break out",
}


@dataclass(slots=True)
class Candidate:
    """A row on its way to the plan. ``mistakes`` may still grow when rows are compared."""

    line: int
    mistakes: list[ImportMistake] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mac: Mac | None = None
    number: str | None = None
    extension: ExtensionRow | None = None
    phone: PhoneRow | None = None
    differences: list[Difference] = field(default_factory=list)
    source: str = ""
    references: dict[str, str] = field(default_factory=dict)
    """Column -> extension that a line of this row names and that must be there, or be made by the file."""

    def refuse(self, column: str, sentence: str, mend: str = "") -> None:
        self.mistakes.append(ImportMistake(self.line, column, sentence, mend, self.source))

    def compare(self, column: str, before: object, after: object) -> bool:
        """Notes a value that would change; returns whether it does."""
        if before == after:
            return False
        self.differences.append(Difference(column, _shown(before), _shown(after)))
        return True


def judged(row: ParsedRow, world: World) -> Candidate:
    """Returns what the row asks for, with everything that is wrong with it."""
    candidate = Candidate(row.line, source=row.source)
    for column, cell in row.cells.items():
        if cell is None and not is_clearable(column):
            candidate.refuse(column, "this cannot be taken away", "leave the cell empty to keep what is there")
    candidate.mac = _mac(row, candidate)
    candidate.number = _number(row, candidate)
    if candidate.number:
        _judge_extension(row, world, candidate, candidate.number)
    if candidate.mac:
        _judge_phone(row, world, candidate, candidate.mac)
    elif not candidate.mistakes:
        _judge_without_mac(row, candidate)
    return candidate


def _mac(row: ParsedRow, candidate: Candidate) -> Mac | None:
    text = row.cells.get("mac")
    if not text:
        return None
    try:
        return Mac.parse(text)
    except InvalidMac as error:
        mend = _MENDS["mac"]
        if re.fullmatch(r"\d{6,11}|\d[.,]\d+[eE]\+?\d+", text):
            mend = "the spreadsheet took it for a number: give the column the format Text and enter it again"
        candidate.refuse("mac", str(error), mend)
        return None


def _number(row: ParsedRow, candidate: Candidate) -> str | None:
    """Returns the extension that the row makes or changes: ``extension``, or line 1 where the row describes its extension."""
    own, first = row.cells.get("extension"), row.cells.get("line1")
    if own and first and own != first:
        candidate.refuse("line1", f"line 1 is {first} and extension is {own}", "keep one of them: extension is what line 1 gets")
    details = [name for name in DETAILS if name in row.cells]
    if own or not details:
        return own or None
    if not first:
        candidate.refuse(details[0], "this describes an extension, and the row names none", "fill in the column extension")
    return first or None


def _judge_extension(row: ParsedRow, world: World, candidate: Candidate, number: str) -> None:
    given = {name: row.cells[name] or "" for name in DETAILS if name in row.cells}
    try:
        checked = checked_extension(number, given)
    except InputError as error:
        for name, sentence in error.fields.items():
            column = "extension" if name == "number" else name
            candidate.refuse(column, sentence, _MENDS.get(column, ""))
        return
    before = world.extensions.get(number)
    if before is None:
        candidate.extension = ExtensionRow(number, checked)
        return
    changed = {name: value for name, value in checked.items() if name != "secret" and candidate.compare(name, getattr(before, name), value)}
    if checked.get("secret") and checked["secret"] != world.secrets.get(number):
        changed["secret"] = checked["secret"]
        candidate.differences.append(Difference("secret", "***", "***"))
    if changed:
        candidate.extension = ExtensionRow(number, changed, before)


def _judge_without_mac(row: ParsedRow, candidate: Candidate) -> None:
    if candidate.number is None:
        candidate.refuse("", "the row names neither a MAC nor an extension", "fill in one of them, or take the row out")
        return
    unused = sorted(name for name in row.cells if name not in {"extension", *DETAILS} and not (name == "line1" and row.cells[name]))
    if unused:
        candidate.notes.append(f"line {row.line}: without a MAC only the extension is made; {', '.join(unused)} not used")


def _judge_phone(row: ParsedRow, world: World, candidate: Candidate, mac: Mac) -> None:
    before = world.phones.get(mac)
    model = _model(row, world, candidate, before)
    site = row.cells.get("site") or (before.site if before else "default")
    if site not in world.sites:
        candidate.refuse("site", f"there is no site {site[:60]}", f"make it first: provisioner site add '{site[:60]}'")
    group = row.cells.get("group", before.group if before else None)
    if group and group not in world.groups:
        candidate.refuse("group", f"there is no group {group[:60]}", "make the group first, or leave the cell empty")
    layout = _layout(row, world, candidate, before)
    enabled = _enabled(row, candidate, before)
    settings = _settings(row, world, candidate, before)
    lines = _lines(row, candidate, before)
    if model is None or candidate.mistakes:
        return
    _check_lines(model, lines, candidate)
    keys = fitting_keys(model, row, before, candidate.notes)
    if before is not None and model.id != before.model and keys is None:
        _check_keys(model, before, candidate)
    if layout and layout in world.layouts and (why := layout_mistake(model, world.layouts[layout])):
        candidate.refuse("layout", f"the {model.title} cannot have this layout: {why}", "choose another layout")
    _note_other_maker(world, candidate, mac, model)
    wanted = PhoneRow(
        mac,
        model.id,
        site,
        group or None,
        enabled,
        tuple(lines.values()),
        settings,
        before,
        layout,
        needed_modules(keys, before),
        keys=keys,
    )
    candidate.phone = wanted if before is None or _differs(candidate, before, wanted, world) else None
    if candidate.phone and before and before.retired_at is not None:
        candidate.refuse("mac", "this phone is taken out of service", "take it back into service first, or take the row out")


def _model(row: ParsedRow, world: World, candidate: Candidate, before: PhoneRecord | None) -> Model | None:
    text = row.cells.get("model") or (before.model if before else "")
    if not text:
        candidate.refuse("model", "a phone that is not listed yet needs a model", "write it, for example yealink/t46u")
        return None
    model = world.model(text)
    if model is None:
        near = world.near_models(text)
        mend = f"did you mean {' or '.join(near)}?" if near else "'provisioner check' lists the models"
        candidate.refuse("model", f"the catalogue has no model '{text[:60]}'", mend)
    return model


def _layout(row: ParsedRow, world: World, candidate: Candidate, before: PhoneRecord | None) -> str | None:
    """Returns the layout that the phone would have."""
    if "layout" not in row.cells:
        return before.layout if before else None
    name = row.cells["layout"]
    if name and name not in world.layouts:
        candidate.refuse("layout", f"there is no layout {name[:60]}", "make the layout first, or leave the cell empty")
    return name


def _enabled(row: ParsedRow, candidate: Candidate, before: PhoneRecord | None) -> bool:
    text = row.cells.get("enabled")
    if not text:
        return before.enabled if before else True
    if text.lower() not in _WORDS:
        candidate.refuse("enabled", f"'{text[:20]}' is neither yes nor no", "write yes or no")
    return _WORDS.get(text.lower(), True)


def _settings(row: ParsedRow, world: World, candidate: Candidate, before: PhoneRecord | None) -> dict[str, SettingValue | None]:
    """Returns the settings of the phone's own layer that would change; None for one that is taken off."""
    now: Mapping[str, SettingValue] = {
        **(before.settings if before else {}),
        **world.secret_settings.get(before.mac if before else Mac(""), {}),
    }
    changed: dict[str, SettingValue | None] = {}
    for column, cell in row.cells.items():
        if not column.startswith("setting:"):
            continue
        name = column.removeprefix("setting:")
        if cell == SHOWN_SECRET:  # as the pages show a secret that is there: it stays
            continue
        try:
            value = None if cell is None else checked_setting(world.catalogue.settings, world.catalogue.zones, name, cell)
        except InputError as error:
            candidate.refuse(column, next(iter(error.fields.values())))
            continue
        if value != now.get(name):
            changed[name] = value
    return changed


def _lines(row: ParsedRow, candidate: Candidate, before: PhoneRecord | None) -> dict[int, LineInput]:
    """Returns the phone's lines as they would be: those of the row over those that are there."""
    lines = {line.line: LineInput(line.line, line.extension, line.label) for line in before.lines} if before else {}
    for at, column, number in _named_lines(row):
        if number is None:
            lines.pop(at, None)
            continue
        if at not in lines or lines[at].extension != number:
            lines[at] = LineInput(at, number)  # the old label told of the old extension
        candidate.references[column] = number
    for at in numbers_of(row.cells, "label"):
        if at in lines:
            lines[at] = LineInput(at, lines[at].extension, row.cells[f"label{at}"] or "")
        elif row.cells[f"label{at}"]:
            candidate.refuse(f"label{at}", f"line {at} has no extension", f"fill in line{at}, or take the label out")
    return dict(sorted(lines.items()))


def _named_lines(row: ParsedRow) -> Iterator[tuple[int, str, str | None]]:
    """Yields (line, column, extension) of each line that the row names; None for a line to be taken off."""
    own = row.cells.get("extension")
    if own:
        yield 1, "extension", own
    for at in numbers_of(row.cells, "line"):
        if not (at == 1 and own):
            yield at, f"line{at}", row.cells[f"line{at}"]


def _check_lines(model: Model, lines: Mapping[int, LineInput], candidate: Candidate) -> None:
    ordered = list(lines.values())
    for path, sentence in line_mistakes(model, ordered, lambda _: True).items():
        _, at, name = path.split(".")
        line = ordered[int(at)].line
        column = f"label{line}" if name == "label" else f"line{line}"
        candidate.refuse(column, sentence, "shorten it" if name == "label" else "choose a line that the model has")


def _check_keys(model: Model, before: PhoneRecord, candidate: Candidate) -> None:
    for sentence in sorted(set(key_mistakes(model, key_inputs(before.keys), None).values())):
        candidate.refuse("model", f"the keys of this phone do not fit: {sentence}", "lay its keys out anew first")


def _note_other_maker(world: World, candidate: Candidate, mac: Mac, model: Model) -> None:
    vendor = world.catalogue.vendor_of_oui(mac.oui)
    if vendor is not None and vendor != model.vendor:
        maker = world.catalogue.vendors[vendor].name
        candidate.notes.append(f"line {candidate.line}: {mac.colons} is an address of {maker}, and the model is {model.title}")


def _differs(candidate: Candidate, before: PhoneRecord, wanted: PhoneRow, world: World) -> bool:
    """Notes what would change of a phone that is listed; returns whether anything does."""
    found = [
        candidate.compare(name, getattr(before, name), getattr(wanted, name)) for name in ("model", "site", "group", "layout", "enabled")
    ]
    old, new = {line.line: line for line in before.lines}, {line.line: line for line in wanted.lines or ()}
    for at in sorted(old.keys() | new.keys()):
        for kind, name in (("line", "extension"), ("label", "label")):
            found.append(candidate.compare(f"{kind}{at}", getattr(old.get(at), name, ""), getattr(new.get(at), name, "")))
    own = key_inputs(before.keys)
    if wanted.keys is not None and wanted.keys != own:
        candidate.differences.append(Difference("keys", shown_keys(own), shown_keys(wanted.keys)))
        found.append(True)
    for name, value in wanted.settings.items():
        row = world.catalogue.settings.get(name)
        if row is not None and row.type == "secret":
            candidate.differences.append(Difference(f"setting:{name}", "***", "***"))
            found.append(True)
        else:
            found.append(candidate.compare(f"setting:{name}", before.settings.get(name), value))
    return any(found)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
