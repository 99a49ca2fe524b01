"""Firmware that phones are to run, and which phones were given theirs"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "firmware_pin",
        sa.Column("target", sa.String(length=140), nullable=False, comment="a model, model@group, or the MAC of a phone"),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("group", sa.String(length=64), nullable=True),
        sa.Column("mac", sa.String(length=12), nullable=True),
        sa.Column("file", sa.String(length=200), nullable=False, comment="below firmware/ of the static files"),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="of the file when it was pinned"),
        sa.Column("version", sa.String(length=64), nullable=False, comment="as the phones' User-Agent says it"),
        sa.Column("hardware", sa.String(length=64), server_default="", nullable=False, comment="revision or part number; empty: any"),
        sa.Column("shares", sa.JSON(), nullable=False, comment="percent, rising to 100"),
        sa.Column("share", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=8), server_default="rolling", nullable=False, comment="rolling, done or stopped"),
        sa.Column("timeout_s", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="why it stopped"),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["group"], ["phone_group.name"], name=op.f("fk_firmware_pin_group"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_firmware_pin_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_firmware_pin")),
    )
    op.create_table(
        "firmware_release",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("target", sa.String(length=140), nullable=False),
        sa.Column("released_at", sa.Float(), nullable=False, comment="when the phone was given the image"),
        sa.Column("confirmed_at", sa.Float(), nullable=True, comment="when it was seen to run the version"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_firmware_release_mac"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["target"], ["firmware_pin.target"], name=op.f("fk_firmware_release_target"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_firmware_release")),
    )
    op.create_index(op.f("ix_firmware_release_target"), "firmware_release", ["target"])


def downgrade() -> None:
    op.drop_table("firmware_release")
    op.drop_table("firmware_pin")
