"""Users, their sessions, and the sites that a token or an extension belongs to"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _users()
    _sessions()
    op.add_column(
        "api_token", sa.Column("sites", sa.JSON(none_as_null=True), nullable=True, comment="names of the sites that it sees; NULL: all")
    )


def _users() -> None:
    op.create_table(
        "user_account",
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=True, comment="argon2id; NULL: signs in elsewhere (OpenID Connect)"),
        sa.Column("sites", sa.JSON(), nullable=True, comment="names of the sites that it sees; NULL: all"),
        sa.Column("extensions", sa.JSON(), nullable=False, comment="its own extensions, for the role user"),
        sa.Column("language", sa.String(length=8), server_default="", nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column(
            "totp",
            sa.LargeBinary(),
            nullable=True,
            comment="secret of the one-time codes, sealed under totp:<name>; NULL: none are asked for",
        ),
        sa.Column(
            "totp_step",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="time step of the last code taken: none is taken twice",
        ),
        sa.Column("subject", sa.String(length=255), nullable=True, comment="who it is at the OpenID Connect provider; NULL: nobody"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_user_account")),
        sa.UniqueConstraint("subject", name=op.f("uq_user_account_subject")),
    )


def _sessions() -> None:
    op.create_table(
        "user_session",
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of the cookie, which is never stored"),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("last_seen_at", sa.Float(), nullable=False, comment="to the minute"),
        sa.Column("expires_at", sa.Float(), nullable=False, comment="at the latest"),
        sa.Column(
            "ended_at",
            sa.Float(),
            nullable=True,
            comment="when it was ended; NULL: it holds until it expires. Kept for a while: it tells known addresses",
        ),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["name"], ["user_account.name"], name=op.f("fk_user_session_name"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_user_session")),
    )
    op.create_index("ix_user_session_name", "user_session", ["name"])
    op.create_index("ix_user_session_expires_at", "user_session", ["expires_at"])


def downgrade() -> None:
    op.drop_column("api_token", "sites")
    op.drop_table("user_session")
    op.drop_table("user_account")
