"""What serving reads again where no phone changed: a part of the index"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not by a batch: SQLite would copy the table and lose that its numbers are never used twice.
    op.add_column(
        "index_log",
        sa.Column(
            "part", sa.String(16), nullable=True, comment="where mac is NULL, all that changed: sites (with their windows) or warehouse"
        ),
    )


def downgrade() -> None:
    op.drop_column("index_log", "part")
