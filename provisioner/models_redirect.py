"""Tables of the makers' redirect services: accounts there, which phones are, or are to be, registered, and which are to be forgotten."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

redirect_account = sa.Table(
    "redirect_account",
    metadata,
    sa.Column("vendor", sa.String(32), primary_key=True),
    sa.Column("address", sa.String(255), nullable=False, comment="of the service, where it is not that of the catalogue"),
    sa.Column("fields", sa.LargeBinary, nullable=False, comment="sealed under redirect_account:<vendor>: JSON object"),
    sa.Column("changed_at", sa.Float, nullable=False),
)

redirect = sa.Table(
    "redirect",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("wanted", sa.Boolean, nullable=False, comment="to be registered; false: to be taken off"),
    sa.Column("state", sa.String(16), nullable=False, comment="asked, registered or refused; no row: none"),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="why it is refused, or what the last try came to"),
    sa.Column("serial", sa.String(64), nullable=False, server_default=""),
    sa.Column("url", sa.LargeBinary, nullable=False, comment="sealed under redirect:<mac>: the address that is registered"),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", sa.Float, index=True, comment="when it is tried next; NULL: nothing is open"),
)

redirect_removal = sa.Table(
    "redirect_removal",
    metadata,
    sa.Column("mac", sa.String(12), primary_key=True, comment="of a phone that was taken off the list: its own row is gone"),
    sa.Column("vendor", sa.String(32), nullable=False, comment="whose service is to forget it"),
    sa.Column("state", sa.String(16), nullable=False, comment="asked or refused; no row: done"),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="why it is refused, or what the last try came to"),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("changed_at", sa.Float, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", sa.Float, index=True, comment="when it is tried next; NULL: not unless somebody says so"),
)
