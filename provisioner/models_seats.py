"""The table of seats: who sits at which hot desk, and what the phone there was before."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

seat = sa.Table(
    "seat",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("extension", sa.ForeignKey("extension.number"), nullable=False, unique=True, comment="whose the phone is for now"),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False, comment="who logged them in"),
    sa.Column("place", sa.String(32), nullable=False, index=True, comment="the phone's own extension; empty: it has none"),
    sa.Column("home", sa.JSON, nullable=False, comment="lines, keys and layout that the phone has by itself"),
)
