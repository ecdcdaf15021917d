"""When a pause ends by itself, when a subscription's endpoint last accepted an event, and tests of it

Older programs go on, but their clock ends no pause, and their workers push no test to what is paused.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
COST = "Locks pauses and subscriptions for a moment."


def upgrade() -> None:
    op.add_column("pauses", sa.Column("ends", sa.BigInteger()))
    op.add_column("subscriptions", sa.Column("last_success", sa.BigInteger()))
    op.add_column("subscriptions", sa.Column("test_seq", sa.BigInteger().with_variant(sa.Integer, "sqlite")))
