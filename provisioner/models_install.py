"""The table of one-time install links: how a phone far away gets its first files."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

install_link = sa.Table(
    "install_link",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False, comment="of the code, under a key derived from secret.key"),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float, comment="when the first file went out by it; NULL: not used"),
    sa.Column("peer", sa.String(45), nullable=False, server_default="", comment="the address that it is bound to since then"),
    sa.Column("closed_at", sa.Float, comment="when the phone was first served at its own address after that"),
)
