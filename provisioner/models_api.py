"""Tables of what programs rely on: answers that are given again, and calls to other programs."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

idempotency_key = sa.Table(
    "idempotency_key",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True, comment="of the key and of who sent it"),
    sa.Column("request", sa.String(64), nullable=False, comment="digest of what was sent with it"),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("status", sa.Integer, comment="of the answer; NULL: it is being worked out"),
    sa.Column("answer", sa.LargeBinary, comment="headers and body, sealed under idempotency:<digest>; NULL: none yet"),
)

webhook = sa.Table(
    "webhook",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("url", sa.String(1000), nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False, comment="what signs, sealed under webhook:<name>"),
    sa.Column("events", sa.JSON, nullable=False, comment="actions of changes, * for any ending; phone.*"),
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("position", sa.BigInteger, nullable=False, comment="number of the last change that was looked at for it"),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
)

webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("webhook", sa.ForeignKey("webhook.name", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("event", sa.String(48), nullable=False, comment="action of the change"),
    sa.Column("body", sa.Text, nullable=False, comment="JSON as it is sent; without secrets"),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("due_at", sa.Float, index=True, comment="when it is tried next; NULL: done, or given up"),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("delivered_at", sa.Float, comment="when it was taken; NULL: not yet, or never"),
    sa.Column("status", sa.Integer, comment="of the last answer; NULL: there was none"),
    sa.Column("error", sa.String(200), nullable=False, server_default=""),
)
