"""History by the hour, and what processes were started with"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
COST = "Makes a table; locks processes for a moment."


def upgrade() -> None:
    op.create_table(
        "history_hours",
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.String(40), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "series", name="pk_history_hours"),
    )
    op.add_column("processes", sa.Column("settings", sa.Text()))
