"""Writes of what phones sent: carried to the phone that takes another one's place, or thrown away."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.changes.unit import Unit, UnitMaker
from provisioner.core.mac import Mac
from provisioner.errors import NotFound
from provisioner.models import upload
from provisioner.records import UploadRecord

CARRIED = ("contacts_upload", "directory", "call_list", "override")
"""Kinds that are the user's own. A log is of the old phone."""
Kept = tuple[UploadRecord, bytes]


class UploadWrites(UnitMaker):
    """Carries and deletes uploads; what is in them is never read into desired state."""

    def delete_upload(self, actor: str, mac: Mac, name: str) -> None:
        """Throws away one file that the phone sent: from now on it is not given back."""
        with self.unit(actor) as unit:
            here = sa.and_(upload.c.mac == mac, upload.c.name == name)
            if not unit.connection.execute(upload.delete().where(here)).rowcount:
                raise NotFound({"name": f"the phone {mac.colons} sent no such file"})
            unit.reindex(mac)
            unit.log("phone.delete_upload", mac, {"name": name}, None)

    def uploads_to_carry(self, unit: Unit, mac: Mac) -> list[Kept]:
        """Returns the user's own of what a phone sent, in clear."""
        query = sa.select(upload).where(upload.c.mac == mac, upload.c.kind.in_(CARRIED))
        return [
            (
                UploadRecord(mac, row.name, row.kind, row.content_type, row.received_at, row.size, row.sha256),
                self.store.box.open(row.body, f"upload:{mac}:{row.name}"),
            )
            for row in unit.connection.execute(query)
        ]

    def carry_uploads(self, unit: Unit, kept: list[Kept], old: Mac, new: Mac) -> None:
        """Gives files that ``old`` sent to ``new``, under its own names."""
        rows = []
        for record, body in kept:
            name = record.name.replace(old, new)
            rows.append(
                {
                    "mac": new, "name": name, "kind": record.kind, "content_type": record.content_type, "received_at": record.received_at,
                    "size": record.size, "sha256": record.sha256, "body": self.store.box.seal(body, f"upload:{new}:{name}"),
                }
            )  # fmt: skip
        if rows:
            unit.connection.execute(upload.insert(), rows)
