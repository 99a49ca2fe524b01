"""The step from facts to next files."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner import __version__
from provisioner.core.catalogue import Catalogue
from provisioner.core.lockstep import files_hash
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.values import PhoneConfig, RenderedFile
from provisioner.errors import ProvisionerError
from provisioner.models import index_log, meta, phone, rendered_file
from provisioner.models_encryption import enciphered_phone
from provisioner.records_rendering import RenderJob
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

BATCH = 64
"""Phones a transaction: short enough that an edit in between waits for milliseconds, long enough to share the cost of a commit."""
_FINGERPRINT = "render_fingerprint"


@dataclass(frozen=True, slots=True)
class Made:
    """What rendering one phone gave: its files, sealed for the table, and their hash; or why there are none."""

    job: RenderJob
    rows: tuple[dict[str, object], ...] = ()
    wanted: str | None = None
    error: str = ""
    boot: tuple[dict[str, object], ...] = ()
    """The files of a first fetch, where they are others."""


class Rendering:
    """Renders phones whose wanted files are not known."""

    def __init__(self, store: Store, renderer: Renderer, clock: Callable[[], float]) -> None:
        self._store = store
        self._renderer = renderer
        self._clock = clock

    def step(self) -> int:
        """Renders one batch; returns how many phones it was."""
        macs = self._store.macs_to_render(BATCH)
        if not macs:
            return 0
        made = [self._made(job) for job in self._store.render_jobs(macs)]
        with self._store.database.write() as connection:
            self._write(connection, made)
        return len(macs)

    def start(self) -> None:
        """Makes every phone's files unknown where templates or the installation's own settings are other than last time."""
        now = fingerprint(self._store.catalogue, [self._store.base_url, *(str(item) for item in sorted(self._store.installation.items()))])
        if self._store.meta(_FINGERPRINT) == now:
            return
        with self._store.database.write() as connection:
            values = {"wanted_hash": None, "error": "", "error_at": None, "render_revision": phone.c.render_revision + 1}
            count = connection.execute(phone.update().values(**values)).rowcount
            connection.execute(meta.delete().where(meta.c.key == _FINGERPRINT))
            connection.execute(meta.insert().values(key=_FINGERPRINT, value=now))
        if count:
            log.info("event=templates_changed phones=%d", count)

    def _made(self, job: RenderJob) -> Made:
        try:
            files = self._renderer.phone_files(job.config)
        except ProvisionerError as error:
            return Made(job, error=str(error)[:500])
        rows = tuple(self._row(job.config.mac, file) for file in files)
        return Made(job, rows, files_hash(files), boot=self._boot(job.config))

    def _boot(self, config: PhoneConfig) -> tuple[dict[str, object], ...]:
        """Returns what a first fetch gets where the phone comes again at once, to its own address: no line, no password, just the way there."""
        vendor = self._store.catalogue.vendors.get(config.model.partition("/")[0])
        if vendor is None or not vendor.provisions_again:
            return ()
        rows = self._store.catalogue.settings
        harmless = {name: "" if name in rows and rows[name].type == "secret" else value for name, value in config.settings.items()}
        files = self._renderer.phone_files(replace(config, lines=(), keys=(), settings=harmless))
        return tuple({**self._row(config.mac, file), "state": "boot"} for file in files)

    def _write(self, connection: Connection, made: Sequence[Made]) -> None:
        """Writes what was made of facts that still stand: what was changed or deleted since is made again by the next step."""
        columns = (phone.c.mac, phone.c.render_revision, phone.c.created_at, phone.c.live_hash)
        rows = connection.execute(sa.select(*columns).where(phone.c.mac.in_([item.job.config.mac for item in made]))).all()
        facts = {row.mac: (row.render_revision, row.created_at) for row in rows}
        live = {row.mac: row.live_hash for row in rows}
        fresh = [item for item in made if facts.get(item.job.config.mac) == (item.job.revision, item.job.created_at)]
        macs = [item.job.config.mac for item in fresh]
        connection.execute(rendered_file.delete().where(rendered_file.c.mac.in_(macs), rendered_file.c.state.in_(["next", "boot"])))
        done = [{"which": item.job.config.mac, "wanted": item.wanted} for item in fresh if not item.error]
        if done:
            connection.execute(_WANTED, done)
        files = [row for item in fresh if item.wanted != live[item.job.config.mac] for row in item.rows]
        files += [row for item in fresh for row in item.boot]
        if files:
            connection.execute(rendered_file.insert(), files)
        self._encipher(connection, [item.job for item in fresh if not item.error])
        self._hold(connection, [item for item in fresh if item.error])

    def _encipher(self, connection: Connection, jobs: Sequence[RenderJob]) -> None:
        """Writes which phones get a key for their files from now on, beside which address, and which need none any more."""
        begun = [job for job in jobs if job.config.file_key and job.enciphered_since is None]
        ended = [job for job in jobs if not job.config.file_key and job.enciphered_since is not None]
        if not (begun or ended):
            return
        connection.execute(enciphered_phone.delete().where(enciphered_phone.c.mac.in_([job.config.mac for job in ended])))
        if begun:
            connection.execute(_MOVED, [{"which": job.config.mac, "epoch": job.token_epoch} for job in begun])
            connection.execute(enciphered_phone.insert(), [{"mac": job.config.mac, "since_epoch": job.token_epoch} for job in begun])
        connection.execute(index_log.insert(), [{"mac": job.config.mac, "at": self._clock()} for job in (*begun, *ended)])

    def _row(self, mac: Mac, file: RenderedFile) -> dict[str, object]:
        return {
            "mac": mac,
            "state": "next",
            "name": file.name,
            "sha256": file.sha256,
            "size": len(file.body),
            "content_type": file.content_type,
            "body": self._store.box.seal(file.body, f"file:{mac}:{file.name}"),
        }

    def _hold(self, connection: Connection, failed: Sequence[Made]) -> None:
        if not failed:
            return
        at = self._clock()
        connection.execute(_HELD, [{"which": item.job.config.mac, "why": item.error, "when": at} for item in failed])
        for item in failed:
            log.error("event=held mac=%s error=%s", item.job.config.mac, item.error)


_WANTED = phone.update().where(phone.c.mac == sa.bindparam("which")).values(wanted_hash=sa.bindparam("wanted"))
_MOVED = phone.update().where(phone.c.mac == sa.bindparam("which")).values(token_epoch=sa.bindparam("epoch"))
_HELD = phone.update().where(phone.c.mac == sa.bindparam("which")).values(error=sa.bindparam("why"), error_at=sa.bindparam("when"))


def fingerprint(catalogue: Catalogue, more: Sequence[str]) -> str:
    """Returns a hash of everything besides the rows that a rendered file depends on: this version, the catalogue, the zones' rules."""
    digest = hashlib.sha256()
    digest.update(f"provisioner {__version__}".encode())
    for vendor_id, vendor in sorted(catalogue.vendors.items()):
        for part in (
            vendor_id,
            vendor.name,
            vendor.escape,
            vendor.maps,
            sorted(vendor.settings.items()),
            sorted(vendor.factory.items()),
            vendor.provisions_again,
            vendor.raw and (sorted(vendor.raw.names), vendor.raw.refused, vendor.raw.written),
            *sorted(vendor.templates.items()),
        ):
            digest.update(repr(part).encode())
        for model in sorted(vendor.models.values(), key=lambda model: model.id):
            # A set has no order of its own: it would be another one in every process.
            digest.update(repr((sorted(model.key_types), replace(model, key_types=frozenset()))).encode())
        digest.update(
            repr([(rule.name, rule.scope, rule.template, rule.content_type, rule.escape, rule.encoder) for rule in vendor.files]).encode()
        )
    digest.update(repr(sorted((row.name, row.default) for row in catalogue.settings.values())).encode())
    digest.update(repr(sorted(catalogue.zones.items())).encode())
    digest.update(repr(sorted(catalogue.withheld.items())).encode())
    digest.update("\n".join(more).encode())
    return digest.hexdigest()
