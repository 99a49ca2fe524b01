"""Answers that are given again, webhooks and what is sent to them"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "idempotency_key",
        sa.Column("digest", sa.String(length=64), nullable=False, comment="of the key and of who sent it"),
        sa.Column("request", sa.String(length=64), nullable=False, comment="digest of what was sent with it"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True, comment="of the answer; NULL: it is being worked out"),
        sa.Column("answer", sa.LargeBinary(), nullable=True, comment="headers and body, sealed under idempotency:<digest>; NULL: none yet"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_idempotency_key")),
    )
    op.create_index("ix_idempotency_key_at", "idempotency_key", ["at"])
    op.create_table(
        "webhook",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False, comment="what signs, sealed under webhook:<name>"),
        sa.Column("events", sa.JSON(), nullable=False, comment="actions of changes, * for any ending; phone.*"),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="number of the last change that was looked at for it"),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_webhook")),
    )
    _deliveries()


def _deliveries() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("webhook", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=48), nullable=False, comment="action of the change"),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON as it is sent; without secrets"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=True, comment="when it is tried next; NULL: done, or given up"),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("delivered_at", sa.Float(), nullable=True, comment="when it was taken; NULL: not yet, or never"),
        sa.Column("status", sa.Integer(), nullable=True, comment="of the last answer; NULL: there was none"),
        sa.Column("error", sa.String(length=200), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["webhook"], ["webhook.name"], name=op.f("fk_webhook_delivery_webhook"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    op.create_index("ix_webhook_delivery_webhook", "webhook_delivery", ["webhook"])
    op.create_index("ix_webhook_delivery_due_at", "webhook_delivery", ["due_at"])


def downgrade() -> None:
    for table in ("webhook_delivery", "webhook", "idempotency_key"):
        op.drop_table(table)
