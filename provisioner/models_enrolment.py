"""The tables of enrolment: how unlisted phones are taken in (windows, warehouse, claim codes), and what phones that have proven
nothing asked for. The latter are observations, written by the recorder and judged by the worker."""

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

newcomer = sa.Table(
    "newcomer",
    metadata,
    sa.Column("mac", sa.String(12), primary_key=True),
    sa.Column("peer", sa.String(45), nullable=False),
    sa.Column("user_agent", sa.String(200), nullable=False),
    sa.Column("transport", sa.String(8), nullable=False),
    sa.Column("first_at", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("waits", sa.Boolean, nullable=False, comment="it was given the configuration of the waiting room"),
    sa.Column("judged_at", sa.Float, comment="when the worker last applied the site's policy; NULL: not yet"),
    sa.Column("outcome", sa.String(200), nullable=False, server_default="", comment="what came of it, as a sentence"),
    sa.Column("waits_until", sa.Float, comment="until when the PBX knows its claim-only account; NULL: it does not"),
    sa.Column("wrong_codes", sa.Integer, nullable=False, server_default="0", comment="claim codes that it dialled and nobody made"),
    sa.Column(
        "stranger", sa.String(45), nullable=False, server_default="", comment="address outside the trusted networks that named it as well"
    ),
    sa.Column("stranger_at", sa.Float),
)

enrolment_window = sa.Table(
    "enrolment_window",
    metadata,
    sa.Column("site", sa.ForeignKey("site.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("closes_at", sa.Float, nullable=False),
    sa.Column("most", sa.Integer, nullable=False, comment="phones that may be taken in"),
    sa.Column("taken", sa.Integer, nullable=False, server_default="0", comment="phones that were"),
    sa.Column("opened_by", sa.String(64), nullable=False),
)

warehouse = sa.Table(
    "warehouse",
    metadata,
    sa.Column("mac", sa.String(12), primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("note", sa.String(128), nullable=False, server_default=""),
    sa.Column("added_at", sa.Float, nullable=False),
)

claim_code = sa.Table(
    "claim_code",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True, comment="of the code: it is shown once"),
    sa.Column("extension", sa.ForeignKey("extension.number", ondelete="CASCADE"), nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("made_by", sa.String(64), nullable=False),
)
