"""Due orders with a condition and without one, apart"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    kinds = {"unconditional": "condition_endpoint IS NULL", "conditional": "condition_endpoint IS NOT NULL"}
    for name, kind in kinds.items():
        where = sa.text(f"due_at IS NOT NULL AND {kind}")
        op.create_index(f"ix_orders_{name}", "orders", ["due_at", "seq"], sqlite_where=where, postgresql_where=where)
