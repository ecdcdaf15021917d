"""Orders that are kept from their end on, a state for those that were set aside, and whose party a subscription is"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.drop_index("ix_orders_created", "orders")
    _index("ix_orders_ended", ["last_update"], "due_at IS NULL")
    # With 5 claims lost, the next claim sets an order aside: now with a result for its sender.
    op.execute("UPDATE orders SET due_at = last_update, unresolved = 5 WHERE state = 'Processing' AND due_at IS NULL")
    op.drop_index("ix_orders_set_aside", "orders")
    _index("ix_orders_set_aside", ["id"], "state = 'SetAside'")
    op.add_column("subscriptions", sa.Column("party", sa.Text(), nullable=True))


def _index(name: str, columns: list[str], condition: str) -> None:
    op.create_index(name, "orders", columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
