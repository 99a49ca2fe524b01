"""The tables. Facts only: whatever can be derived (a phone's stage above all) is not stored.

Three groups: *desired state* (written by ``changes`` and ``enroll`` alone), *results* (written by the worker) and
*observations* (written by the recorder). A NULL hash means "not known yet" and equals nothing.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite counts up by itself only in INTEGER columns


def serial() -> sa.Column[int]:
    return sa.Column("id", _ID, primary_key=True, autoincrement=True)


def _pbx_results() -> tuple[sa.Column[Any], ...]:
    """What the worker keeps of whatever the PBX should say."""
    return (
        sa.Column("pbx_wanted", sa.String(64), comment="hash of what the PBX should say; NULL: to be worked out"),
        sa.Column("pbx_verified", sa.String(64), comment="hash of what the PBX was last read to say"),
        sa.Column("pbx_error", sa.Text, nullable=False, server_default=""),
    )


site = sa.Table(
    "site",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("access", sa.String(16), nullable=False),
    sa.Column("trusted_networks", sa.JSON, nullable=False),
    sa.Column("enrolment", sa.String(16), nullable=False),
    sa.Column("pool", sa.String(64), nullable=False, server_default="", comment="extensions for phones that are taken in there: 1000-1199"),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
)

phone_group = sa.Table(
    "phone_group",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
)

extension = sa.Table(
    "extension",
    metadata,
    sa.Column("number", sa.String(32), primary_key=True),
    sa.Column("display_name", sa.String(128), nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False, comment="sealed under extension:<number>"),
    sa.Column("email", sa.String(254), nullable=False, server_default=""),
    sa.Column("department", sa.String(64), nullable=False, server_default="", index=True),
    sa.Column("site", sa.String(64), nullable=False, server_default="", index=True, comment="whose it is; empty: nobody's in particular"),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    # A secret on its way to the phones: the PBX takes the former ones besides until each phone is proven to have moved.
    sa.Column("former_secrets", sa.LargeBinary, comment="sealed under former:<number>: JSON list, newest first; NULL: none"),
    sa.Column("rotation_started_at", sa.Float, comment="when the newest secret was set, or the last one put back; NULL: all have moved"),
    sa.Column("rotation_rolled_back", sa.Boolean, nullable=False, server_default=sa.false(), comment="the phones are moving back"),
    sa.Column("record_calls", sa.Boolean, nullable=False, server_default=sa.false(), comment="its calls are recorded"),
    *_pbx_results(),
)

department = sa.Table(
    "department",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True, comment="as extensions name it"),
    sa.Column("number", sa.String(32), unique=True, comment="rings every member at once; NULL: cannot be called"),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    *_pbx_results(),
)

pbx_removal = sa.Table(
    "pbx_removal",
    metadata,
    sa.Column("number", sa.String(32), primary_key=True, comment="of a deleted extension or department: the PBX may still know it"),
)

pbx_request = sa.Table(
    "pbx_request",
    metadata,
    serial(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("what", sa.String(16), nullable=False, comment="plan or sync: asked of the worker, which alone talks to the PBX"),
    sa.Column("confirmed", sa.Boolean, nullable=False, comment="over the guard"),
    sa.Column("answer", sa.JSON(none_as_null=True), comment="what it said; NULL: not answered yet"),
)

retired_token = sa.Table(
    "retired_token",
    metadata,
    sa.Column("mac", sa.String(12), primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False, comment="last one of a phone that was taken off the list; never used again"),
)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

phone = sa.Table(
    "phone",
    metadata,
    sa.Column("mac", sa.String(12), primary_key=True),
    sa.Column("model", sa.String(64), nullable=False, index=True),
    sa.Column("site", sa.ForeignKey("site.name"), nullable=False, index=True),
    sa.Column("group", sa.ForeignKey("phone_group.name"), index=True),
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("modules", sa.Integer, nullable=False, server_default="0"),
    sa.Column("firmware", sa.String(64), nullable=False, server_default=""),
    sa.Column("settings", sa.JSON, nullable=False),
    sa.Column("secret_settings", sa.LargeBinary, comment="sealed under phone:<mac>: settings of type secret"),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("retired_at", sa.Float, comment="when it was taken out of service: its files empty it; NULL: it is in service"),
    sa.Column("revision", sa.Integer, nullable=False, server_default="1", comment="of its own record: for If-Match"),
    sa.Column("render_revision", sa.Integer, nullable=False, server_default="1", comment="of all facts that its files are made of"),
    # How it may prove itself.
    sa.Column("token_epoch", sa.Integer, nullable=False, server_default="1", comment="epoch of the token written into its files"),
    sa.Column("token_floor", sa.Integer, nullable=False, server_default="1", comment="oldest epoch still accepted"),
    sa.Column("opened_at", sa.Float, nullable=False, comment="when the first fetch was opened"),
    sa.Column("first_success_at", sa.Float, comment="first success at its own address since then; closes the first fetch"),
    # Results.
    sa.Column("wanted_hash", sa.String(64), comment="hash of the files it should have; NULL: to be rendered"),
    sa.Column("live_hash", sa.String(64), comment="hash of the files that it is served"),
    sa.Column("live_at", sa.Float),
    sa.Column("notified_at", sa.Float, comment="when it was last told of its live files, or seen to have them"),
    sa.Column("notify_tries", sa.Integer, nullable=False, server_default="0", comment="how often it was told of them"),
    sa.Column("notify_reached", sa.Integer, nullable=False, server_default="0", comment="contacts that the last NOTIFY went to"),
    sa.Column("notify_due_at", sa.Float, comment="when its turn comes, or whether it fetched is looked at; NULL: nothing is planned"),
    sa.Column("notify_error", sa.Text, nullable=False, server_default="", comment="why it is not, or not usefully, told"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("error_at", sa.Float),
)

phone_line = sa.Table(
    "phone_line",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("line", sa.Integer, primary_key=True),
    sa.Column("extension", sa.ForeignKey("extension.number"), nullable=False, index=True),
    sa.Column("label", sa.String(64), nullable=False, server_default=""),
)

registration = sa.Table(
    "registration",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("extension", sa.String(32), primary_key=True),
    sa.Column("registered_at", sa.Float, nullable=False, comment="the newest one of this phone with this extension"),
    sa.Column("ended_at", sa.Float, comment="when the PBX was seen to have forgotten it; NULL: it holds"),
    sa.Column("uri", sa.String(512), nullable=False),
    sa.Column("address", sa.String(45), nullable=False, comment="where the REGISTER came from"),
    sa.Column("user_agent", sa.String(200), nullable=False),
)

phone_key = sa.Table(
    "phone_key",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("module", sa.Integer, primary_key=True),
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("type", sa.String(16), nullable=False),
    sa.Column("value", sa.String(255), nullable=False, server_default="", index=True),
    sa.Column("label", sa.String(64), nullable=False, server_default=""),
    sa.Column("line", sa.Integer, nullable=False, server_default="1"),
)

rendered_file = sa.Table(
    "rendered_file",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("state", sa.String(4), primary_key=True, comment="next or live"),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("content_type", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="sealed under file:<mac>:<name>"),
)

served_file = sa.Table(
    "served_file",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False, comment="of the bytes that last went out to their end"),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("since", sa.Float, nullable=False, server_default="0", comment="when these bytes first went out"),
)

change = sa.Table(
    "change",
    metadata,
    serial(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(48), nullable=False, comment="noun.verb, e.g. phone.update"),
    sa.Column("subject", sa.String(64), nullable=False, index=True, comment="MAC, number or name of what changed"),
    sa.Column("before", sa.JSON, comment="without secrets"),
    sa.Column("after", sa.JSON, comment="without secrets"),
    sa.Column("phones", sa.Integer, nullable=False, server_default="0", comment="how many phones it touched"),
)

index_log = sa.Table(
    "index_log",
    metadata,
    serial(),
    sa.Column("mac", sa.String(12), comment="whose record or files changed; NULL: all"),
    sa.Column("part", sa.String(16), comment="where mac is NULL, all that changed: sites (with their windows) or warehouse"),
    sa.Column("at", sa.Float, nullable=False),
    sqlite_autoincrement=True,
)

fetch = sa.Table(
    "fetch",
    metadata,
    serial(),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("mac", sa.String(12), index=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("transport", sa.String(8), nullable=False),
    sa.Column("peer", sa.String(45), nullable=False),
    sa.Column("user_agent", sa.String(200), nullable=False),
    sa.Column("method", sa.String(8), nullable=False),
    sa.Column("reason", sa.String(24), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("duration_ms", sa.Float, nullable=False),
)

sighting = sa.Table(
    "sighting",
    metadata,
    sa.Column("mac", sa.String(12), primary_key=True),
    sa.Column("vendor", sa.String(32), nullable=False, server_default="", comment="catalogue id, or another maker's name"),
    sa.Column("model", sa.String(64), nullable=False, server_default=""),
    sa.Column("firmware", sa.String(64), nullable=False, server_default=""),
    sa.Column("peer", sa.String(45), nullable=False, server_default=""),
    sa.Column("first_seen", sa.Float, nullable=False),
    sa.Column("last_seen", sa.Float, nullable=False, index=True),
    sa.Column("count", sa.Integer, nullable=False, server_default="1"),
    sa.Column("conflict", sa.Text, nullable=False, server_default=""),
)

upload = sa.Table(
    "upload",
    metadata,
    sa.Column("mac", sa.ForeignKey("phone.mac", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(24), nullable=False),
    sa.Column("content_type", sa.String(64), nullable=False),
    sa.Column("received_at", sa.Float, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="sealed under upload:<mac>:<name>"),
)

# What is open, as the worker asks for it on every step: each condition is an index that holds only the rows it is true for, so that a
# step costs what is open and not what is there. Constants are written out: an index is of no use to a condition with a parameter in it.
_NO_ERROR = phone.c.error == sa.literal_column("''")
TO_RENDER = sa.and_(phone.c.wanted_hash.is_(None), _NO_ERROR)
TO_PROMOTE = sa.and_(phone.c.wanted_hash.is_not(None), phone.c.wanted_hash.is_distinct_from(phone.c.live_hash), _NO_ERROR)
TO_WAKE = sa.and_(
    phone.c.live_at.is_not(None),
    phone.c.notified_at.is_(None),
    phone.c.notify_due_at.is_(None),
    phone.c.notify_error == sa.literal_column("''"),
)
WAKE_PLANNED = phone.c.notify_due_at.is_not(None)
UNLISTED = ~sighting.c.mac.in_(sa.select(phone.c.mac))
HELD = phone.c.error != sa.literal_column("''")
BEHIND = sa.or_(extension.c.pbx_wanted.is_(None), extension.c.pbx_wanted.is_distinct_from(extension.c.pbx_verified))
GROUP_BEHIND = sa.and_(
    department.c.number.is_not(None),
    sa.or_(department.c.pbx_wanted.is_(None), department.c.pbx_wanted.is_distinct_from(department.c.pbx_verified)),
)
ROTATING = extension.c.rotation_started_at.is_not(None)
UNANSWERED = pbx_request.c.answer.is_(None)
for _name, _columns, _open in (
    ("ix_phone_to_render", (phone.c.mac,), TO_RENDER),
    ("ix_phone_to_promote", (phone.c.mac,), TO_PROMOTE),
    ("ix_phone_to_wake", (phone.c.site, phone.c.live_at, phone.c.mac), TO_WAKE),
    ("ix_phone_wake_planned", (phone.c.notify_due_at, phone.c.mac), WAKE_PLANNED),
    ("ix_phone_held", (phone.c.mac,), HELD),
    ("ix_extension_behind", (extension.c.number,), BEHIND),
    ("ix_extension_rotating", (extension.c.number,), ROTATING),
    ("ix_department_behind", (department.c.name,), GROUP_BEHIND),
    ("ix_pbx_request_unanswered", (pbx_request.c.id,), UNANSWERED),
):
    sa.Index(_name, *_columns, sqlite_where=_open, postgresql_where=_open)

api_token = sa.Table(
    "api_token",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("last_used_at", sa.Float),
    sa.Column("sites", sa.JSON(none_as_null=True), comment="names of the sites that it sees; NULL: all"),
)
