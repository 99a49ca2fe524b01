"""The table of people who are told by e-mail. What waits for them is no row: it is the changes after their position."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

mail_recipient = sa.Table(
    "mail_recipient",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("address", sa.String(254), nullable=False),
    sa.Column("site", sa.ForeignKey("site.name", ondelete="CASCADE"), index=True, comment="whose events alone are told; NULL: all"),
    sa.Column("language", sa.String(8), nullable=False, server_default="en"),
    sa.Column("events", sa.JSON, nullable=False, comment="actions of changes, * for any ending; pbx.*"),
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    # Results.
    sa.Column("position", sa.BigInteger, nullable=False, comment="number of the last change that was told, or is not to be"),
    sa.Column("sent_at", sa.Float, comment="when the last notice was taken by the mail server; NULL: none yet"),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0", comment="in vain since then"),
    sa.Column("due_at", sa.Float, comment="not to be tried before; NULL: at once"),
    sa.Column("error", sa.String(300), nullable=False, server_default="", comment="why the last try was in vain"),
)
