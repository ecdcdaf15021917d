"""Operators find e-mails by the relay's queue id; on PostgreSQL, texts are found by what they begin with

Attempts of older versions have no queue id, nor do those of programs before this one, which can work on the database.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"

BLOCK = "(seq / 131072)"
QUEUED = "queue_id IS NOT NULL"
# Each with its columns, of which one is compared byte by byte, and the condition.
INDEXES = {
    "ix_emails_address": ("emails", (BLOCK, "lower(address) text_pattern_ops", "id"), None),
    "ix_orders_reference": (
        *("orders", (BLOCK, "senders_reference text_pattern_ops", "creator")),
        "senders_reference IS NOT NULL",
    ),
    "uq_events_id_source": ("events", ("id text_pattern_ops", "source"), None),
}


def upgrade() -> None:
    op.add_column("email_attempts", sa.Column("queue_id", sa.Text()))
    name, where = "ix_email_attempts_queue_id", sa.text(QUEUED)
    columns = [sa.text(BLOCK), sa.text("queue_id")]
    op.create_index(name, "email_attempts", columns, sqlite_where=where, postgresql_where=where)
    if op.get_bind().dialect.name == "postgresql":
        for name, (table, parts, condition) in INDEXES.items():
            op.drop_index(name, table)
            columns, unique = [sa.text(part) for part in parts], name.startswith("uq_")
            only = sa.text(condition) if condition else None
            op.create_index(name, table, columns, unique=unique, postgresql_where=only)
