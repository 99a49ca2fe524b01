"""Writes of webhooks and of their deliveries."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from provisioner.changes.sites import NAME
from provisioner.changes.unit import Unit, UnitMaker
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import change
from provisioner.models_api import webhook, webhook_delivery
from provisioner.records import WebhookRecord

MOST = 50
"""Webhooks in all."""
KEPT = 1000
"""Deliveries kept of one webhook; the oldest go first, sent or not."""
BATCH = 500
MOST_EVENTS, LONGEST_EVENT = 50, 64
LONGEST_URL = 1000
EVENT = re.compile(r"(?:\*|[a-z_]+\.(?:\*|[a-z_]+))\Z")


class WebhookWrites(UnitMaker):
    """Make, change and remove webhooks; queue and note deliveries."""

    def create_webhook(self, actor: str, name: str, given: Mapping[str, Any]) -> tuple[WebhookRecord, str]:
        """Makes a webhook from ``url`` and ``events``; returns it with the secret that signs, which is shown this once."""
        if not NAME.match(name):
            raise InputError({"name": "1 to 64 letters, digits, blanks, dots or dashes are needed"})
        values = _checked(given)
        if "url" not in values:
            raise InputError({"url": "this is needed"})
        secret = secrets.token_urlsafe(32)
        with self.unit(actor) as unit:
            there = self.store.webhooks(unit.connection)
            if any(record.name == name for record in there):
                raise AlreadyExists({"name": f"a webhook {name} exists already"})
            if len(there) >= MOST:
                raise InputError({"name": f"there are {MOST} webhooks, and not more are possible"})
            sealed = self.store.box.seal(secret.encode(), f"webhook:{name}")
            row = {"events": ["*"], "enabled": True, **values}
            unit.log("webhook.create", name, None, _told(row))
            newest = unit.connection.execute(sa.select(sa.func.max(change.c.id))).scalar()
            unit.connection.execute(webhook.insert().values(name=name, secret=sealed, position=newest, **row))
            return self._webhook(unit, name), secret

    def update_webhook(self, actor: str, name: str, given: Mapping[str, Any], expected: int | None = None) -> WebhookRecord:
        """Changes what is given of ``url``, ``events`` and ``enabled``."""
        values = _checked(given)
        with self.unit(actor) as unit:
            before = self._webhook(unit, name)
            unit.expect(before.revision, expected)
            unit.connection.execute(webhook.update().where(webhook.c.name == name).values(**values, revision=webhook.c.revision + 1))
            unit.log("webhook.update", name, _told({each: getattr(before, each) for each in values}), _told(values))
            return self._webhook(unit, name)

    def delete_webhook(self, actor: str, name: str, expected: int | None = None) -> None:
        """Removes a webhook and its deliveries."""
        with self.unit(actor) as unit:
            unit.expect(self._webhook(unit, name).revision, expected)
            unit.connection.execute(webhook.delete().where(webhook.c.name == name))
            unit.log("webhook.delete", name, None, None)

    def test_webhook(self, actor: str, name: str) -> None:
        """Queues a delivery that tells of nothing, to see whether it is taken."""
        with self.unit(actor) as unit:
            self._webhook(unit, name)
            self._queue(unit, name, [("webhook.test", {"type": "webhook.test", "timestamp": _time(unit.at), "data": {}})])

    def resend_delivery(self, actor: str, name: str, delivery: int) -> None:
        """Has a delivery sent again, now, whatever became of it."""
        with self.unit(actor) as unit:
            mine = (webhook_delivery.c.id == delivery) & (webhook_delivery.c.webhook == name)
            again = {"due_at": unit.at, "tries": 0, "delivered_at": None, "error": "", "status": None}
            if not unit.connection.execute(webhook_delivery.update().where(mine).values(**again)).rowcount:
                raise NotFound({"delivery": f"webhook {name[:64]} has no delivery {delivery}"})

    def queue_deliveries(self, name: str) -> int:
        """Queues what changed since it was last looked, ``BATCH`` changes at a time; returns how many deliveries that made.

        0 for a webhook that was removed meanwhile: who asks has read the list of them before.
        """
        with self.unit("worker") as unit:
            hook = self.store.webhook(name, unit.connection)
            if hook is None:
                return 0
            query = sa.select(change).where(change.c.id > hook.position).order_by(change.c.id).limit(BATCH)
            rows = unit.connection.execute(query).all()
            if not rows:
                return 0
            wanted = [(row.action, _body(row)) for row in rows if wants(hook.events, row.action)]
            self._queue(unit, name, wanted)
            unit.connection.execute(webhook.update().where(webhook.c.name == name).values(position=rows[-1].id))
            return len(wanted)

    def note_delivery(self, delivery: int, *, taken: bool, status: int | None, error: str, pause_s: float | None) -> None:
        """Keeps what came of a try; ``pause_s`` None: there is no further one."""
        now = self.clock()
        values: dict[str, Any] = {"status": status, "error": error, "tries": webhook_delivery.c.tries + 1}
        values |= {"delivered_at": now if taken else None, "due_at": None if pause_s is None else now + pause_s}
        with self.store.database.write() as connection:
            connection.execute(webhook_delivery.update().where(webhook_delivery.c.id == delivery).values(**values))

    def _queue(self, unit: Unit, name: str, wanted: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        if not wanted:
            return
        rows = [{"webhook": name, "event": event, "body": json.dumps(body), "at": unit.at, "due_at": unit.at} for event, body in wanted]
        unit.connection.execute(webhook_delivery.insert(), rows)
        mine = sa.select(webhook_delivery.c.id).where(webhook_delivery.c.webhook == name).order_by(webhook_delivery.c.id.desc())
        oldest = unit.connection.execute(mine.offset(KEPT).limit(1)).scalar()
        if oldest is not None:
            unit.connection.execute(webhook_delivery.delete().where(webhook_delivery.c.webhook == name, webhook_delivery.c.id <= oldest))

    def _webhook(self, unit: Unit, name: str) -> WebhookRecord:
        record = self.store.webhook(name, unit.connection)
        if record is None:
            raise NotFound({"name": f"there is no webhook {name[:64]}"})
        return record


def wants(events: Sequence[str], action: str) -> bool:
    """Returns whether a webhook with ``events`` is told of an action."""
    return any(event in ("*", action) or (event.endswith(".*") and action.startswith(event[:-1])) for event in events)


def event_mistakes(events: Sequence[str]) -> dict[str, str]:
    """Returns what is wrong with the actions that somebody wants to be told of, by field."""
    if not events:
        return {"events": "name at least one, or * for all"}
    if len(events) > MOST_EVENTS:
        return {"events": f"at most {MOST_EVENTS} are possible, or * for all"}
    wrong = [at for at, event in enumerate(events) if len(event) > LONGEST_EVENT or not EVENT.match(event)]
    return {f"events.{at}": "an action is needed, for example phone.update, phone.* or *" for at in wrong}


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    mistakes: dict[str, str] = {}
    if "url" in given and not _is_url(given["url"]):
        mistakes["url"] = "an address like https://example.org/hook is needed, without user and password"
    mistakes |= event_mistakes(given.get("events", ["*"]))
    if mistakes:
        raise InputError(mistakes)
    return {name: list(value) if name == "events" else value for name, value in given.items()}


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and parts.username is None and parts.password is None
    return plain and len(url) <= LONGEST_URL and has_port and parts.scheme in ("http", "https") and bool(parts.hostname)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a change keeps of a webhook."""
    return {**row, **({"url": _place(row["url"])} if "url" in row else {})}


def _place(url: str) -> str:
    """Returns a URL as the changes keep it: its path and query may hold what only the receiver should know."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/..."


def _body(row: Any) -> dict[str, Any]:
    kept = ("id", "actor", "action", "subject", "before", "after", "phones")
    return {"type": row.action, "timestamp": _time(row.at), "data": {name: getattr(row, name) for name in kept}}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
