"""What became of many e-mails that failed alike, as the clock has seen it"""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
COST = "Makes a table: locks nothing."


def upgrade() -> None:
    op.create_table(
        "aftermaths",
        sa.Column("failure", sa.String(12), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.Column("lately", sa.Integer(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("failure", "again", name="pk_aftermaths"),
    )
