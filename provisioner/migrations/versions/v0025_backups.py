"""Backups being made"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "backup_run",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="when it was asked for, or begun where it was due"),
        sa.Column("actor", sa.String(length=64), nullable=False, comment="worker where it was due"),
        sa.Column("state", sa.String(length=8), nullable=False, comment="waiting, running, done or failed"),
        sa.Column("step", sa.String(length=8), server_default="", nullable=False, comment="copying, packing or checking"),
        sa.Column("percent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("name", sa.String(length=64), server_default="", nullable=False, comment="of the archive"),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False, comment="why it failed"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_run")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_backup_run_state"), "backup_run", ["state"])


def downgrade() -> None:
    op.drop_table("backup_run")
