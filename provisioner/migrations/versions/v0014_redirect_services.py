"""The makers' redirect services"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "redirect_account",
        sa.Column("vendor", sa.String(length=32), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False, comment="of the service, where it is not that of the catalogue"),
        sa.Column("fields", sa.LargeBinary(), nullable=False, comment="sealed under redirect_account:<vendor>: JSON object"),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("vendor", name=op.f("pk_redirect_account")),
    )
    op.create_table(
        "redirect",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False, comment="to be registered; false: to be taken off"),
        sa.Column("state", sa.String(length=16), nullable=False, comment="asked, registered or refused; no row: none"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="why it is refused, or what the last try came to"),
        sa.Column("serial", sa.String(length=64), server_default="", nullable=False),
        sa.Column("url", sa.LargeBinary(), nullable=False, comment="sealed under redirect:<mac>: the address that is registered"),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.Float(), nullable=True, comment="when it is tried next; NULL: nothing is open"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_redirect_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_redirect")),
    )
    op.create_index(op.f("ix_redirect_due_at"), "redirect", ["due_at"])


def downgrade() -> None:
    op.drop_table("redirect")
    op.drop_table("redirect_account")
