"""Reads of webhooks and of what is to be, and was, sent to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.models_api import webhook, webhook_delivery
from provisioner.records import Delivery, WebhookRecord
from provisioner.store.base import StoreBase

_SHOWN = [column for column in webhook.c if column.name != "secret"]


@dataclass(frozen=True, slots=True)
class WebhookStanding:
    """What came of the last delivery that was tried, None where none was; and how many wait."""

    last: Delivery | None = None
    waiting: int = 0


class WebhookReads(StoreBase):
    """Webhooks and deliveries."""

    def webhooks(self, connection: Connection | None = None) -> list[WebhookRecord]:
        """Returns every webhook in the order of the names; their number is bounded."""
        if connection is None:
            with self.database.read() as own:
                return self.webhooks(own)
        return [_webhook(row) for row in connection.execute(sa.select(*_SHOWN).order_by(webhook.c.name))]

    def webhook(self, name: str, connection: Connection | None = None) -> WebhookRecord | None:
        return next((record for record in self.webhooks(connection) if record.name == name), None)

    def webhook_standings(self) -> Mapping[str, WebhookStanding]:
        """Returns how each webhook stands that anything was, or is to be, sent to."""
        mine = sa.select(webhook_delivery.c.id).where(webhook_delivery.c.webhook == webhook.c.name, webhook_delivery.c.tries > 0)
        newest = sa.select(mine.order_by(webhook_delivery.c.id.desc()).limit(1).correlate(webhook).scalar_subquery()).select_from(webhook)
        # Counted here: grouped by the database, all that is kept would be read.
        waiting = sa.select(webhook_delivery.c.webhook).where(webhook_delivery.c.due_at > 0)
        with self.database.read() as connection:
            tried = [Delivery(**row._mapping) for row in connection.execute(_deliveries().where(webhook_delivery.c.id.in_(newest)))]
            counts = Counter(connection.execute(waiting).scalars())
        last = {row.webhook: row for row in tried}
        return {name: WebhookStanding(last.get(name), counts[name]) for name in last.keys() | counts.keys()}

    def webhook_secret(self, name: str) -> bytes | None:
        """Returns what signs, in clear."""
        with self.database.read() as connection:
            sealed = connection.execute(sa.select(webhook.c.secret).where(webhook.c.name == name)).scalar()
        return self.box.open(sealed, f"webhook:{name}") if sealed else None

    def due_deliveries(self, now: float) -> list[Delivery]:
        """Returns the oldest delivery that is due, of each webhook that is enabled."""
        oldest = sa.select(sa.func.min(webhook_delivery.c.id)).where(webhook_delivery.c.due_at <= now).group_by(webhook_delivery.c.webhook)
        query = _deliveries().where(webhook_delivery.c.id.in_(oldest), webhook.c.enabled).order_by(webhook_delivery.c.id)
        with self.database.read() as connection:
            return [Delivery(**row._mapping) for row in connection.execute(query)]

    def deliveries(self, name: str, *, before: int | None = None, limit: int = 100) -> list[Delivery]:
        """Returns what was, or is to be, sent to a webhook, the newest first."""
        query = _deliveries().where(webhook_delivery.c.webhook == name).order_by(webhook_delivery.c.id.desc()).limit(limit)
        query = query.where(webhook_delivery.c.id < before) if before is not None else query
        with self.database.read() as connection:
            return [Delivery(**row._mapping) for row in connection.execute(query)]


def _deliveries() -> sa.Select[Any]:
    return sa.select(*webhook_delivery.c, webhook.c.url).join(webhook, webhook.c.name == webhook_delivery.c.webhook)


def _webhook(row: Any) -> WebhookRecord:
    return WebhookRecord(row.name, row.url, tuple(row.events), row.enabled, row.position, row.revision)
