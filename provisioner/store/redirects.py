"""Reads of redirect services: accounts, and what is open or known of each phone."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.models_redirect import redirect, redirect_account, redirect_removal
from provisioner.records_install import RedirectAccount, RedirectRecord, RedirectRemoval
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

    def redirects(self, *, after: str = "", limit: int = 100) -> list[RedirectRecord]:
        """Returns what was asked for every listed phone and what came of it, in the order of their MAC."""
        query = sa.select(redirect).where(redirect.c.mac > after).order_by(redirect.c.mac).limit(limit)
        with self.database.read() as connection:
            return [self._redirect(row) for row in connection.execute(query)]

    def redirect_removals(self, *, after: str = "", limit: int = 100) -> list[RedirectRemoval]:
        """Returns phones off the list that services are still to forget, in the order of their MAC."""
        query = sa.select(redirect_removal).where(redirect_removal.c.mac > after).order_by(redirect_removal.c.mac).limit(limit)
        with self.database.read() as connection:
            return [_removal(row) for row in connection.execute(query)]

    def redirect_removal(self, mac: Mac) -> RedirectRemoval | None:
        """Returns the removal of a phone that is still open, or None."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(redirect_removal).where(redirect_removal.c.mac == mac)).first()
        return _removal(row) if row else None

    def redirect_removals_due(self, now: float, limit: int) -> list[RedirectRemoval]:
        """Returns what services are to forget now, oldest first."""
        query = sa.select(redirect_removal).where(redirect_removal.c.due_at <= now).order_by(redirect_removal.c.due_at).limit(limit)
        with self.database.read() as connection:
            return [_removal(row) for row in connection.execute(query)]

    def redirect_removals_refused(self) -> int:
        """Returns how many removals are not tried any more by themselves."""
        query = sa.select(sa.func.count()).select_from(redirect_removal).where(redirect_removal.c.state == "refused")
        with self.database.read() as connection:
            return int(connection.execute(query).scalar() or 0)

    def _redirect(self, row: Any) -> RedirectRecord:
        url = self.box.open(row.url, f"redirect:{row.mac}").decode()
        return RedirectRecord(
            Mac(row.mac), row.wanted, row.state, row.reason, row.serial, url, row.asked_at, row.changed_at, row.tries, row.due_at
        )


def _removal(row: Any) -> RedirectRemoval:
    return RedirectRemoval(**{**row._mapping, "mac": Mac(row.mac)})
