"""Reads of redirect services: accounts, and what is open or known of each phone."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.models_redirect import redirect, redirect_account
from provisioner.records_install import RedirectAccount, RedirectRecord
from provisioner.store.base import StoreBase


class RedirectReads(StoreBase):
    """What is known of redirect services."""

    def redirect_account(self, vendor: str) -> RedirectAccount | None:
        """Returns the account at a vendor's service, its fields in clear, or None."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(redirect_account).where(redirect_account.c.vendor == vendor)).first()
        if row is None:
            return None
        fields = json.loads(self.box.open(row.fields, f"redirect_account:{vendor}"))
        return RedirectAccount(row.vendor, row.address, dict(fields), row.changed_at)

    def redirect(self, mac: Mac) -> RedirectRecord | None:
        """Returns what was asked for a phone and what came of it, or None."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(redirect).where(redirect.c.mac == mac)).first()
        return self._redirect(row) if row else None

    def redirects_due(self, now: float, limit: int) -> list[RedirectRecord]:
        """Returns what is to be asked of services now, oldest first."""
        query = sa.select(redirect).where(redirect.c.due_at <= now).order_by(redirect.c.due_at).limit(limit)
        with self.database.read() as connection:
            return [self._redirect(row) for row in connection.execute(query)]

    def _redirect(self, row: Any) -> RedirectRecord:
        url = self.box.open(row.url, f"redirect:{row.mac}").decode()
        return RedirectRecord(
            Mac(row.mac), row.wanted, row.state, row.reason, row.serial, url, row.asked_at, row.changed_at, row.tries, row.due_at
        )
