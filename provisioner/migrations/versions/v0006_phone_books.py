"""Phone books made of the extensions, and which phone reads which"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "phonebook",
        sa.Column("vendor", sa.String(length=32), nullable=False),
        sa.Column("book", sa.String(length=80), nullable=False, comment="all, site:<name> or department:<name>"),
        sa.Column("source", sa.String(length=64), nullable=False, comment="hash of what it was made of"),
        sa.Column("contacts", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content_type", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="sealed under phonebook:<vendor>:<book>"),
        sa.PrimaryKeyConstraint("vendor", "book", name=op.f("pk_phonebook")),
    )
    op.create_table(
        "phone_phonebook",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("book", sa.String(length=80), nullable=False, comment="the one that the phone may read"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_phone_phonebook_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_phone_phonebook")),
    )


def downgrade() -> None:
    op.drop_table("phone_phonebook")
    op.drop_table("phonebook")
