"""Reads of who is told by e-mail, and of what there is to tell."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.models import change
from provisioner.models_mail import mail_recipient
from provisioner.records import ChangeRecord
from provisioner.records_mail import MailRecipient
from provisioner.store.base import StoreBase


class MailReads(StoreBase):
    """Recipients, and changes in the order in which they were made."""

    def mail_recipients(self, connection: Connection | None = None) -> list[MailRecipient]:
        """Returns everybody in the order of their number; they are bounded."""
        if connection is None:
            with self.database.read() as own:
                return self.mail_recipients(own)
        return [_recipient(row) for row in connection.execute(sa.select(mail_recipient).order_by(mail_recipient.c.id))]

    def mail_recipient(self, number: int, connection: Connection | None = None) -> MailRecipient | None:
        return next((record for record in self.mail_recipients(connection) if record.id == number), None)

    def changes_to_tell(self, number: int, *, since: float, limit: int) -> list[ChangeRecord]:
        """Returns changes after the one numbered so, the oldest first; of those of before ``since`` none."""
        query = sa.select(change).where(change.c.id > number, change.c.at >= since).order_by(change.c.id).limit(limit)
        with self.database.read() as connection:
            return [ChangeRecord(**row._mapping) for row in connection.execute(query)]


def _recipient(row: Any) -> MailRecipient:
    return MailRecipient(**{**row._mapping, "events": tuple(row.events)})
