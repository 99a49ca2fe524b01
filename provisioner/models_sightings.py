"""The tables of finding phones: the evidence behind a sighting, and scans. Observations, but for who asked for a scan."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("mac", sa.ForeignKey("sighting.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("source", sa.String(16), primary_key=True, comment="who said it"),
    sa.Column("fact", sa.String(16), primary_key=True, comment="what it is about"),
    sa.Column("value", sa.String(200), nullable=False),
    sa.Column("confidence", sa.Integer, nullable=False, comment="of 100"),
    sa.Column("at", sa.Float, nullable=False, index=True),
)

scan = sa.Table(
    "scan",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False, comment="when it was asked for"),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("network", sa.String(18), nullable=False),
    sa.Column("state", sa.String(12), nullable=False, comment="waiting, running, done, cancelled or failed"),
    sa.Column("cancel", sa.Boolean, nullable=False, server_default=sa.false(), comment="somebody wants it to end"),
    sa.Column("total", sa.Integer, nullable=False, comment="addresses"),
    sa.Column("done", sa.Integer, nullable=False, server_default="0", comment="addresses that were looked at to the end"),
    sa.Column("found", sa.Integer, nullable=False, server_default="0", comment="phones"),
    sa.Column("ended_at", sa.Float),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
)
