"""The keys of one phone, drawn as they are on it: laid out in place, checked while one lays them out, previewed and saved.

Everything goes through one form that carries all keys, so that it works without scripts; ``static/keys.js`` makes it quick.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import Forbidden

from provisioner.api.context import actor, caller, installation
from provisioner.api.phone_state import phone_secrets
from provisioner.api.phones import found_phone, mac_of
from provisioner.api.shown import masked_content
from provisioner.changes import KeyInput, PhoneInput
from provisioner.changes.previews import KeyPreview
from provisioner.core.catalogue import Model
from provisioner.core.render import acting_key, own_line_keys
from provisioner.core.values import KEY_TYPES, Key, PhoneConfig
from provisioner.errors import InputError, NotFound, RenderError, StaleWrite
from provisioner.records import PhoneRecord
from web import keys
from web.differences import changed_lines
from web.forms import revision_of, whole
from web.guard import needs
from web.i18n import _
from web.merging import merged
from web.page import done, mistakes_of, page

Row = TypeVar("Row", bound=KeyInput)
pages = Blueprint("keys", __name__)
PEOPLE = 60


@pages.get("/phones/<string:mac>/keys")
@needs("user")
def index(mac: str) -> Response:
    """The phone with its keys."""
    record = _seen(mac)
    return _editor(record, keys.state_of(record.keys))


@pages.post("/phones/<string:mac>/keys")
@needs("user")
def save(mac: str) -> Response:
    """Saves the keys, or takes what was typed of one key into the drawing."""
    record, given = _written(mac), request.form
    state = taken(keys.unpacked(given.get("keys", "")), given)
    if "save" not in given:
        return _editor(record, state, made_with=given, open_place=given.get("edit", ""))
    try:
        installation().changes.update_phone(actor(), record.mac, PhoneInput(keys=list(state.values())), revision_of(given))
    except StaleWrite:
        return _merged(found_phone(mac), state, keys.unpacked(given.get("was", "")))
    except (InputError, RenderError) as error:
        return _editor(record, state, 422, made_with=given, mistakes=mistakes_of(error))
    return done(_("The keys are saved."), url_for(".index", mac=record.mac.colons))


@pages.post("/phones/<string:mac>/keys/check")
@needs("user")
def check(mac: str) -> Response:
    """Says while one lays keys out what does not fit, and which lines of which files would change."""
    record = _written(mac)
    state = taken(keys.unpacked(request.form.get("keys", "")), request.form)
    return page("keys_verdict.html", **verdict(record, state))


def taken(state: keys.State, given: Mapping[str, str]) -> keys.State:
    """Returns the keys with what the fields of the one open key say; for whoever has no scripts."""
    place = keys.place_of(given.get("panel.place", ""))
    if place is None or "scripted" in given:
        return state
    rest = {at: key for at, key in state.items() if at != place}
    state = rest if "clear" in given else {**rest, place: keys.typed(place, given)}
    target = keys.place_of(given.get("panel.move", "")) if "move" in given else None
    return moved(state, place, target) if target else state


def moved(state: dict[keys.Place, Row], place: keys.Place, target: keys.Place) -> dict[keys.Place, Row]:
    """Returns the keys with two places changed for each other."""
    swapped = {place: target, target: place}
    found = ((swapped.get(at, at), row) for at, row in state.items())
    return {at: replace(row, module=at[0], key=at[1]) for at, row in found}


def verdict(record: PhoneRecord, state: keys.State) -> dict[str, Any]:
    """Returns what is to be said of keys that are being laid out."""
    rows, names = list(state.values()), names_of(state)
    try:
        preview = installation().changes.preview_keys(record.mac, rows)
    except (InputError, RenderError) as error:
        return {"mistakes": placed(mistakes_of(error), rows), "files": (), "names": names, "restarts": False, "notes": []}
    vendor = installation().catalogue.vendors[record.model.partition("/")[0]]
    restarts = vendor.notify_event == vendor.notify_reboot_event
    notes = list(_notes(preview.after))
    return {"mistakes": [], "files": list(_files(record, preview)), "names": names, "restarts": restarts, "notes": notes}


def names_of(state: Mapping[keys.Place, KeyInput]) -> dict[str, str]:
    """Returns the names of the extensions that the keys watch."""
    values = sorted({row.value for row in state.values() if row.value})[:400]
    return {row.number: row.display_name for row in installation().store.extensions(numbers=values, limit=len(values))} if values else {}


def placed(mistakes: Mapping[str, str], rows: Sequence[KeyInput]) -> list[tuple[str, KeyInput | None, str]]:
    """Returns (place, key, sentence) of each mistake; the place is empty for what is of no one key."""
    found: list[tuple[str, KeyInput | None, str]] = []
    for name, sentence in mistakes.items():
        parts = name.split(".")
        at = whole(parts[1], 3) if parts[0] == "keys" and len(parts) == 3 else None
        row = rows[at] if at is not None and at < len(rows) else None
        found.append((f"{row.module}.{row.key}" if row else "", row, sentence))
    return found


def _notes(config: PhoneConfig) -> Iterator[tuple[Key, str]]:
    """Yields each key that acts otherwise than its type says, because of a setting, with the sentence that says so."""
    for key in config.keys:
        if acting_key(key, config.settings).type == key.type:
            continue
        if key.type == "paging":
            yield key, _("It has no value and the setting “Listen to group paging” has none: the key stays dark.")
        else:
            yield key, _("The setting “Shared lines” is off, as for the bundled Asterisk: it is an ordinary line key.")


def _files(record: PhoneRecord, preview: KeyPreview) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    vendor = installation().catalogue.vendors[record.model.partition("/")[0]]
    secrets, before = phone_secrets(record), {file.name: file for file in preview.files_before}
    for file in preview.files_after:
        old = before.get(file.name)
        if old is not None and old.sha256 == file.sha256:
            continue
        texts = (masked_content(vendor, each.body.decode("utf-8", "replace"), secrets) if each else "" for each in (old, file))
        yield file.name, list(changed_lines(*texts))


def _editor(
    record: PhoneRecord,
    state: keys.State,
    status: int = 200,
    *,
    made_with: Mapping[str, str] | None = None,
    open_place: str = "",
    mistakes: Mapping[str, str] | None = None,
    conflicts: Mapping[str, str] | None = None,
) -> Response:
    """``made_with`` keeps what the form was first made with: the next try is still held to that."""
    store, model = installation().store, installation().catalogue.model(record.model)
    if model is None:
        raise NotFound({"model": _("The catalogue has no model %(model)s any more.", model=record.model)})
    layout = store.layout_keys(record.layout)
    modules = max([record.modules, *(module for module, _key in state), *(row.key.module for row in layout)])
    return page(
        "keys.html", status, phone=record, tab="keys", model=model, state=keys.packed(state), layout=record.layout,
        was=made_with.get("was", "") if made_with else keys.packed(keys.state_of(record.keys)),
        revision=made_with.get("revision", "") if made_with else record.revision,
        blocks=keys.blocks(model, state, layout, modules, _line_keys(record, model, state)), beyond=keys.beyond(model, state),
        names=names_of(state) | names_of(keys.state_of(row.key for row in layout)), open=opened(state, open_place), people=people(),
        types=[name for name in KEY_TYPES if name in model.key_types or name == "none"], mistakes=mistakes or {}, conflicts=conflicts,
        verdict=verdict(record, state) if may_write(record) else None, may_write=may_write(record), lines=record.lines,
    )  # fmt: skip


def _line_keys(record: PhoneRecord, model: Model, state: keys.State) -> dict[keys.Place, Key]:
    """Returns the keys of lines that nobody laid out, where the files put them."""
    config = installation().store.render_jobs([record.mac])[0].config
    laid = {place: Key(row.module, row.key, row.type, row.value, row.label, row.line) for place, row in state.items()}
    taken_places = laid | {(key.module, key.key): key for key in config.keys if (key.module, key.key) not in laid and key.type != "line"}
    shown = {line.line: line.label or line.extension for line in config.lines}
    found = own_line_keys(model, config, taken_places if record.layout else laid)
    return {place: Key(key.module, key.key, "line", "", shown.get(key.line, ""), key.line) for place, key in found.items()}


def opened(state: keys.State, text: str) -> KeyInput | None:
    """Returns the key whose fields are open."""
    place = keys.place_of(text)
    return None if place is None else state.get(place, KeyInput(place[1], "blf", module=place[0]))


def people() -> list[Any]:
    """Returns the extensions that can be dragged onto keys."""
    return installation().store.extensions(search=request.args.get("people", "")[:64], limit=PEOPLE)


def _merged(now: PhoneRecord, mine: keys.State, base: keys.State) -> Response:
    """Shows both versions: keys that only one changed are laid together; where both did, mine stands and theirs is told."""
    theirs = keys.state_of(now.keys)
    texts = [{keys.text_of(place): keys.packed({place: row}) for place, row in each.items()} for each in (base, mine, theirs)]
    both = merged(texts[0], texts[1], texts[2])
    state = {place: row for text in both.values.values() if text for place, row in keys.unpacked(text).items()}
    return _editor(now, state, 409, conflicts=both.conflicts)


def may_write(record: PhoneRecord) -> bool:
    """Returns whether the person may lay out the phone's keys: a technician, or whoever has the phone."""
    who = caller()
    return who is not None and (who.may("technician") or (who.role == "user" and _is_own(record)))


def _is_own(record: PhoneRecord) -> bool:
    who = caller()
    return who is not None and any(line.extension in who.extensions for line in record.lines)


def _seen(mac: str) -> PhoneRecord:
    """Returns the phone. Raises ``NotFound``, in the same words, also for one that is not the person's own, where they see no others."""
    named, who = mac_of(mac), caller()
    record = installation().store.phone(named)
    if record is None or (who is not None and not who.may("viewer") and not _is_own(record)):
        raise NotFound({"mac": _("Phone %(mac)s is not listed.", mac=named.colons)})
    return record


def _written(mac: str) -> PhoneRecord:
    record = _seen(mac)
    if not may_write(record):
        raise Forbidden(_("The keys of this phone are laid out by technicians."))
    return record
