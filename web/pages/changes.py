"""Who changed what, and when, with before and after side by side; and undoing it, once it was seen what that changes."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import Forbidden as NotAllowed

from provisioner.api.context import actor, installation
from provisioner.api.paging import BIGGEST_ID
from provisioner.api.shown import subject_of
from provisioner.changes.restoring import UNDONE_BY
from provisioner.changes.undoing import Undoing, role_to_undo
from provisioner.core.mac import Mac, try_parse
from provisioner.errors import Forbidden, InputError, NotFound, RenderError, StaleWrite
from provisioner.records import ChangeRecord
from provisioner.wiring import Installation
from web.forms import revision_of, whole
from web.guard import needs
from web.i18n import _
from web.page import done, mistakes_of, page
from web.plain import secret_names
from web.previewing import SHOWN, rehearsed, row_of
from web.words import may

pages = Blueprint("changes", __name__)
PAGE = 50


@pages.get("/changes")
def index() -> Response:
    """The list, the newest first."""
    subject = request.args.get("subject", "").strip()[:64]
    before = whole(request.args.get("before", ""), 17)
    rows = installation().store.changes(before=before, limit=PAGE + 1, subject=subject_of(subject))
    following = url_for(".index", before=rows[PAGE - 1].id, subject=subject or None) if len(rows) > PAGE else ""
    return page("changes.html", rows=rows[:PAGE], next=following, subject=subject)


@pages.get("/changes/<int:change>/undo")
@needs("technician")
def undo(change: int) -> Response:
    """What undoing a change would change, what else it takes with it, and why it cannot be where it cannot."""
    return _undoing(_found(change), {})


@pages.post("/changes/<int:change>/undo")
@needs("technician")
def put_back(change: int) -> Response:
    """Undoes it, with everything that was changed of the same since; where that was changed again meanwhile, shows it anew."""
    record = _found(change)
    undoing = _of(installation())
    revision = undoing.outlook(record).revision
    meanwhile = _("Somebody changed this again since you opened the page. Look once more at what undoing would change.")
    if revision != revision_of(request.form):
        return _undoing(record, {"": meanwhile}, 409)
    try:
        lost = undoing.undo(actor(), record, revision, over_later=True)
    except StaleWrite:
        return _undoing(record, {"": meanwhile}, 409)
    except (InputError, RenderError) as error:
        return _undoing(record, mistakes_of(error), 422)
    text = _("Undone.")
    if lost:
        text += " " + _("These secrets are kept nowhere, so they cannot come back: %(names)s.", names=secret_names(lost))
    return done(text, _back(record))


def _undoing(record: ChangeRecord, mistakes: Mapping[str, str], status: int = 200) -> Response:
    undoing = _of(installation())
    outlook = undoing.outlook(record)
    revision = outlook.revision
    about = {
        "record": record,
        "later": outlook.later,
        "since": outlook.since,
        "things": _things(record),
        "revision": revision,
        "lost": outlook.lost,
        "back": _back(record),
    }
    try:
        preview = rehearsed(lambda place: _of(place).undo(actor(), record, revision, over_later=True))
    except (InputError, RenderError, Forbidden, StaleWrite) as error:
        why = {"": str(error)} if isinstance(error, Forbidden) else mistakes_of(error)
        return page("change_undo.html", status, **about, mistakes={}, preview=None, why=list(why.values()))
    return page("change_undo.html", status, **about, mistakes=mistakes, preview=preview, why=[])


def _found(number: int) -> ChangeRecord:
    record = installation().store.change(number) if number <= BIGGEST_ID else None
    if record is None:
        raise NotFound({"id": _("There is no change %(number)s.", number=str(number)[:20])})
    needed = role_to_undo(record)
    if not may(needed):
        raise NotAllowed(_("Undoing this change needs the role %(needed)s.", needed=needed))
    return record


def _things(record: ChangeRecord) -> list[ChangeRecord]:
    """Returns what a change of many things made of the first of them, each as a row of its own."""
    parts = installation().store.change_parts(record.id, limit=SHOWN + 1) if record.action in UNDONE_BY else []
    return [row_of(part) for part in parts]


def _of(place: Installation) -> Undoing:
    return Undoing(place.store, place.changes)


def _back(record: ChangeRecord) -> str:
    """Returns where one goes on: to the changes of the phone, where it is (still) listed, else to those of everything."""
    mac = try_parse(record.subject) if record.action.startswith("phone.") else None
    if isinstance(mac, Mac) and installation().store.phone(mac) is not None:
        return url_for("web.phone.changes", mac=mac.colons)
    return url_for(".index")
