"""Backups that the server keeps: which there are, one more now, taking one away from the machine, deleting one.

Restoring is for the command line: it replaces the database and the key below a server that is stopped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Response, request
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import Noun
from provisioner.api.problems import Refusal, refuse_input
from provisioner.api.schemas import Strict, Text, Time
from provisioner.backup_folder import Kept, contents_of, folder_of, kept_named, obstacle
from provisioner.backup_standing import Standing, standing
from provisioner.backups import Manifest
from provisioner.errors import NotFound
from provisioner.heartbeat import read_heartbeats
from provisioner.records_backups import BackupRun
from provisioner.sealed_file import LONGEST, SHORTEST, SUFFIX, passphrase_mistake, sealed, sealed_size

noun = Noun(
    "backups",
    "Backups that the server keeps in its data folder: one a day by itself, and those that somebody asks for. A download is sealed with a "
    "passphrase, for it holds the key to every secret; `provisioner restore` opens it. Everything here needs the role admin and the right to all sites.",
)
SEALED_TYPE = "application/octet-stream"
GONE = "provisioner.gone"
"""In the ASGI scope: set once nobody takes the answer any more."""
_AT_ONCE = threading.BoundedSemaphore(2)
"""Downloads at once: each keeps a thread of the listener for as long as it takes."""


class Backup(Schema):
    """An archive, and what it holds; null where it cannot be read."""

    name = fields.String(metadata={"example": "provisioner-20261126T013000Z.tar.gz"})
    at = Time(metadata={"description": "When it was begun"})
    asked = fields.Boolean(metadata={"description": "Somebody asked for it; else it was due"})
    size = fields.Integer(metadata={"description": "Bytes"})
    version = fields.String(allow_none=True, metadata={"description": "Of the server that made it", "example": "0.1.0"})
    phones = fields.Integer(allow_none=True)
    extensions = fields.Integer(allow_none=True)


class Run(Schema):
    """A backup that was asked for or due, and what became of it."""

    id = fields.Integer()
    at = Time(metadata={"description": "When it was asked for, or begun where it was due"})
    actor = fields.String(metadata={"description": "Who asked; worker where it was due"})
    state = fields.String(validate=validate.OneOf(["waiting", "running", "done", "failed"]))
    step = fields.String(metadata={"description": "copying, packing or checking; empty where it is not running"})
    percent = fields.Integer()
    name = fields.String(metadata={"description": "Of the archive; empty while it waits"})
    ended_at = Time(allow_none=True)
    error = fields.String(metadata={"description": "Why it failed; empty where it did not"})


class Backups(Schema):
    """All archives, the newest first, and how the installation stands with its backups."""

    items = fields.List(fields.Nested(Backup))
    last_at = Time(allow_none=True, metadata={"description": "When the last one was made"})
    next_at = Time(allow_none=True, metadata={"description": "When the next one is due; null: none is made by itself"})
    trouble = fields.String(metadata={"description": "What somebody should look at; empty where all is well"})
    obstacle = fields.String(metadata={"description": "Why the server makes none at all; empty where it does"})
    run = fields.Nested(Run, allow_none=True, metadata={"description": "The one that was last asked for or due"})


class Sealing(Strict):
    """What a download is sealed with."""

    passphrase = Text(
        longest=LONGEST,
        required=True,
        load_only=True,
        metadata={"description": f"At least {SHORTEST} characters. Who loses it has no backup", "example": "four words nobody guesses"},
    )


@noun.route("/backups")
class AllBackups(MethodView):
    """All archives."""

    @allowed("admin")
    @noun.gives(200, Backups)
    def get(self) -> dict[str, Any]:
        """Show which backups there are, when the next one is due, and what came of the last."""
        seen, contents = how_it_stands()
        names = ("last_at", "next_at", "trouble", "obstacle", "run")
        return {"items": [_shown(item, contents[item.name]) for item in seen.kept], **{name: getattr(seen, name) for name in names}}

    @noun.refuses(503)
    @noun.gives(202, Run)
    def post(self) -> BackupRun:
        """Have a backup made now; the list shows how far it is."""
        return make_one_now()


@noun.route("/backups/<string:backup>")
class OneBackup(MethodView):
    """One archive."""

    @noun.gives(204)
    def delete(self, backup: str) -> Response:
        """Delete a backup, for good."""
        remove(backup)
        return Response(status=204)


@noun.route("/backups/<string:backup>/download")
class Download(MethodView):
    """One archive, sealed."""

    @noun.refuses(503)
    @noun.takes(Sealing, example={"passphrase": "four words nobody guesses"})
    @noun.gives(
        200, {"type": "string", "format": "binary"}, content_type=SEALED_TYPE, description="The archive, sealed with the passphrase"
    )
    def post(self, given: dict[str, str], backup: str) -> Response:
        """Download a backup, sealed with a passphrase. An answer is not kept for an Idempotency-Key."""
        return sealed_download(backup, given["passphrase"])


def how_it_stands() -> tuple[Standing, dict[str, Manifest | None]]:
    """Returns how the installation stands with its backups, and name -> what each archive holds."""
    place = installation()
    seen = standing(place.settings, place.store, place.changes.clock())
    return seen, contents_of(folder_of(place.settings), seen.kept)


def make_one_now() -> BackupRun:
    """Asks the worker for a backup. Refuses where it makes none, or does not run."""
    place = installation()
    if why := obstacle(place.settings):
        refuse_input(backup=why)
    beat = read_heartbeats(place.settings.data_dir).get("worker")
    if beat is None or beat.complaint(time.time()):
        raise Refusal(503, "not_ready", "the worker does not run, which makes backups: start 'provisioner serve'")
    return place.changes.ask_backup(actor())


def remove(name: str) -> None:
    """Deletes an archive, and notes who did it."""
    place = installation()
    path = _path(_found(name))
    place.changes.delete_backup(actor(), name, path.unlink)


def sealed_download(name: str, passphrase: str) -> Response:
    """Returns an archive sealed with a passphrase, as a stream, and notes who took it."""
    kept = _found(name)
    if mistake := passphrase_mistake(passphrase):
        refuse_input(passphrase=mistake)
    if not _AT_ONCE.acquire(blocking=False):
        raise Refusal(503, "overloaded", "two backups are being downloaded already: try again when one is through", {"Retry-After": "30"})
    try:
        installation().changes.note_backup_taken(actor(), kept.name)
    except BaseException:
        _AT_ONCE.release()
        raise
    stream = _Stream(_path(kept), passphrase, request.environ.get("asgi.scope", {}).get(GONE, threading.Event()))
    response = Response(stream, content_type=SEALED_TYPE)
    response.call_on_close(_AT_ONCE.release)
    response.content_length = sealed_size(kept.size)
    response.headers.set("Content-Disposition", "attachment", filename=kept.name + SUFFIX)
    response.headers["Cache-Control"] = "no-store"
    return response


@dataclass
class _Stream:
    """The sealed form of a file, until its end or until nobody takes it any more."""

    path: Path
    passphrase: str
    gone: threading.Event

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as source:
            for block in sealed(source, self.passphrase):
                if self.gone.is_set():
                    return
                yield block


def _shown(item: Kept, holds: Manifest | None) -> dict[str, Any]:
    held = {name: getattr(holds, name, None) for name in ("version", "phones", "extensions")}
    return {"name": item.name, "at": item.at, "asked": item.asked, "size": item.size, **held}


def _found(name: str) -> Kept:
    kept = kept_named(folder_of(installation().settings), name)
    if kept is None:
        raise NotFound({"backup": "there is no backup of this name"})
    return kept


def _path(kept: Kept) -> Path:
    return folder_of(installation().settings) / kept.name
