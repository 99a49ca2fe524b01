"""Since when a phone has had the bytes that it was last served"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("served_file") as table:
        table.add_column(sa.Column("since", sa.Float(), server_default="0", nullable=False, comment="when these bytes first went out"))
    op.execute("UPDATE served_file SET since = at")


def downgrade() -> None:
    with op.batch_alter_table("served_file") as table:
        table.drop_column("since")
