"""Evidence of sightings as rows of its own, and scans"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("sighting", "evidence")
    op.create_table(
        "evidence",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False, comment="who said it"),
        sa.Column("fact", sa.String(length=16), nullable=False, comment="what it is about"),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False, comment="of 100"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["mac"], ["sighting.mac"], name=op.f("fk_evidence_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", "source", "fact", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_at"), "evidence", ["at"])
    op.create_table(
        "scan",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="when it was asked for"),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=18), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False, comment="waiting, running, done, cancelled or failed"),
        sa.Column("cancel", sa.Boolean(), server_default=sa.false(), nullable=False, comment="somebody wants it to end"),
        sa.Column("total", sa.Integer(), nullable=False, comment="addresses"),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False, comment="addresses that were looked at to the end"),
        sa.Column("found", sa.Integer(), server_default="0", nullable=False, comment="phones"),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scan")),
    )


def downgrade() -> None:
    op.drop_table("scan")
    op.drop_table("evidence")
    op.add_column("sighting", sa.Column("evidence", sa.JSON(), server_default="{}", nullable=False))
