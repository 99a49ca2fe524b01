"""The doctor's checks of the installation: folder, key, database, secrets, catalogue, running parts, phones held. Changes nothing."""

from __future__ import annotations

import importlib.util
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.commands.doctor_mail import recipients_finding
from provisioner.commands.doctor_nodes import nodes_findings
from provisioner.commands.doctor_overlay import overlay_findings
from provisioner.commands.doctor_recordings import recordings_finding
from provisioner.commands.findings import Finding, failure, fine, warning
from provisioner.commands.output import shown_time
from provisioner.errors import CatalogueError, ProvisionerError, SecretError
from provisioner.secrets import KEY_FILE, SecretBox, load_secret_box
from provisioner.settings import Settings

if TYPE_CHECKING:
    from provisioner.core.catalogue import Catalogue
    from provisioner.db import Database
    from provisioner.store import Store

INIT = "run 'provisioner init'"
SHOWN_HELD = 10


def installation_findings(settings: Settings) -> Iterator[Finding]:
    """Yields what there is to say of the installation; what hangs on something broken is left out."""
    yield _folder(settings)
    yield _key(settings)
    found, catalogue = _catalogue(settings)
    yield found
    yield from overlay_findings(settings, catalogue)
    found, database = _database(settings)
    yield found
    if database is not None:
        try:
            yield from _contents(settings, database, catalogue)
            if catalogue is not None:
                yield from nodes_findings(settings, database, catalogue)
        finally:
            database.dispose()
    yield from _parts(settings)


def _backups(settings: Settings, store: Store) -> Finding:
    from provisioner.backup_folder import folder_of
    from provisioner.backup_standing import standing

    seen = standing(settings, store, time.time())
    if seen.obstacle:
        return fine("backups", seen.obstacle)
    if seen.trouble:
        return warning(
            "backups", seen.trouble, "mend what it names, then ask for one on the page Backups; 'provisioner backup FILE' makes one too"
        )
    last = f"the last one is of {shown_time(seen.last_at)}, in {folder_of(settings)}" if seen.last_at else "there is none yet"
    when = f"the next one is due at {shown_time(seen.next_at)}" if seen.next_at else "none is made by itself (PROVISIONER_BACKUP_AT is off)"
    return fine("backups", f"{last}; {when}")


def _folder(settings: Settings) -> Finding:
    place = settings.data_dir
    if not place.is_dir():
        return failure("data folder", f"{place} is not there", INIT)
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        return failure("data folder", f"{place} cannot be written by this user", "give it to the user that serves (chown)")
    if place.stat().st_mode & stat.S_IRWXO:
        return warning("data folder", f"{place} is open to every user of this machine", f"chmod o-rwx {place}")
    return fine("data folder", str(place))


def _key(settings: Settings) -> Finding:
    path = settings.data_dir / KEY_FILE
    try:
        load_secret_box(settings.data_dir, create=False)
    except SecretError as error:
        return failure("secret key", str(error), f"restore {path} from the backup; where there never was one, {INIT}")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return failure("secret key", f"{path} has mode {mode:04o}: others can read it", f"chmod 600 {path}")
    return fine("secret key", str(path))


def _catalogue(settings: Settings) -> tuple[Finding, Catalogue | None]:
    from provisioner.overlay import OverlayPlace, catalogue_in_use

    mend = "'provisioner check' lists every mistake"
    try:
        catalogue = catalogue_in_use(OverlayPlace.of(settings))
    except CatalogueError as error:
        return failure("catalogue", f"{len(error.mistakes)} mistakes, the first: {error.mistakes[0]}", mend), None
    except OSError as error:
        return failure("catalogue", f"{settings.catalogue_dir} cannot be read ({error.strerror})", "set PROVISIONER_CATALOGUE_DIR"), None
    models = sum(len(vendor.models) for vendor in catalogue.vendors.values())
    if not models:
        return failure("catalogue", f"{settings.catalogue_dir} holds no model", "set PROVISIONER_CATALOGUE_DIR"), catalogue
    return fine("catalogue", f"{len(catalogue.vendors)} vendors, {models} models"), catalogue


def _database(settings: Settings) -> tuple[Finding, Database | None]:
    """Returns the database where it can be read; opening it must not make one, nor change its tables."""
    import sqlalchemy as sa

    from provisioner.db import Database
    from provisioner.migrate import is_current

    url = sa.make_url(settings.database)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return failure("database", f"{url.database} is not there", INIT), None
    database = Database(settings.database)
    try:
        is_up = is_current(database)
    except sa.exc.SQLAlchemyError as error:
        database.dispose()
        return failure(
            "database", f"{shown} cannot be read: {getattr(error, 'orig', error)}", "is it running, and is the address right?"
        ), None
    if not is_up:
        database.dispose()
        return failure(
            "database", f"{shown} has tables of another version", f"stop the server, back up, then {INIT} of the newest version"
        ), None
    return fine("database", shown), database


def _contents(settings: Settings, database: Database, catalogue: Catalogue | None) -> Iterator[Finding]:
    from provisioner.core.catalogue import Catalogue, SettingRows
    from provisioner.store import Store

    try:
        box: SecretBox | None = load_secret_box(settings.data_dir, create=False)
    except ProvisionerError:
        box = None  # told already
    if box is not None:
        store = Store(database, box, catalogue or Catalogue({}, SettingRows({}), [], {}), base_url="", installation={})
        yield _secrets(store, settings)
        yield _future(store)
        yield _held(store)
        yield _backups(settings, store)
        yield recordings_finding(settings, store)
        if found := recipients_finding(settings, store):
            yield found


def _secrets(store: Store, settings: Settings) -> Finding:
    from provisioner.key_mark import expect_mark, mark_of

    kept, first = mark_of(store.database), store.extensions(limit=1)
    try:
        expect_mark(store.box, kept or store.box.mark, settings.data_dir / KEY_FILE)
    except SecretError as error:
        return failure("secrets", str(error), "copy the key from the server that has it, or restore key and database from one backup")
    if not first:
        return fine("secrets", "there is no extension yet")
    try:
        store.extension_secret(first[0].number)
    except SecretError as error:
        return failure("secrets", str(error), "restore the key and the database from one backup")
    return fine("secrets", "the key opens the database")


def _future(store: Store) -> Finding:
    newest = store.changes(limit=1)
    ahead = newest[0].at - time.time() if newest else 0.0
    if ahead > 60:
        return warning(
            "change log", f"the newest change lies {ahead / 60:.0f} minutes in the future", "set the clock: timedatectl set-ntp true"
        )
    counts = store.counts()
    return fine(
        "change log", f"{counts['phones']} phones, {counts['extensions']} extensions, {counts['phones_to_render']} phones to render"
    )


def _held(store: Store) -> Finding:
    held = store.phones_held(SHOWN_HELD)
    if not held:
        return fine("phones held", "none")
    count = store.counts()["phones_held"]
    shown = "; ".join(f"{mac.colons}: {error[:160]}" for mac, error in held)
    more = f"; and {count - len(held)} more" if count > len(held) else ""
    return warning(
        "phones held",
        f"{count}: {shown}{more}",
        "they keep their last good files; mend what the reason names, then change or resync the phone",
    )


def _parts(settings: Settings) -> Iterator[Finding]:
    if importlib.util.find_spec("provisioner.heartbeat") is None:
        return
    from provisioner.heartbeat import read_heartbeats

    beats = read_heartbeats(settings.data_dir)
    if not beats:
        yield fine("running parts", "none: the server is not started")
    now = time.time()
    for part, beat in beats.items():
        complaint = beat.complaint(now)
        if not complaint:
            yield fine(f"part {part}", f"serves (process {beat.pid}){f': {beat.detail}' if beat.detail else ''}")
        elif Path("/proc", str(beat.pid)).exists():
            yield failure(f"part {part}", f"does not serve: {complaint}", "look at its log, then start 'provisioner serve' anew")
        else:
            yield warning(
                f"part {part}", f"is gone without a word ({complaint})", "look for its end in the log, then start 'provisioner serve'"
            )
