"""Tables of the second factor of people: a set-up that is not confirmed yet, and recovery codes. The secret that counts is in ``models_accounts``."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import metadata

codes_setup = sa.Table(
    "codes_setup",
    metadata,
    sa.Column("name", sa.ForeignKey("user_account.name", ondelete="CASCADE"), primary_key=True),
    sa.Column(
        "secret", sa.LargeBinary, nullable=False, comment="sealed under codes_setup:<name>; counts for nothing before a code of it came"
    ),
    sa.Column("made_at", sa.Float, nullable=False),
)

recovery_code = sa.Table(
    "recovery_code",
    metadata,
    sa.Column("name", sa.ForeignKey("user_account.name", ondelete="CASCADE"), primary_key=True),
    sa.Column(
        "digest", sa.String(64), primary_key=True, comment="HMAC of the code under a key of secret.key; the row goes when it is used"
    ),
)
