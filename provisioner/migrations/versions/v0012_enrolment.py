"""Newcomers, windows, the warehouse, claim codes, and a site's pool of extensions"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pool = sa.Column(
        "pool", sa.String(length=64), server_default="", nullable=False, comment="extensions for phones that are taken in there: 1000-1199"
    )
    op.add_column("site", pool)
    _newcomers()
    op.create_table(
        "enrolment_window",
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("opened_at", sa.Float(), nullable=False),
        sa.Column("closes_at", sa.Float(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False, comment="phones that may be taken in"),
        sa.Column("taken", sa.Integer(), server_default="0", nullable=False, comment="phones that were"),
        sa.Column("opened_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["site"], ["site.name"], name=op.f("fk_enrolment_window_site"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("site", name=op.f("pk_enrolment_window")),
    )
    op.create_table(
        "warehouse",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=128), server_default="", nullable=False),
        sa.Column("added_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_warehouse")),
    )
    op.create_table(
        "claim_code",
        sa.Column("digest", sa.String(length=64), nullable=False, comment="of the code: it is shown once"),
        sa.Column("extension", sa.String(length=32), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["extension"], ["extension.number"], name=op.f("fk_claim_code_extension"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_claim_code")),
    )


def _newcomers() -> None:
    op.create_table(
        "newcomer",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("peer", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("transport", sa.String(length=8), nullable=False),
        sa.Column("first_at", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False, comment="it was given the configuration of the waiting room"),
        sa.Column("judged_at", sa.Float(), nullable=True, comment="when the worker last applied the site's policy; NULL: not yet"),
        sa.Column("outcome", sa.String(length=200), server_default="", nullable=False, comment="what came of it, as a sentence"),
        sa.Column("waits_until", sa.Float(), nullable=True, comment="until when the PBX knows its claim-only account; NULL: it does not"),
        sa.Column("wrong_codes", sa.Integer(), server_default="0", nullable=False, comment="claim codes that it dialled and nobody made"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_newcomer")),
    )
    op.create_index(op.f("ix_newcomer_at"), "newcomer", ["at"])


def downgrade() -> None:
    for table in ("claim_code", "warehouse", "enrolment_window", "newcomer"):
        op.drop_table(table)
    op.drop_column("site", "pool")
