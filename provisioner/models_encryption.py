"""The table of phones whose files go out encrypted."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

enciphered_phone = sa.Table(
    "enciphered_phone",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("since_epoch", sa.Integer, nullable=False, comment="the first token epoch whose address came with a key for the files"),
)
