"""The tables of firmware: which image phones are to run (desired state), and which phones were given theirs (the worker's)."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

firmware_pin = sa.Table(
    "firmware_pin",
    metadata,
    sa.Column("target", sa.String(140), primary_key=True, comment="a model, model@group, or the MAC of a phone"),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("group", sa.ForeignKey("phone_group.name", ondelete="CASCADE")),
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE")),
    sa.Column("file", sa.String(200), nullable=False, comment="below firmware/ of the static files"),
    sa.Column("sha256", sa.String(64), nullable=False, comment="of the file when it was pinned"),
    sa.Column("version", sa.String(64), nullable=False, comment="as the phones' User-Agent says it"),
    sa.Column("hardware", sa.String(64), nullable=False, server_default="", comment="revision or part number; empty: any"),
    sa.Column("shares", sa.JSON, nullable=False, comment="percent, rising to 100"),
    sa.Column("share", sa.Integer, nullable=False, server_default="0"),
    sa.Column("state", sa.String(8), nullable=False, server_default="rolling", comment="rolling, done or stopped"),
    sa.Column("timeout_s", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="why it stopped"),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
)

firmware_release = sa.Table(
    "firmware_release",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("target", sa.ForeignKey("firmware_pin.target", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("released_at", sa.Float, nullable=False, comment="when the phone was given the image"),
    sa.Column("confirmed_at", sa.Float, comment="when it was seen to run the version"),
)
