"""Tables of the people who sign in: users, their sessions. API tokens, which are older, are in ``models``."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

user = sa.Table(
    "user_account",  # "user" is a word of SQL
    metadata,
    sa.Column("name", sa.String(48), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password", sa.String(255), comment="argon2id; NULL: signs in elsewhere (OpenID Connect)"),
    sa.Column("sites", sa.JSON(none_as_null=True), comment="names of the sites that it sees; NULL: all"),
    sa.Column("extensions", sa.JSON, nullable=False, comment="its own extensions, for the role user"),
    sa.Column("language", sa.String(8), nullable=False, server_default=""),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("totp", sa.LargeBinary, comment="secret of the one-time codes, sealed under totp:<name>; NULL: none are asked for"),
    sa.Column(
        "totp_step", sa.BigInteger, nullable=False, server_default="0", comment="time step of the last code taken: none is taken twice"
    ),
    sa.Column("subject", sa.String(255), unique=True, comment="who it is at the OpenID Connect provider; NULL: nobody"),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
)

user_session = sa.Table(
    "user_session",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True, comment="SHA-256 of the cookie, which is never stored"),
    sa.Column("name", sa.ForeignKey("user_account.name", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("last_seen_at", sa.Float, nullable=False, comment="to the minute"),
    sa.Column("expires_at", sa.Float, nullable=False, index=True, comment="at the latest"),
    sa.Column(
        "ended_at", sa.Float, comment="when it was ended; NULL: it holds until it expires. Kept for a while: it tells known addresses"
    ),
    sa.Column("address", sa.String(45), nullable=False),
    sa.Column("user_agent", sa.String(200), nullable=False),
)
