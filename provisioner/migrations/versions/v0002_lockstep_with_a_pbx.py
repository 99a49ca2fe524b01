"""Departments that can be called, secrets on their way, registrations by phone, and what a wake came to"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OPEN = (
    (
        "ix_phone_to_wake",
        "phone",
        ["site", "live_at", "mac"],
        "live_at IS NOT NULL AND notified_at IS NULL AND notify_due_at IS NULL AND notify_error = ''",
    ),
    ("ix_phone_wake_planned", "phone", ["notify_due_at", "mac"], "notify_due_at IS NOT NULL"),
    ("ix_extension_rotating", "extension", ["number"], "rotation_started_at IS NOT NULL"),
    (
        "ix_department_behind",
        "department",
        ["name"],
        "number IS NOT NULL AND (pbx_wanted IS NULL OR pbx_wanted {differs} pbx_verified)",
    ),
    ("ix_pbx_request_unanswered", "pbx_request", ["id"], "answer IS NULL"),
)
"""Indexes of open work: name, table, columns, condition."""


def upgrade() -> None:
    _departments()
    _rotations()
    _phones()
    _registrations()
    _requests()
    _comments(after=True)
    for name, table, columns, condition in OPEN:
        on_sqlite, on_postgres = (sa.text(condition.format(differs=words)) for words in ("IS NOT", "IS DISTINCT FROM"))
        op.create_index(name, table, columns, sqlite_where=on_sqlite, postgresql_where=on_postgres)


def _departments() -> None:
    op.create_table(
        "department",
        sa.Column("name", sa.String(length=64), nullable=False, comment="as extensions name it"),
        sa.Column("number", sa.String(length=32), nullable=True, comment="rings every member at once; NULL: cannot be called"),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("pbx_wanted", sa.String(length=64), nullable=True, comment="hash of what the PBX should say; NULL: to be worked out"),
        sa.Column("pbx_verified", sa.String(length=64), nullable=True, comment="hash of what the PBX was last read to say"),
        sa.Column("pbx_error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_department")),
        sa.UniqueConstraint("number", name=op.f("uq_department_number")),
    )
    op.execute("INSERT INTO department (name) SELECT DISTINCT department FROM extension WHERE department != ''")
    op.create_index("ix_extension_department", "extension", ["department"])


def _rotations() -> None:
    # No batch, which would make the table anew: dropping the old one takes along whatever refers to it.
    sealed = sa.Column(
        "former_secrets", sa.LargeBinary(), nullable=True, comment="sealed under former:<number>: JSON list, newest first; NULL: none"
    )
    started = sa.Column(
        "rotation_started_at",
        sa.Float(),
        nullable=True,
        comment="when the newest secret was set, or the last one put back; NULL: all have moved",
    )
    back: sa.Column[bool] = sa.Column(
        "rotation_rolled_back", sa.Boolean(), server_default=sa.false(), nullable=False, comment="the phones are moving back"
    )
    for column in (sealed, started, back):
        op.add_column("extension", column)


def _phones() -> None:
    op.drop_index("ix_phone_to_wake", "phone")
    for column in (
        sa.Column("render_revision", sa.Integer(), server_default="1", nullable=False, comment="of all facts that its files are made of"),
        sa.Column("notify_tries", sa.Integer(), server_default="0", nullable=False, comment="how often it was told of them"),
        sa.Column("notify_reached", sa.Integer(), server_default="0", nullable=False, comment="contacts that the last NOTIFY went to"),
        sa.Column(
            "notify_due_at",
            sa.Float(),
            nullable=True,
            comment="when its turn comes, or whether it fetched is looked at; NULL: nothing is planned",
        ),
        sa.Column("notify_error", sa.Text(), server_default="", nullable=False, comment="why it is not, or not usefully, told"),
    ):
        op.add_column("phone", column)
    op.drop_column("phone", "registered_at")


def _registrations() -> None:
    op.create_table(
        "registration",
        sa.Column("mac", sa.String(length=12), nullable=False),
        sa.Column("extension", sa.String(length=32), nullable=False),
        sa.Column("registered_at", sa.Float(), nullable=False, comment="the newest one of this phone with this extension"),
        sa.Column("ended_at", sa.Float(), nullable=True, comment="when the PBX was seen to have forgotten it; NULL: it holds"),
        sa.Column("uri", sa.String(length=512), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False, comment="where the REGISTER came from"),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["mac"], ["phone.mac"], name=op.f("fk_registration_mac"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mac", "extension", name=op.f("pk_registration")),
    )


def _requests() -> None:
    op.create_table(
        "pbx_request",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False, comment="plan or sync: asked of the worker, which alone talks to the PBX"),
        sa.Column("confirmed", sa.Boolean(), nullable=False, comment="over the guard"),
        sa.Column("answer", sa.JSON(), nullable=True, comment="what it said; NULL: not answered yet"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pbx_request")),
    )


COMMENTS = (
    (
        "pbx_removal",
        "number",
        "deleted extension that the PBX may still know",
        "of a deleted extension or department: the PBX may still know it",
    ),
    ("phone", "revision", None, "of its own record: for If-Match"),
    ("phone", "notified_at", None, "when it was last told of its live files, or seen to have them"),
)
"""Columns that mean more than before: table, column, what was said of it, what is said now."""


def _comments(*, after: bool) -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps none
        for table, column, old, new in COMMENTS:
            op.alter_column(table, column, comment=new if after else old, existing_comment=old if after else new)


def downgrade() -> None:
    _comments(after=False)
    for name, table, _, _ in OPEN:
        op.drop_index(name, table)
    op.drop_index("ix_extension_department", "extension")
    for table in ("pbx_request", "registration", "department"):
        op.drop_table(table)
    op.add_column("phone", sa.Column("registered_at", sa.Float(), nullable=True))
    for name in ("render_revision", "notify_tries", "notify_reached", "notify_due_at", "notify_error"):
        op.drop_column("phone", name)
    for name in ("former_secrets", "rotation_started_at", "rotation_rolled_back"):
        op.drop_column("extension", name)
    op.create_index(
        "ix_phone_to_wake",
        "phone",
        ["site", "live_at", "mac"],
        sqlite_where=sa.text("live_at IS NOT NULL AND notified_at IS NULL"),
        postgresql_where=sa.text("live_at IS NOT NULL AND notified_at IS NULL"),
    )
