"""Phones whose files go out encrypted"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "enciphered_phone",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("since_epoch", sa.Integer(), nullable=False, comment="the first token epoch whose address came with a key for the files"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_enciphered_phone_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_enciphered_phone")),
    )


def downgrade() -> None:
    op.drop_table("enciphered_phone")
