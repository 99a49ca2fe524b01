"""The first tables"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OPEN = (
    ("ix_phone_to_render", "phone", ["mac"], "wanted_hash IS NULL AND error = ''"),
    ("ix_phone_to_promote", "phone", ["mac"], "wanted_hash IS NOT NULL AND wanted_hash {differs} live_hash AND error = ''"),
    ("ix_phone_to_wake", "phone", ["site", "live_at", "mac"], "live_at IS NOT NULL AND notified_at IS NULL"),
    ("ix_phone_held", "phone", ["mac"], "error != ''"),
    ("ix_extension_behind", "extension", ["number"], "pbx_wanted IS NULL OR pbx_wanted {differs} pbx_verified"),
)
"""Indexes of open work: name, table, columns, condition."""


def upgrade() -> None:
    op.create_table(
        "retired_token",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False, comment="last one of a phone that was taken off the list; never used again"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_retired_token")),
    )
    op.create_table(
        "api_token",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_api_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_token_digest")),
    )
    op.create_table(
        "change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=48), nullable=False, comment="noun.verb, e.g. phone.update"),
        sa.Column("subject", sa.String(length=64), nullable=False, comment="MAC, number or name of what changed"),
        sa.Column("before", sa.JSON(), nullable=True, comment="without secrets"),
        sa.Column("after", sa.JSON(), nullable=True, comment="without secrets"),
        sa.Column("phones", sa.Integer(), server_default="0", nullable=False, comment="how many phones it touched"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_change_subject"), ["subject"], unique=False)

    op.create_table(
        "extension",
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("display_name", sa.String(length=128), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False, comment="sealed under extension:<number>"),
        sa.Column("email", sa.String(length=254), server_default="", nullable=False),
        sa.Column("department", sa.String(length=64), server_default="", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("pbx_wanted", sa.String(length=64), nullable=True, comment="hash of what the PBX should say; NULL: to be worked out"),
        sa.Column("pbx_verified", sa.String(length=64), nullable=True, comment="hash of what the PBX was last read to say"),
        sa.Column("pbx_error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_extension")),
    )
    op.create_table(
        "fetch",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("mac", sa.String(length=12), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("transport", sa.String(length=8), nullable=False),
        sa.Column("peer", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetch")),
    )
    with op.batch_alter_table("fetch", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_fetch_mac"), ["mac"], unique=False)

    op.create_table(
        "index_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("mac", sa.String(length=12), nullable=True, comment="whose record or files changed; NULL: all"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_index_log")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "meta",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )
    op.create_table(
        "pbx_removal",
        sa.Column("number", sa.String(length=32), nullable=False, comment="deleted extension that the PBX may still know"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pbx_removal")),
    )
    op.create_table(
        "phone_group",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_phone_group")),
    )
    op.create_table(
        "sighting",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("vendor", sa.String(length=32), server_default="", nullable=False, comment="catalogue id, or another maker's name"),
        sa.Column("model", sa.String(length=64), server_default="", nullable=False),
        sa.Column("firmware", sa.String(length=64), server_default="", nullable=False),
        sa.Column("peer", sa.String(length=45), server_default="", nullable=False),
        sa.Column("first_seen", sa.Float(), nullable=False),
        sa.Column("last_seen", sa.Float(), nullable=False),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("conflict", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False, comment="source -> fact, time"),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_sighting")),
    )
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sighting_last_seen"), ["last_seen"], unique=False)

    op.create_table(
        "site",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("access", sa.String(length=16), nullable=False),
        sa.Column("trusted_networks", sa.JSON(), nullable=False),
        sa.Column("enrolment", sa.String(length=16), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_site")),
    )
    op.create_table(
        "phone",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("group", sa.String(length=64), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("modules", sa.Integer(), server_default="0", nullable=False),
        sa.Column("firmware", sa.String(length=64), server_default="", nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("secret_settings", sa.LargeBinary(), nullable=True, comment="sealed under phone:<mac>: settings of type secret"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("token_epoch", sa.Integer(), server_default="1", nullable=False, comment="epoch of the token written into its files"),
        sa.Column("token_floor", sa.Integer(), server_default="1", nullable=False, comment="oldest epoch still accepted"),
        sa.Column("opened_at", sa.Float(), nullable=False, comment="when the first fetch was opened"),
        sa.Column(
            "first_success_at", sa.Float(), nullable=True, comment="first success at its own address since then; closes the first fetch"
        ),
        sa.Column("wanted_hash", sa.String(length=64), nullable=True, comment="hash of the files it should have; NULL: to be rendered"),
        sa.Column("live_hash", sa.String(length=64), nullable=True, comment="hash of the files that it is served"),
        sa.Column("live_at", sa.Float(), nullable=True),
        sa.Column("notified_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("error_at", sa.Float(), nullable=True),
        sa.Column("registered_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["group"], ["phone_group.name"], name=op.f("fk_phone_group")),
        sa.ForeignKeyConstraint(["site"], ["site.name"], name=op.f("fk_phone_site")),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_phone")),
    )
    with op.batch_alter_table("phone", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_phone_group"), ["group"], unique=False)
        batch_op.create_index(batch_op.f("ix_phone_model"), ["model"], unique=False)
        batch_op.create_index(batch_op.f("ix_phone_site"), ["site"], unique=False)

    op.create_table(
        "phone_key",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("module", sa.Integer(), nullable=False),
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=255), server_default="", nullable=False),
        sa.Column("label", sa.String(length=64), server_default="", nullable=False),
        sa.Column("line", sa.Integer(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_phone_key_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", "module", "key", name=op.f("pk_phone_key")),
    )
    with op.batch_alter_table("phone_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_phone_key_value"), ["value"], unique=False)

    op.create_table(
        "phone_line",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("extension", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=64), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["extension"], ["extension.number"], name=op.f("fk_phone_line_extension")),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_phone_line_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", "line", name=op.f("pk_phone_line")),
    )
    with op.batch_alter_table("phone_line", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_phone_line_extension"), ["extension"], unique=False)

    op.create_table(
        "rendered_file",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=4), nullable=False, comment="next or live"),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content_type", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="sealed under file:<mac>:<name>"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_rendered_file_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", "state", "name", name=op.f("pk_rendered_file")),
    )
    op.create_table(
        "served_file",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="of the bytes that last went out to their end"),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_served_file_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", "name", name=op.f("pk_served_file")),
    )
    op.create_table(
        "upload",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("content_type", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.Float(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="sealed under upload:<mac>:<name>"),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_upload_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", "name", name=op.f("pk_upload")),
    )
    for name, table, columns, condition in OPEN:
        on_sqlite, on_postgres = (sa.text(condition.format(differs=words)) for words in ("IS NOT", "IS DISTINCT FROM"))
        op.create_index(name, table, columns, sqlite_where=on_sqlite, postgresql_where=on_postgres)


def downgrade() -> None:
    # Indexes go with their tables; those that refer to others go first.
    for table in (
        "upload", "served_file", "rendered_file", "phone_line", "phone_key", "phone", "site", "sighting", "phone_group", "pbx_removal",
        "retired_token", "meta", "index_log", "fetch", "extension", "change", "api_token",
    ):  # fmt: skip
        op.drop_table(table)
