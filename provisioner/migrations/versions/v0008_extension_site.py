"""The site that an extension belongs to"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column(
        "site", sa.String(length=64), server_default="", nullable=False, comment="whose it is; empty: nobody's in particular"
    )
    op.add_column("extension", column)
    op.create_index("ix_extension_site", "extension", ["site"])


def downgrade() -> None:
    op.drop_index("ix_extension_site", "extension")
    op.drop_column("extension", "site")
