"""What a change of many things made of each of them"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "change_part",
        sa.Column("change", _ID, nullable=False),
        sa.Column("noun", sa.String(length=16), nullable=False, comment="phone or extension"),
        sa.Column("subject", sa.String(length=64), nullable=False, comment="MAC or number"),
        sa.Column(
            "before",
            sa.JSON(none_as_null=True),
            nullable=True,
            comment="fields that the change touched, without secrets; NULL: it was not there",
        ),
        sa.Column(
            "after", sa.JSON(none_as_null=True), nullable=True, comment="the same fields afterwards; NULL: it was not there any more"
        ),
        sa.ForeignKeyConstraint(["change"], ["change.id"], name=op.f("fk_change_part_change"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("change", "noun", "subject", name=op.f("pk_change_part")),
    )
    op.create_index(op.f("ix_change_part_subject"), "change_part", ["subject"])


def downgrade() -> None:
    op.drop_table("change_part")
