"""The tables of key layouts that phones share. Desired state, written by ``changes`` alone."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

key_layout = sa.Table(
    "key_layout",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
)

layout_key = sa.Table(
    "layout_key",
    metadata,
    sa.Column("layout", sa.ForeignKey("key_layout.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("module", sa.Integer, primary_key=True),
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("type", sa.String(16), nullable=False),
    sa.Column("value", sa.String(255), nullable=False, server_default="", index=True),
    sa.Column("label", sa.String(64), nullable=False, server_default=""),
    sa.Column("line", sa.Integer, nullable=False, server_default="1"),
    sa.Column("slot", sa.Boolean, nullable=False, server_default=sa.false(), comment="each phone fills this place itself"),
)

phone_layout = sa.Table(
    "phone_layout",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("layout", sa.ForeignKey("key_layout.name"), nullable=False, index=True),
)
