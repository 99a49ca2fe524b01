"""The table of test calls: one row a phone, asked for by a person and answered by the worker, which alone talks to the PBX."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

test_call = sa.Table(
    "test_call",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("asked_at", sa.Float, nullable=False),
    sa.Column("asked_by", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True, comment="asked, ringing, heard or failed"),
    sa.Column("detail", sa.String(200), nullable=False, server_default=""),
    sa.Column("at", sa.Float, nullable=False, comment="when it came into this state"),
)
