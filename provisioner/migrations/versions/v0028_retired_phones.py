"""Phones that are taken out of service"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[float] = sa.Column(
        "retired_at", sa.Float(), nullable=True, comment="when it was taken out of service: its files empty it; NULL: it is in service"
    )
    op.add_column("phone", column)


def downgrade() -> None:
    op.drop_column("phone", "retired_at")
