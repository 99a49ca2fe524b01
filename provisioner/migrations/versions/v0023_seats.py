"""Who sits at which hot desk"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seat",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("extension", sa.String(length=32), nullable=False, comment="whose the phone is for now"),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False, comment="who logged them in"),
        sa.Column("place", sa.String(length=32), nullable=False, comment="the phone's own extension; empty: it has none"),
        sa.Column("home", sa.JSON(), nullable=False, comment="lines, keys and layout that the phone has by itself"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_seat_mac"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["extension"], ["extension.number"], name=op.f("fk_seat_extension")),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_seat")),
        sa.UniqueConstraint("extension", name=op.f("uq_seat_extension")),
    )
    op.create_index(op.f("ix_seat_place"), "seat", ["place"])


def downgrade() -> None:
    op.drop_table("seat")
