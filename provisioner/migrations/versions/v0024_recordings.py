"""Extensions whose calls are recorded"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[bool] = sa.Column(
        "record_calls", sa.Boolean(), server_default=sa.false(), nullable=False, comment="its calls are recorded"
    )
    op.add_column("extension", column)


def downgrade() -> None:
    op.drop_column("extension", "record_calls")
