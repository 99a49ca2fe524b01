"""Key layouts: keys that phones share, drawn on one of the models that have them; slots are left to each phone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, installation
from provisioner.api.layouts import found_layout
from provisioner.changes import KeyInput, LayoutKeyInput
from provisioner.changes.keys import key_mistakes
from provisioner.core.catalogue import Model
from provisioner.core.laying import LayoutRecord
from provisioner.core.values import KEY_TYPES
from provisioner.errors import InputError, RenderError, StaleWrite
from web import keys
from web.forms import choices, revision_of
from web.guard import needs, of_installation
from web.i18n import _
from web.merging import merged
from web.page import done, mistakes_of, page
from web.pages.keys import moved, names_of, opened, people, placed
from web.pages.phones import models_listed
from web.previewing import saved

pages = Blueprint("layouts", __name__)
Rows = dict[keys.Place, LayoutKeyInput]


@pages.get("/layouts")
def index() -> Response:
    """All layouts."""
    return _index({}, {})


@pages.post("/layouts")
@needs("technician")
@of_installation
def create() -> Response:
    """Makes an empty layout."""
    name = request.form.get("name", "").strip()
    if installation().store.layout(name):
        return _index(request.form, {"name": _("There is a layout of this name already.")}, 409)
    try:
        installation().changes.put_layout(actor(), name, [], 0)
    except InputError as error:
        return _index(request.form, mistakes_of(error), 422)
    return done(_("%(name)s is made. Lay out its keys.", name=name), url_for(".show", name=name))


@pages.get("/layouts/<string:name>")
def show(name: str) -> Response:
    """One layout, on a phone."""
    record = found_layout(name)
    return _editor(record, rows_of(record))


@pages.post("/layouts/<string:name>")
@needs("technician")
@of_installation
def save(name: str) -> Response:
    """Saves a layout, or takes what was typed of one key into the drawing."""
    record, given = found_layout(name), request.form
    rows = _taken(unpacked(given.get("keys", "")), given)
    if not {"save", "preview"} & given.keys():
        return _editor(record, rows, made_with=given, open_place=given.get("edit", ""))
    try:
        preview = saved(lambda changes: changes.put_layout(actor(), name, list(rows.values()), revision_of(given)), name)
    except StaleWrite:
        return _merged(found_layout(name), rows, unpacked(given.get("was", "")))
    except (InputError, RenderError) as error:
        return _editor(record, rows, 422, made_with=given, mistakes=mistakes_of(error))
    return preview or done(_("%(name)s is saved; its phones: %(phones)s.", name=name, phones=record.phones), url_for(".show", name=name))


@pages.post("/layouts/<string:name>/check")
@needs("technician")
def check(name: str) -> Response:
    """Says while one lays keys out what does not fit the model that is drawn, and the models of the phones that have the layout."""
    record = found_layout(name)
    return page("layout_verdict.html", **_verdict(record, _taken(unpacked(request.form.get("keys", "")), request.form), _model(record)))


@pages.post("/layouts/<string:name>/delete")
@needs("technician")
@of_installation
def delete(name: str) -> Response:
    """Removes a layout that no phone has."""
    record = found_layout(name)
    try:
        installation().changes.delete_layout(actor(), name)
    except InputError as error:
        return _editor(record, rows_of(record), 422, mistakes=mistakes_of(error))
    return done(_("%(name)s is deleted.", name=name), url_for(".index"))


def rows_of(record: LayoutRecord) -> Rows:
    return {
        (row.key.module, row.key.key): LayoutKeyInput(
            row.key.key, row.key.type, row.key.value, row.key.label, row.key.module, row.key.line, row.slot
        )
        for row in record.keys
    }


def packed(rows: Rows) -> str:
    return keys.packed_rows({place: [row.type, row.value, row.label, row.line, row.slot] for place, row in rows.items()})


def unpacked(text: str) -> Rows:
    """Returns the keys that a form carries. Raises ``InputError`` for what no page of ours sends."""
    found: Rows = {}
    for place, (row, more) in keys.unpacked_rows(text).items():
        found[place] = LayoutKeyInput(row.key, row.type, row.value, row.label, row.module, row.line, more[:1] == (True,))
    return found


def _taken(rows: Rows, given: Mapping[str, str]) -> Rows:
    """Returns the keys with what the fields of the one open key say; for whoever has no scripts."""
    place = keys.place_of(given.get("panel.place", ""))
    if place is None or "scripted" in given:
        return rows
    row = keys.typed(place, given)
    slot = given.get("panel.slot") == "yes"
    rest = {at: key for at, key in rows.items() if at != place}
    laid = LayoutKeyInput(row.key, row.type, row.value, row.label, row.module, row.line, slot)
    changed = rest if "clear" in given else {**rest, place: laid}
    target = keys.place_of(given.get("panel.move", "")) if "move" in given else None
    return moved(changed, place, target) if target else changed


def _model(record: LayoutRecord) -> Model:
    """Returns the model that the layout is drawn on: the one asked for, else one of its phones, else the largest that is drawn."""
    place = installation()
    asked = place.catalogue.model(request.values.get("model", ""))
    if asked is not None:
        return asked
    names = [*_models_of(record), *(name for name, _title in models_listed())]
    known = [model for name in names if (model := place.catalogue.model(name)) is not None and model.keys]
    every = (model for vendor in place.catalogue.vendors.values() for model in vendor.models.values())
    return known[0] if known else max(every, key=lambda model: (bool(model.panels), model.keys))


def _models_of(record: LayoutRecord) -> list[str]:
    return installation().store.layout_models(record.name)


def _verdict(record: LayoutRecord, rows: Rows, model: Model) -> dict[str, Any]:
    """Returns what does not fit: the model that is drawn first, then each other one that phones of the layout are of."""
    listed = list(rows.values())
    place = installation()
    others = [found for name in _models_of(record) if name != model.id and (found := place.catalogue.model(name)) is not None]
    return {
        "names": names_of(rows),
        "verdicts": [(each, placed(key_mistakes(each, listed, None), listed)) for each in (model, *others)],
        "phones": record.phones,
        "is_changed": rows != rows_of(record),
    }


def _index(given: Mapping[str, str], mistakes: Mapping[str, str], status: int = 200) -> Response:
    rows = installation().store.layouts(after=request.args.get("after", ""), limit=101)
    following = url_for(".index", after=rows[99].name) if len(rows) > 100 else ""
    return page("layouts.html", status, rows=rows[:100], next=following, given=given, mistakes=mistakes)


def _merged(now: LayoutRecord, mine: Rows, base: Rows) -> Response:
    """Shows both versions: keys that only one changed are laid together; where both did, mine stands and theirs is told."""
    texts = [{keys.text_of(place): packed({place: row}) for place, row in each.items()} for each in (base, mine, rows_of(now))]
    both = merged(texts[0], texts[1], texts[2])
    rows = {place: row for text in both.values.values() if text for place, row in unpacked(text).items()}
    return _editor(now, rows, 409, conflicts=both.conflicts)


def _editor(
    record: LayoutRecord,
    rows: Rows,
    status: int = 200,
    *,
    made_with: Mapping[str, str] | None = None,
    open_place: str = "",
    mistakes: Mapping[str, str] | None = None,
    conflicts: Mapping[str, str] | None = None,
) -> Response:
    model, state = _model(record), dict[keys.Place, KeyInput](rows)
    slots = frozenset(place for place, row in rows.items() if row.slot)
    modules = max((module for module, _key in rows), default=0) + 1  # the next one is offered, if the model takes it
    place = keys.place_of(open_place)
    return page(
        "layout_keys.html", status, record=record, model=model, state=packed(rows),
        was=made_with.get("was", "") if made_with else packed(rows_of(record)),
        revision=made_with.get("revision", "") if made_with else record.revision,
        blocks=keys.blocks(model, state, (), modules, {}, slots), beyond=keys.beyond(model, state), names=names_of(rows),
        open=opened(state, open_place), is_slot=place in slots, people=people(), types=KEY_TYPES, mistakes=mistakes or {}, conflicts=conflicts,
        verdict=_verdict(record, rows, model), **choices(),
    )  # fmt: skip
