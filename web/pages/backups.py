"""Backups: which there are, one more now, one taken away from the machine, one deleted; how one is put back is said, and done elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request, url_for

from provisioner.api import backups as api
from provisioner.api.context import installation
from provisioner.api.problems import Refusal
from provisioner.backup_folder import folder_of
from provisioner.backups import Manifest
from provisioner.errors import InputError, NotFound
from provisioner.sealed_file import LONGEST, SHORTEST, SUFFIX
from web.guard import needs, of_installation
from web.i18n import _, mark
from web.page import done, mistakes_of, page

pages = Blueprint("backups", __name__)
STEPS: Mapping[str, str] = {
    "": mark("Waiting"),
    "copying": mark("Copying the database"),
    "packing": mark("Packing"),
    "checking": mark("Reading it back"),
}


@pages.get("/backups")
@needs("admin")
@of_installation
def index() -> Response:
    """All archives, and how far the one is that is being made."""
    return _index("")


@pages.post("/backups")
@of_installation
def make() -> Response:
    """Asks for one now."""
    try:
        api.make_one_now()
    except (Refusal, InputError) as error:
        return _index("; ".join(error.fields.values()) if isinstance(error, InputError) else error.detail, 409)
    return done(_("The backup is being made."), url_for(".index"))


@pages.get("/backups/<string:name>")
@needs("admin")
@of_installation
def one(name: str) -> Response:
    """One archive."""
    return _one(name, {})


@pages.post("/backups/<string:name>/download")
@of_installation
def download(name: str) -> Response:
    """Gives it away sealed, where the passphrase was typed twice alike."""
    passphrase, again = request.form.get("passphrase", ""), request.form.get("again", "")
    if passphrase != again:
        return _one(name, {"again": _("This is not what the field above says.")}, 422)
    try:
        return api.sealed_download(name, passphrase)
    except NotFound:
        raise
    except InputError as error:
        return _one(name, mistakes_of(error), 422)
    except Refusal as error:
        return _one(name, {"": error.detail}, 503)


@pages.post("/backups/<string:name>/delete")
@of_installation
def delete(name: str) -> Response:
    """Deletes it."""
    api.remove(name)
    return done(_("The backup is deleted."), url_for(".index"))


def _index(refusal: str, status: int = 200) -> Response:
    seen, contents = api.how_it_stands()
    settings = installation().settings
    return page(
        "backups.html", status, seen=seen, contents=contents, refusal=refusal, steps=STEPS, kept=settings.backups_kept,
        daily=str(settings.backup_at or ""), folder=folder_of(settings),
    )  # fmt: skip


def _one(name: str, mistakes: Mapping[str, str], status: int = 200) -> Response:
    seen, contents = api.how_it_stands()
    found = next((item for item in seen.kept if item.name == name), None)
    if found is None:
        raise NotFound({"backup": "there is no backup of this name"})
    holds: Manifest | None = contents[name]
    return page(
        "backup.html", status, it=found, holds=holds, mistakes=mistakes, folder=folder_of(installation().settings), suffix=SUFFIX, shortest=SHORTEST, longest=LONGEST
    )  # fmt: skip
