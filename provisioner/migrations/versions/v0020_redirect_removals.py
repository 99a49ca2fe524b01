"""Phones that the makers' redirect services are to forget"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "redirect_removal",
        sa.Column("mac", sa.String(length=12), nullable=False, comment="of a phone that was taken off the list: its own row is gone"),
        sa.Column("vendor", sa.String(length=32), nullable=False, comment="whose service is to forget it"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="asked or refused; no row: done"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="why it is refused, or what the last try came to"),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.Float(), nullable=True, comment="when it is tried next; NULL: not unless somebody says so"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_redirect_removal")),
    )
    op.create_index(op.f("ix_redirect_removal_due_at"), "redirect_removal", ["due_at"])


def downgrade() -> None:
    op.drop_table("redirect_removal")
