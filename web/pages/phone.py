"""One phone: where it stands, its lines and keys, its files, what it asked for, where its settings come from, and what may be asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, has_pbx, installation
from provisioner.api.phone_state import phone_secrets
from provisioner.api.phones import found_phone, mac_of
from provisioner.api.shown import masked_content
from provisioner.changes.phones import SHOWN_SECRET, PhoneInput
from provisioner.core.catalogue import Setting
from provisioner.core.layers import Origin
from provisioner.core.lockstep import stage
from provisioner.core.mac import InvalidMac, Mac
from provisioner.core.raw import is_secret
from provisioner.core.values import Reason
from provisioner.errors import InputError, RenderError
from provisioner.records import FileRecord, PhoneRecord
from web.differences import changed_lines
from web.forms import revision_of, whole
from web.guard import needs, own_path
from web.i18n import _
from web.lights import lights, why
from web.page import done, mistakes_of, page
from web.previewing import saved

pages = Blueprint("phone", __name__)
PAGE = 50


@pages.get("/phones/<string:mac>")
def index(mac: str) -> Response:
    """Where it stands."""
    record = found_phone(mac)
    store = installation().store
    facts = store.locksteps([record.mac], has_pbx=has_pbx())[record.mac]
    numbers = [line.extension for line in record.lines]
    return page(
        "phone.html",
        **_common(record, "index"),
        facts=facts,
        stage_name=str(stage(facts)),
        lights=lights(facts),
        why=why(facts),
        wake=store.wakes([record.mac])[record.mac],
        seat=store.seat(record.mac),
        registrations={row.extension: row for row in store.registrations([record.mac]).get(record.mac, ())},
        names={row.number: row.display_name for row in store.extensions(numbers=numbers, limit=len(numbers))} if numbers else {},
        busy=store.pbx_busy(),
        key_rows=_key_rows(record),
        fetches=store.fetches(mac=record.mac, limit=5),
    )


@pages.get("/phones/<string:mac>/files")
def files(mac: str) -> Response:
    """Its files as it is served them, and as they will be; secrets masked."""
    record = found_phone(mac)
    return page("phone_files.html", **_common(record, "files"), files=list(_files(record)))


@pages.get("/phones/<string:mac>/fetches")
def fetches(mac: str) -> Response:
    """What it asked for, the newest first."""
    record = found_phone(mac)
    reason = request.args.get("reason", "")
    before = whole(request.args.get("before", ""), 17)
    wanted = reason if reason in set(Reason) else ""
    rows = installation().store.fetches(mac=record.mac, before=before, limit=PAGE + 1, reason=wanted)
    following = url_for(".fetches", mac=record.mac.colons, before=rows[PAGE - 1].id, reason=wanted or None) if len(rows) > PAGE else ""
    return page("phone_fetches.html", **_common(record, "fetches"), fetches=rows[:PAGE], next=following, reason=wanted)


@pages.get("/phones/<string:mac>/settings")
def settings(mac: str) -> Response:
    """Its settings, each with where it comes from."""
    return _settings_page(found_phone(mac), {})


@pages.post("/phones/<string:mac>/settings")
@needs("technician")
def set_setting(mac: str) -> Response:
    """Sets one setting of the phone, or takes it off."""
    record, name = found_phone(mac), request.form.get("setting", "")[:64]
    value = None if "remove" in request.form else request.form.get("value", "")
    if "again" in request.form:
        return _settings_page(record, {}, given={name: value or ""})
    given = PhoneInput(settings={name: value}, merge_settings=True)
    try:
        preview = saved(lambda changes: changes.update_phone(actor(), record.mac, given, revision_of(request.form)), record.mac.colons)
    except (InputError, RenderError) as error:
        return _settings_page(record, {name: "; ".join(mistakes_of(error).values())}, 422, {name: value or ""})
    text = _("%(setting)s is taken off this phone.", setting=name) if value is None else _("%(setting)s is set.", setting=name)
    return preview or done(text, url_for(".settings", mac=record.mac.colons, _anchor=f"s-{name}"))


@pages.get("/phones/<string:mac>/changes")
def changes(mac: str) -> Response:
    """What was changed of it, the newest first."""
    record, before = found_phone(mac), whole(request.args.get("before", ""), 17)
    rows = installation().store.changes(subject=record.mac, before=before, limit=PAGE + 1)
    following = url_for(".changes", mac=record.mac.colons, before=rows[PAGE - 1].id) if len(rows) > PAGE else ""
    return page("phone_changes.html", **_common(record, "changes"), changes=rows[:PAGE], next=following, is_first=before is None)


@pages.post("/phones/<string:mac>/wake")
@needs("technician")
def wake(mac: str) -> Response:
    """Has it fetch its files now, or restart."""
    parsed, reboot = mac_of(mac), "reboot" in request.form
    installation().changes.request_resync(actor(), parsed, reboot=reboot)
    text = _("The phone is told to restart.") if reboot else _("The phone is told to fetch its files.")
    return done(text, url_for(".index", mac=parsed.colons))


@pages.post("/phones/<string:mac>/seat/out")
@needs("technician")
def log_out(mac: str) -> Response:
    """Logs out whoever sits at it."""
    parsed = mac_of(mac)
    installation().changes.leave_seat(actor(), parsed)
    return done(_("They are logged out: the phone is what it was before."), url_for(".index", mac=parsed.colons))


@pages.post("/phones/<string:mac>/reopen")
@needs("technician")
def reopen(mac: str) -> Response:
    """Opens its first fetch again."""
    parsed = mac_of(mac)
    installation().changes.reopen_first_fetch(actor(), parsed)
    back = request.form.get("back", "")
    return done(_("The first fetch is open again."), own_path(back) if back else url_for(".index", mac=parsed.colons))


@pages.route("/phones/<string:mac>/more", methods=["GET"])
@needs("technician")
def more(mac: str) -> Response:
    """What is seldom done: swap, a new address, take out of service, take off the list."""
    return _more(found_phone(mac), {})


@pages.post("/phones/<string:mac>/swap")
@needs("technician")
def swap(mac: str) -> Response:
    """Puts another phone in its place."""
    record, given = found_phone(mac), request.form
    try:
        new = Mac.parse(given.get("mac", "").strip())
        installation().changes.swap_phone(actor(), record.mac, new, given.get("model") or None)
    except InvalidMac as error:
        return _more(record, {"mac": str(error)}, 422, given)
    except (InputError, RenderError) as error:
        return _more(record, mistakes_of(error), 422, given)
    text = _("%(new)s is in the place of %(old)s.", new=new.colons, old=record.mac.colons)
    return done(text, url_for(".index", mac=new.colons))


@pages.post("/phones/<string:mac>/address")
def address(mac: str) -> Response:
    """Shows its own address and credentials, once, which the changes keep; or gives it new ones."""
    record, changes_ = found_phone(mac), installation().changes
    if "renew" in request.form:
        changes_.renew_token(actor(), record.mac)
        return done(_("It gets a new address; the old one holds until it uses the new one."), url_for(".more", mac=record.mac.colons))
    if "revoke" in request.form:
        changes_.revoke_token(actor(), record.mac)
        return done(_("The old address is refused from now on."), url_for(".more", mac=record.mac.colons))
    changes_.note_secrets_shown(actor(), "phone.token_shown", record.mac)
    return _more(record, {}, access=installation().store.phone_access(record))


@pages.post("/phones/<string:mac>/retire")
@needs("technician")
def retire(mac: str) -> Response:
    """Takes it out of service: it is emptied."""
    record = found_phone(mac)
    try:
        installation().changes.retire_phone(actor(), record.mac)
    except (InputError, RenderError) as error:
        return _more(record, mistakes_of(error), 422)
    return done(_("It is taken out of service: it is emptied at its next fetch."), url_for(".index", mac=record.mac.colons))


@pages.post("/phones/<string:mac>/reinstate")
@needs("technician")
def reinstate(mac: str) -> Response:
    """Takes it back into service."""
    record = found_phone(mac)
    try:
        installation().changes.reinstate_phone(actor(), record.mac)
    except (InputError, RenderError) as error:
        return _more(record, mistakes_of(error), 422)
    return done(_("It is back in service, as it was before."), url_for(".index", mac=record.mac.colons))


@pages.post("/phones/<string:mac>/delete")
@needs("technician")
def delete(mac: str) -> Response:
    """Takes it off the list."""
    parsed = mac_of(mac)
    installation().changes.delete_phone(actor(), parsed)
    return done(_("%(mac)s is off the list.", mac=parsed.colons), url_for("web.phones.index"))


def _more(
    record: PhoneRecord, mistakes: Mapping[str, str], status: int = 200, given: Mapping[str, str] | None = None, **more: Any
) -> Response:
    facts = installation().store.lockstep(record.mac, has_pbx=has_pbx()) if record.retired_at is not None else None
    name = str(stage(facts)) if facts else ""
    return page("phone_more.html", status, **_common(record, "more"), mistakes=mistakes, given=given or {}, stage_name=name, **more)


def _common(record: PhoneRecord, tab: str) -> dict[str, Any]:
    return {"phone": record, "tab": tab, "model": installation().catalogue.model(record.model)}


def _settings_page(record: PhoneRecord, mistakes: Mapping[str, str], status: int = 200, given: Mapping[str, str] | None = None) -> Response:
    rows = list(_settings(record))
    return page("phone_settings.html", status, **_common(record, "settings"), rows=rows, mistakes=mistakes, given=given or {})


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting with where it comes from; a secret is only said to be there."""

    row: Setting
    value: object
    origin: Origin
    hidden: tuple[tuple[str, str, object], ...]
    """Layer, name and value of what it stands over, the nearest first."""
    unsupported: str


def _settings(record: PhoneRecord) -> Iterator[ShownSetting]:
    place = installation()
    rows, model = place.catalogue.settings, place.catalogue.model(record.model)
    by_hand = {*record.settings, *record.secret_names} - set(rows)
    origins = place.store.explain_all(record.mac, [*rows, *sorted(by_hand)])
    for name, origin in sorted(origins.items(), key=lambda item: item[1].layer == "default"):
        row = rows.get(name) or _unlisted(name)
        over = tuple((layer.kind, layer.name, _masked(row, layer.values[name])) for layer in origin.overridden)
        why = model.unsupported.get(name, "") if model else ""
        if name not in rows:
            why = _("The maker's list no longer has it, or it is no longer taken: the files are made without it.")
        yield ShownSetting(row, _masked(row, origin.value), origin, over, why)


def _unlisted(name: str) -> Setting:
    """Returns the row of a setting that is kept and that no list takes any more: it is shown, so that somebody can take it off."""
    return Setting(name, "secret" if is_secret(name) else "string", "", name, "")


def _masked(row: Setting, value: object) -> object:
    return SHOWN_SECRET if row.type == "secret" and value else value


@dataclass(frozen=True, slots=True)
class ShownFile:
    """A file, masked: ``live`` as it is served, ``next`` as it will be."""

    name: str
    live: FileRecord | None
    next: FileRecord | None
    text: str
    difference: tuple[tuple[str, str], ...]
    """(kind, line) of what will change: kind is ``new``, ``gone``, ``at`` or empty."""


def _files(record: PhoneRecord) -> Iterator[ShownFile]:
    place = installation()
    vendor, secrets = place.catalogue.vendors.get(record.model.partition("/")[0]), phone_secrets(record)
    found: dict[str, dict[str, tuple[FileRecord, str]]] = {}
    for file, body in place.store.files(record.mac):
        found.setdefault(file.name, {})[file.state] = (file, masked_content(vendor, body.decode("utf-8", "replace"), secrets))
    for name, states in sorted(found.items()):
        live, live_text = states.get("live", (None, ""))
        new, next_text = states.get("next", (None, ""))
        differs = live is not None and new is not None and live.sha256 != new.sha256
        yield ShownFile(name, live, new, live_text if live else next_text, tuple(changed_lines(live_text, next_text)) if differs else ())


def _key_rows(record: PhoneRecord) -> list[tuple[int, list[Any]]]:
    """Returns (module, keys) for the phone itself and each of its modules that has a key, its layout's among them, labelled as on the phone."""
    keys = sorted((laid.key for laid in installation().store.laid_keys(record)), key=lambda key: (key.module, key.key))
    modules = sorted({key.module for key in keys} | {0})
    return [(module, [key for key in keys if key.module == module]) for module in modules]
