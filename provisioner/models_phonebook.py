"""The tables of phone books: results of the worker, made anew from the extensions whenever those change."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

phonebook = sa.Table(
    "phonebook",
    metadata,
    sa.Column("vendor", sa.String(32), primary_key=True),
    sa.Column("book", sa.String(80), primary_key=True, comment="all, site:<name> or department:<name>"),
    sa.Column("source", sa.String(64), nullable=False, comment="hash of what it was made of"),
    sa.Column("contacts", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("content_type", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="sealed under phonebook:<vendor>:<book>"),
)

phone_phonebook = sa.Table(
    "phone_phonebook",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("book", sa.String(80), nullable=False, comment="the one that the phone may read"),
)
