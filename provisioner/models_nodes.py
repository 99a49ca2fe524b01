"""The table of the servers that share one PostgreSQL: what each last said of itself, for the doctor to compare."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

node = sa.Table(
    "node",
    metadata,
    sa.Column("name", sa.String(255), primary_key=True, comment="host and data folder"),
    sa.Column("at", sa.Float, nullable=False, comment="when it was last said, by the clock of the database"),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("catalogue", sa.String(64), nullable=False, comment="a hash of all that files are made of besides the rows"),
    sa.Column("address", sa.String(512), nullable=False, comment="what phones are told: provisioning address and SIP server"),
    sa.Column("clock_ahead_s", sa.Float, nullable=False, comment="of the database's clock"),
)
