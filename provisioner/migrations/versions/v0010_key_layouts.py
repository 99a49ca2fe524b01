"""Key layouts that phones share"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "key_layout",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_key_layout")),
    )
    op.create_table(
        "layout_key",
        sa.Column("layout", sa.String(length=64), nullable=False),
        sa.Column("module", sa.Integer(), nullable=False),
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=255), server_default="", nullable=False),
        sa.Column("label", sa.String(length=64), server_default="", nullable=False),
        sa.Column("line", sa.Integer(), server_default="1", nullable=False),
        sa.Column("slot", sa.Boolean(), server_default=sa.false(), nullable=False, comment="each phone fills this place itself"),
        sa.ForeignKeyConstraint(["layout"], ["key_layout.name"], name=op.f("fk_layout_key_layout"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("layout", "module", "key", name=op.f("pk_layout_key")),
    )
    op.create_index(op.f("ix_layout_key_value"), "layout_key", ["value"])
    op.create_table(
        "phone_layout",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("layout", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_phone_layout_mac"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["layout"], ["key_layout.name"], name=op.f("fk_phone_layout_layout")),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_phone_layout")),
    )
    op.create_index(op.f("ix_phone_layout_layout"), "phone_layout", ["layout"])


def downgrade() -> None:
    op.drop_table("phone_layout")
    op.drop_table("layout_key")
    op.drop_table("key_layout")
