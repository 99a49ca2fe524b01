"""The tables of calls: what the PBX told of those that have ended, and which extensions took part. Observations, kept for a time."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

call = sa.Table(
    "call",
    metadata,
    sa.Column("number", _ID, primary_key=True, autoincrement=True, comment="in the order in which they were taken over"),
    sa.Column("uid", sa.String(64), nullable=False, unique=True, comment="the PBX's own name of it"),
    sa.Column("started_at", sa.Float, nullable=False, index=True),
    sa.Column("answered_at", sa.Float, comment="NULL: nobody took it"),
    sa.Column("ended_at", sa.Float, nullable=False, index=True),
    sa.Column("caller", sa.String(80), nullable=False),
    sa.Column("caller_name", sa.String(128), nullable=False, server_default=""),
    sa.Column("called", sa.String(80), nullable=False, comment="as dialled"),
    sa.Column("answered_by", sa.String(32), nullable=False, server_default="", comment="empty: nobody, or a feature of the PBX"),
    sa.Column("outcome", sa.String(16), nullable=False, comment="answered, mailbox, missed, busy, refused or failed"),
    sa.Column("talk_s", sa.Float, nullable=False, server_default="0"),
    sa.Column("recording", sa.String(100), nullable=False, server_default="", index=True, comment="name of its file; empty: there is none"),
    sa.Column("recording_bytes", sa.BigInteger, nullable=False, server_default="0"),
)

call_party = sa.Table(
    "call_party",
    metadata,
    sa.Column("number", sa.String(32), primary_key=True, comment="of an extension that called, rang or talked"),
    sa.Column("call", _ID, sa.ForeignKey("call.number", ondelete="CASCADE"), primary_key=True, index=True),
)
"""Who took part: the extension may be gone by now."""
