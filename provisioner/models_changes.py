"""The table of what one change of many things made of each of them. Written with the change itself, by ``changes`` alone."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

change_part = sa.Table(
    "change_part",
    metadata,
    sa.Column("change", sa.ForeignKey("change.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("noun", sa.String(16), primary_key=True, comment="phone or extension"),
    sa.Column("subject", sa.String(64), primary_key=True, index=True, comment="MAC or number"),
    sa.Column("before", sa.JSON(none_as_null=True), comment="fields that the change touched, without secrets; NULL: it was not there"),
    sa.Column("after", sa.JSON(none_as_null=True), comment="the same fields afterwards; NULL: it was not there any more"),
)
