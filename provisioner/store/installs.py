"""Reads of install links."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.models_install import install_link
from provisioner.records_install import InstallLink
from provisioner.store.base import StoreBase

LINK_COLUMNS = [column for column in install_link.c if column.name != "mac"]


class InstallReads(StoreBase):
    """What is known of the install links of phones."""

    def install_link(self, mac: Mac) -> InstallLink | None:
        """Returns the phone's newest link, used or not, or None."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(*LINK_COLUMNS).where(install_link.c.mac == mac)).first()
        return link_of(row) if row else None


def link_of(row: Any) -> InstallLink | None:
    """Returns the link of a row that was joined with it; None where there was none."""
    if row.digest is None:
        return None
    return InstallLink(row.digest, row.created_at, row.expires_at, row.started_at, row.peer, row.closed_at)
