"""The step from facts to next files."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.catalogue import Catalogue
from provisioner.core.lockstep import files_hash
from provisioner.core.mac import Mac
from provisioner.core.render import Renderer
from provisioner.core.values import RenderedFile
from provisioner.errors import ProvisionerError
from provisioner.models import meta, phone, rendered_file
from provisioner.records import RenderJob
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

BATCH = 64
"""Phones a transaction: short enough that an edit in between waits for milliseconds, long enough to share the cost of a commit."""
_FINGERPRINT = "render_fingerprint"


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
        made = [(job, self._files(job)) for job in self._store.render_jobs(macs)]
        with self._store.database.write() as connection:
            for job, files in made:
                if isinstance(files, str):
                    self._hold(connection, job, files)
                else:
                    self._write(connection, job, files)
        return len(macs)

    def start(self) -> None:
        """Makes every phone's files unknown where templates or the installation's own settings are other than last time."""
        now = fingerprint(self._store.catalogue, [self._store.base_url, *(str(item) for item in sorted(self._store.installation.items()))])
        if self._store.meta(_FINGERPRINT) == now:
            return
        with self._store.database.write() as connection:
            count = connection.execute(
                phone.update().values(wanted_hash=None, error="", error_at=None, revision=phone.c.revision + 1)
            ).rowcount
            connection.execute(meta.delete().where(meta.c.key == _FINGERPRINT))
            connection.execute(meta.insert().values(key=_FINGERPRINT, value=now))
        if count:
            log.info("event=templates_changed phones=%d", count)

    def _files(self, job: RenderJob) -> list[RenderedFile] | str:
        try:
            return self._renderer.phone_files(job.config)
        except ProvisionerError as error:
            return str(error)

    def _write(self, connection: Connection, job: RenderJob, files: Sequence[RenderedFile]) -> None:
        mac = job.config.mac
        wanted = files_hash(files)
        here = sa.and_(phone.c.mac == mac, phone.c.revision == job.revision)
        if not connection.execute(phone.update().where(here).values(wanted_hash=wanted)).rowcount:
            return  # changed or deleted since it was read: the next step sees the new facts
        connection.execute(rendered_file.delete().where(rendered_file.c.mac == mac, rendered_file.c.state == "next"))
        live = connection.execute(sa.select(phone.c.live_hash).where(phone.c.mac == mac)).scalar()
        if live != wanted:
            connection.execute(rendered_file.insert(), [self._row(mac, file) for file in files])

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

    def _hold(self, connection: Connection, job: RenderJob, error: str) -> None:
        here = sa.and_(phone.c.mac == job.config.mac, phone.c.revision == job.revision)
        connection.execute(phone.update().where(here).values(error=error[:500], error_at=self._clock()))
        log.error("event=held mac=%s error=%s", job.config.mac, error)


def fingerprint(catalogue: Catalogue, more: Sequence[str]) -> str:
    """Returns a hash of everything besides the rows that a rendered file depends on."""
    digest = hashlib.sha256()
    for vendor_id, vendor in sorted(catalogue.vendors.items()):
        for part in (vendor_id, vendor.maps, sorted(vendor.settings.items()), *sorted(vendor.templates.items())):
            digest.update(repr(part).encode())
        for model in sorted(vendor.models.values(), key=lambda model: model.id):
            digest.update(repr((model.id, model.lines, model.keys, model.common, model.expansion, model.codecs)).encode())
            digest.update(repr((sorted(model.settings.items()), sorted(model.quirks.items()), model.when)).encode())
        digest.update(repr([(rule.name, rule.scope, rule.template, rule.content_type) for rule in vendor.files]).encode())
    digest.update(repr(sorted((row.name, row.default) for row in catalogue.settings.values())).encode())
    digest.update("\n".join(more).encode())
    return digest.hexdigest()
