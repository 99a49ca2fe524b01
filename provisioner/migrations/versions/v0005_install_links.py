"""One-time install links of phones far away"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "install_link",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="of the code, under a key derived from secret.key"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True, comment="when the first file went out by it; NULL: not used"),
        sa.Column("peer", sa.String(length=45), server_default="", nullable=False, comment="the address that it is bound to since then"),
        sa.Column("closed_at", sa.Float(), nullable=True, comment="when the phone was first served at its own address after that"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_install_link_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_install_link")),
    )


def downgrade() -> None:
    op.drop_table("install_link")
