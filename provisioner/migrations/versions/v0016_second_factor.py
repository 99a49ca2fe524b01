"""Setting up one-time codes, and recovery codes"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "codes_setup",
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column(
            "secret",
            sa.LargeBinary(),
            nullable=False,
            comment="sealed under codes_setup:<name>; counts for nothing before a code of it came",
        ),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["user_account.name"], name=op.f("fk_codes_setup_name"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_codes_setup")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column(
            "digest",
            sa.String(length=64),
            nullable=False,
            comment="HMAC of the code under a key of secret.key; the row goes when it is used",
        ),
        sa.ForeignKeyConstraint(["name"], ["user_account.name"], name=op.f("fk_recovery_code_name"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", "digest", name=op.f("pk_recovery_code")),
    )


def downgrade() -> None:
    op.drop_table("recovery_code")
    op.drop_table("codes_setup")
