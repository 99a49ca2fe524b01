"""Calls, and who took part in them"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "call",
        sa.Column("number", _ID, autoincrement=True, nullable=False, comment="in the order in which they were taken over"),
        sa.Column("uid", sa.String(length=64), nullable=False, comment="the PBX's own name of it"),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("answered_at", sa.Float(), nullable=True, comment="NULL: nobody took it"),
        sa.Column("ended_at", sa.Float(), nullable=False),
        sa.Column("caller", sa.String(length=80), nullable=False),
        sa.Column("caller_name", sa.String(length=128), server_default="", nullable=False),
        sa.Column("called", sa.String(length=80), nullable=False, comment="as dialled"),
        sa.Column("answered_by", sa.String(length=32), server_default="", nullable=False, comment="empty: nobody, or a feature of the PBX"),
        sa.Column("outcome", sa.String(length=16), nullable=False, comment="answered, mailbox, missed, busy, refused or failed"),
        sa.Column("talk_s", sa.Float(), server_default="0", nullable=False),
        sa.Column("recording", sa.String(length=100), server_default="", nullable=False, comment="name of its file; empty: there is none"),
        sa.Column("recording_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_call")),
        sa.UniqueConstraint("uid", name=op.f("uq_call_uid")),
    )
    for column in ("started_at", "ended_at", "recording"):
        op.create_index(op.f(f"ix_call_{column}"), "call", [column])
    op.create_table(
        "call_party",
        sa.Column("number", sa.String(length=32), nullable=False, comment="of an extension that called, rang or talked"),
        sa.Column("call", _ID, nullable=False),
        sa.ForeignKeyConstraint(["call"], ["call.number"], name=op.f("fk_call_party_call"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", "call", name=op.f("pk_call_party")),
    )
    op.create_index(op.f("ix_call_party_call"), "call_party", ["call"])


def downgrade() -> None:
    op.drop_table("call_party")
    op.drop_table("call")
