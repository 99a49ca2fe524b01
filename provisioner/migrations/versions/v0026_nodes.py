"""The servers that share a database, as each says of itself"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "node",
        sa.Column("name", sa.String(length=255), nullable=False, comment="host and data folder"),
        sa.Column("at", sa.Float(), nullable=False, comment="when it was last said, by the clock of the database"),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("catalogue", sa.String(length=64), nullable=False, comment="a hash of all that files are made of besides the rows"),
        sa.Column("address", sa.String(length=512), nullable=False, comment="what phones are told: provisioning address and SIP server"),
        sa.Column("clock_ahead_s", sa.Float(), nullable=False, comment="of the database's clock"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_node")),
    )


def downgrade() -> None:
    op.drop_table("node")
