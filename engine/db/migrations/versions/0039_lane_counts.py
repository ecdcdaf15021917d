"""Large numbers of the lanes, as the clock has counted them"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
COST = "Makes a table: locks nothing."


def upgrade() -> None:
    op.create_table(
        "lane_counts",
        sa.Column("lane", sa.String(10), nullable=False),
        sa.Column("place", sa.String(10), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "place", name="pk_lane_counts"),
    )
