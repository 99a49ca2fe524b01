"""Files that phones send: bounded, sealed, kept per phone and name. They are data: nothing is ever read into desired state here."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import sqlalchemy as sa

from provisioner.core.catalogue import UploadRule
from provisioner.core.mac import Mac
from provisioner.models import index_log, upload
from provisioner.store import Store

FILES_PER_PHONE = 32


def merged_upload(rule: UploadRule, before: bytes, body: bytes) -> bytes:
    """Returns what is kept of ``body`` after ``before``: replaced or appended, and of too much only the newest part.

    An append that would pass the rule's limit begins anew with what just came, as the phones' own log files do.
    """
    if rule.mode == "append" and len(before) + len(body) <= rule.append_limit_bytes:
        body = before + body
    return body[-rule.keep_bytes :]


class UploadWriter:
    """Keeps uploads in the database."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def keep(self, mac: Mac, name: str, rule: UploadRule, body: bytes) -> bool:
        """Stores an upload; False where the phone has too many files already. Raises what the database raises."""
        box, at = self._store.box, self._clock()
        with self._store.database.write() as connection:
            here = sa.and_(upload.c.mac == mac, upload.c.name == name)
            row = connection.execute(sa.select(upload.c.body).where(here)).first()
            count = connection.execute(sa.select(sa.func.count()).select_from(upload).where(upload.c.mac == mac)).scalar() or 0
            if row is None and count >= FILES_PER_PHONE:
                return False
            before = box.open(row.body, f"upload:{mac}:{name}") if row is not None and rule.mode == "append" else b""
            kept = merged_upload(rule, before, body)
            values = {
                "kind": rule.kind,
                "content_type": rule.content_type,
                "received_at": at,
                "size": len(kept),
                "sha256": hashlib.sha256(kept).hexdigest(),
                "body": box.seal(kept, f"upload:{mac}:{name}"),
            }
            if row is None:
                connection.execute(upload.insert().values(mac=mac, name=name, **values))
            else:
                connection.execute(upload.update().where(here).values(**values))
            connection.execute(index_log.insert().values(mac=mac, at=at))
        return True
