"""The table of backups being made: asked for by a person or due by the clock, and made by the worker. The archives are files."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

backup_run = sa.Table(
    "backup_run",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False, comment="when it was asked for, or begun where it was due"),
    sa.Column("actor", sa.String(64), nullable=False, comment="worker where it was due"),
    sa.Column("state", sa.String(8), nullable=False, index=True, comment="waiting, running, done or failed"),
    sa.Column("step", sa.String(8), nullable=False, server_default="", comment="copying, packing or checking"),
    sa.Column("percent", sa.Integer, nullable=False, server_default="0"),
    sa.Column("name", sa.String(64), nullable=False, server_default="", comment="of the archive"),
    sa.Column("ended_at", sa.Float),
    sa.Column("error", sa.Text, nullable=False, server_default="", comment="why it failed"),
    sqlite_autoincrement=True,
)
