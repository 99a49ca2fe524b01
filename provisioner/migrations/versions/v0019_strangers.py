"""An address outside the trusted networks that named a newcomer's MAC"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    about = "address outside the trusted networks that named it as well"
    op.add_column("newcomer", sa.Column("stranger", sa.String(45), server_default="", nullable=False, comment=about))
    op.add_column("newcomer", sa.Column("stranger_at", sa.Float(), nullable=True))


def downgrade() -> None:
    for name in ("stranger_at", "stranger"):
        op.drop_column("newcomer", name)
