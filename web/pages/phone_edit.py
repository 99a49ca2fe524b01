"""Listing a phone, and editing what it is: model, site, lines. The second of two editors sees what the first one saved, and loses nothing."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, installation
from provisioner.api.phones import found_phone
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.catalogue import Model
from provisioner.core.mac import InvalidMac, Mac
from provisioner.errors import InputError, RenderError, StaleWrite
from provisioner.records import ChangeRecord, PhoneRecord
from web.forms import choices, number_of, revision_of, whole
from web.guard import needs
from web.i18n import _
from web.merging import Merged, merged
from web.page import done, mistakes_of, page
from web.previewing import saved

pages = Blueprint("phone_edit", __name__)
LINES_SHOWN = 4
PLAIN = ("model", "site", "group", "enabled", "firmware", "modules")
WAS = "was."
"""Before the names of the fields that say what the form was made with."""


@pages.get("/phones/new")
@needs("technician")
def new() -> Response:
    """The form for a new phone; the address may say what is known of it already."""
    values = {
        "site": "default",
        "enabled": "yes",
        **{name: request.args[name] for name in ("mac", "model", "site") if name in request.args},
    }
    return _new_page(values, {})


@pages.post("/phones/new")
@needs("technician")
def create() -> Response:
    """Lists a phone, and makes the extension of its first line where a name for a new one is given."""
    given = request.form
    try:
        mac = Mac.parse(given.get("mac", "").strip())
    except InvalidMac as error:
        return _new_page(given, {"mac": str(error)}, 422)
    try:
        installation().changes.create_phone(actor(), mac, phone_input(given))
    except (InputError, RenderError) as error:
        return _new_page(given, mistakes_of(error), 422)
    return done(_("%(mac)s is listed. Its first fetch is open from now.", mac=mac.colons), url_for("web.phone.index", mac=mac.colons))


@pages.get("/phones/<string:mac>/edit")
@needs("technician")
def edit(mac: str) -> Response:
    """The form of a phone."""
    record = found_phone(mac)
    return _edit_page(record, flat(record), {})


@pages.post("/phones/<string:mac>/edit")
@needs("technician")
def save(mac: str) -> Response:
    """Saves it; where somebody else saved meanwhile, shows both."""
    record, given = found_phone(mac), request.form
    if "again" in given:
        return _edit_page(record, flat_given(given), {}, made_with=given)
    expected = revision_of(given)
    try:
        preview = saved(lambda changes: changes.update_phone(actor(), record.mac, phone_input(given), expected), record.mac.colons)
    except StaleWrite:
        now = found_phone(mac)
        base = {name.removeprefix(WAS): value for name, value in given.items() if name.startswith(WAS)}
        both = merged(base, flat_given(given), flat(now))
        return _edit_page(now, both.values, {}, 409, both=both, others=_changes_of_others(now, given))
    except (InputError, RenderError) as error:
        return _edit_page(record, flat_given(given), mistakes_of(error), 422, made_with=given)
    return preview or done(_("Saved."), url_for("web.phone.index", mac=record.mac.colons))


def phone_input(given: Mapping[str, str]) -> PhoneInput:
    """Returns what a form says of a phone. Raises ``InputError`` for a number that is none."""
    group = given.get("group", "")
    return PhoneInput(
        model=given.get("model") or None,
        site=given.get("site") or None,
        group=group or None,
        clear_group=not group,
        enabled=given.get("enabled") == "yes",
        modules=number_of(given, "modules"),
        firmware=given.get("firmware", "").strip(),
        lines=[
            LineInput(line, extension, given.get(f"line.{line}.label", "").strip())
            for line in _lines_of(given)
            if (extension := given.get(f"line.{line}.extension", "").strip())
        ],
    )


def flat(record: PhoneRecord) -> dict[str, str]:
    """Returns a phone as the fields of its form."""
    values = {
        "model": record.model,
        "site": record.site,
        "group": record.group or "",
        "enabled": "yes" if record.enabled else "",
        "firmware": record.firmware,
        "modules": str(record.modules),
    }
    for line in record.lines:
        values |= {f"line.{line.line}.extension": line.extension, f"line.{line.line}.label": line.label}
    return values


def flat_given(given: Mapping[str, str]) -> dict[str, str]:
    """Returns what was written into the form of a phone, field by field."""
    values = {name: given.get(name, "").strip() for name in PLAIN}
    for line in _lines_of(given):
        values |= {name: given.get(name, "").strip() for name in (f"line.{line}.extension", f"line.{line}.label")}
    return values


def _lines_of(given: Mapping[str, str]) -> list[int]:
    parts = (name.split(".") for name in given if name.startswith("line.") and name.endswith(".extension"))
    return sorted(line for part in parts if len(part) == 3 and (line := whole(part[1], 3)) is not None)


def _new_page(values: Mapping[str, str], mistakes: Mapping[str, str], status: int = 200) -> Response:
    return page("phone_new.html", status, values=values, mistakes=by_field(mistakes, values), lines=range(1, 3), **choices())


def _edit_page(
    record: PhoneRecord,
    values: Mapping[str, str],
    mistakes: Mapping[str, str],
    status: int = 200,
    *,
    both: Merged | None = None,
    others: list[ChangeRecord] | None = None,
    made_with: Mapping[str, str] | None = None,
) -> Response:
    """``made_with`` keeps, after a mistake, what the form was first made with: the next try is still held to that."""
    model = installation().catalogue.model(record.model)
    was = flat(record) if made_with is None else {name.removeprefix(WAS): text for name, text in made_with.items() if name.startswith(WAS)}
    revision = record.revision if made_with is None else made_with.get("revision", "")
    return page(
        "phone_edit.html", status, phone=record, values=values, mistakes=by_field(mistakes, values), was=was, revision=revision, both=both,
        others=others or [], lines=_shown_lines(model, values), most_modules=model.expansion.modules if model and model.expansion else 0, **choices(),
    )  # fmt: skip


def _shown_lines(model: Model | None, values: Mapping[str, str]) -> range:
    used = max((line for line in _lines_of(values) if values.get(f"line.{line}.extension")), default=0)
    most = max(model.lines if model else 1, used)
    return range(1, min(most, max(LINES_SHOWN, used + 1)) + 1)


def by_field(mistakes: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Returns the mistakes by field of the form: ``lines.0.extension`` is that of the first line that was filled in."""
    filled = [line for line in _lines_of(values) if values.get(f"line.{line}.extension")]
    found: dict[str, str] = {}
    for name, sentence in mistakes.items():
        parts = name.split(".")
        if parts[0] == "lines" and len(parts) == 3 and (at := whole(parts[1], 3)) is not None and at < len(filled):
            where = f"line.{filled[at]}.{'extension' if parts[2] == 'line' else parts[2]}"
            found[where] = sentence
        else:
            found[name] = sentence
    return found


def _changes_of_others(record: PhoneRecord, given: Mapping[str, str]) -> list[ChangeRecord]:
    """Returns what was changed of the phone since the form was made, the newest first."""
    missed = max(1, record.revision - (revision_of(given) or 0))
    return installation().store.changes(subject=record.mac, limit=min(missed, 5))
