"""Creators take turns: each row says its priority and, while it is ready, its rank; an e-mail says whose it is

No row is ready yet: the claims make ready what is due, and fill in whose it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
COST = "Locks orders and e-mails. At ten million e-mails: 6 s."

ALSO = {"orders": " AND condition_endpoint IS NULL", "emails": ""}
SET = "rank IS NULL OR due_at IS NOT NULL"


def upgrade() -> None:
    op.add_column("emails", sa.Column("creator", sa.String(100)))
    for table, also in ALSO.items():
        op.add_column(table, sa.Column("priority", sa.SmallInteger(), nullable=False, server_default="1"))
        op.add_column(table, sa.Column("rank", sa.BigInteger(), sa.CheckConstraint(SET)))
        _index(f"ix_{table}_ready", table, ["priority", "creator", "rank", "seq"], "rank IS NOT NULL")
        unready = f"rank IS NULL AND due_at IS NOT NULL{also}"
        _index(f"ix_{table}_unready", table, ["priority", "due_at", "seq"], unready)
    op.drop_index("ix_orders_unconditional", "orders")
    op.execute(sa.text("UPDATE compatibility SET oldest = '0017'"))


def _index(name: str, table: str, columns: list[str], condition: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
