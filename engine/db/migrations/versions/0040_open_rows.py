"""What is open of an order is found by its own index alone; paused rows are counted by an index

Both databases took the index of open e-mails for what is due and for what is paused, too, and walked through all of it.
What failed lately is found by the index of what failed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"

OPEN = "(due_at IS NOT NULL OR paused_by IS NOT NULL) IS"
PAUSED = "paused_by IS NOT NULL"
FAILED = "state LIKE 'Failed%'"


def upgrade() -> None:
    op.drop_index("ix_emails_open", "emails")
    sqlite, postgresql = (sa.text(f"{OPEN} {true}") for true in ("1", "true"))
    op.create_index("ix_emails_open", "emails", ["order_seq"], sqlite_where=sqlite, postgresql_where=postgresql)
    for table in ("orders", "emails"):
        name, where = f"ix_{table}_paused", sa.text(PAUSED)
        op.drop_index(name, table)
        op.create_index(name, table, ["seq", "paused_by"], sqlite_where=where, postgresql_where=where)
    name, where = "ix_emails_failed", sa.text(FAILED)
    op.drop_index(name, "emails")
    op.create_index(name, "emails", ["id", "last_update"], sqlite_where=where, postgresql_where=where)
