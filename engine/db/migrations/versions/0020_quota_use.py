"""How many recipients each creator with a quota has ordered in the newest minute and day"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
COST = "Makes a table: locks nothing."


def upgrade() -> None:
    op.create_table(
        "quota_use",
        sa.Column("creator", sa.String(length=100), nullable=False),
        *(
            sa.Column(name, kind(), nullable=False, server_default="0")
            for name, kind in (
                ("minute", sa.BigInteger),
                ("in_minute", sa.Integer),
                ("day", sa.BigInteger),
                ("in_day", sa.Integer),
            )
        ),
        sa.PrimaryKeyConstraint("creator", name="pk_quota_use"),
    )
