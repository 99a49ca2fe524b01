"""Test calls to phones"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "test_call",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="asked, ringing, heard or failed"),
        sa.Column("detail", sa.String(length=200), server_default="", nullable=False),
        sa.Column("at", sa.Float(), nullable=False, comment="when it came into this state"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_test_call_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_test_call")),
    )
    op.create_index(op.f("ix_test_call_state"), "test_call", ["state"])


def downgrade() -> None:
    op.drop_table("test_call")
