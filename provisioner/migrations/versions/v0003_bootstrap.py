"""Who took a first fetch, which listed phones were refused one, and scans for MACs"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "first_fetch",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=False, comment="of the phone, when it was taken: another opening knows nothing of it"),
        sa.Column("peer", sa.String(length=45), nullable=False, comment="the address that took it; no other one gets it"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_first_fetch_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_first_fetch")),
    )
    op.create_table(
        "bootstrap_refusal",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("first_at", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("peer", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_bootstrap_refusal_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_bootstrap_refusal")),
    )
    op.create_table(
        "alarm",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False, comment="the listener that noticed it"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="address, oui or all: which bound was passed"),
        sa.Column("scope", sa.String(length=45), nullable=False, comment="an address, or everywhere"),
        sa.Column("macs", sa.Integer(), nullable=False, comment="different MACs that nobody listed"),
        sa.Column("until", sa.Float(), nullable=False, comment="when the bootstrap opens again"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )


def downgrade() -> None:
    for table in ("alarm", "bootstrap_refusal", "first_fetch"):
        op.drop_table(table)
