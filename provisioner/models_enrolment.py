"""The tables of enrolment: what phones that have proven nothing asked for, and what came of it. Observations, written by the recorder."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata, serial

first_fetch = sa.Table(
    "first_fetch",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("opened_at", sa.Float, nullable=False, comment="of the phone, when it was taken: another opening knows nothing of it"),
    sa.Column("peer", sa.String(45), nullable=False, comment="the address that took it; no other one gets it"),
    sa.Column("at", sa.Float, nullable=False),
)

bootstrap_refusal = sa.Table(
    "bootstrap_refusal",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("reason", sa.String(24), nullable=False),
    sa.Column("first_at", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("peer", sa.String(45), nullable=False),
    sa.Column("user_agent", sa.String(200), nullable=False),
)

alarm = sa.Table(
    "alarm",
    metadata,
    serial(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("part", sa.String(16), nullable=False, comment="the listener that noticed it"),
    sa.Column("kind", sa.String(16), nullable=False, comment="address, oui or all: which bound was passed"),
    sa.Column("scope", sa.String(45), nullable=False, comment="an address, or everywhere"),
    sa.Column("macs", sa.Integer, nullable=False, comment="different MACs that nobody listed"),
    sa.Column("until", sa.Float, nullable=False, comment="when the bootstrap opens again"),
)
