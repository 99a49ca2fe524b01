"""People who are told by e-mail"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_recipient",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=True, comment="whose events alone are told; NULL: all"),
        sa.Column("language", sa.String(length=8), server_default="en", nullable=False),
        sa.Column("events", sa.JSON(), nullable=False, comment="actions of changes, * for any ending; pbx.*"),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="number of the last change that was told, or is not to be"),
        sa.Column("sent_at", sa.Float(), nullable=True, comment="when the last notice was taken by the mail server; NULL: none yet"),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False, comment="in vain since then"),
        sa.Column("due_at", sa.Float(), nullable=True, comment="not to be tried before; NULL: at once"),
        sa.Column("error", sa.String(length=300), server_default="", nullable=False, comment="why the last try was in vain"),
        sa.ForeignKeyConstraint(["site"], ["site.name"], name=op.f("fk_mail_recipient_site_site"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_recipient")),
    )
    op.create_index(op.f("ix_mail_recipient_site"), "mail_recipient", ["site"])


def downgrade() -> None:
    op.drop_table("mail_recipient")
