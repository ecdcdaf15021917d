"""Subscriptions that were removed, and whose deliveries go step by step"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("removed", sa.BigInteger(), nullable=True))
    removed = sa.text("removed IS NOT NULL")
    op.create_index(
        "ix_subscriptions_removed", "subscriptions", ["seq"], sqlite_where=removed, postgresql_where=removed
    )
