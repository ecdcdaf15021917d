"""When a pause ends by itself, and when a subscription's endpoint last accepted an event

Older programs go on, but their clock ends no pause.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    op.add_column("pauses", sa.Column("ends", sa.BigInteger()))
    op.add_column("subscriptions", sa.Column("last_success", sa.BigInteger()))
