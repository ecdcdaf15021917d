"""What operators look for and do: indexes, pauses, jobs, heartbeats, history"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("orders", sa.Column("trace", sa.Text(), nullable=True))
    op.drop_index("ix_orders_reference", "orders")
    _index("ix_orders_reference", "orders", ["senders_reference", "creator"], "senders_reference IS NOT NULL")
    op.create_index("ix_orders_creator", "orders", ["creator", "id"])
    _index("ix_orders_set_aside", "orders", ["id"], "state = 'Processing' AND due_at IS NULL")
    op.create_index("ix_emails_id", "emails", ["id"])
    op.create_index("ix_emails_address", "emails", [sa.text("lower(address)"), "id"])
    _index("ix_emails_failed", "emails", ["id"], "state LIKE 'Failed%'")
    _index("ix_webhooks_open", "webhooks", ["seq"], "due_at IS NOT NULL")
    _index("ix_webhooks_dead", "webhooks", ["seq"], "state = 'Dead'")
    op.create_index("ix_audit_log_target", "audit_log", ["target"])
    op.create_table(
        "pauses",
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name="pk_pauses"),
    )
    op.create_table(
        "jobs",
        sa.Column("seq", SEQUENCE, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("last_update", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("unresolved", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("noun", sa.String(length=20), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("argument", sa.Text(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("position", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    _index("ix_jobs_due", "jobs", ["due_at", "seq"], "due_at IS NOT NULL")
    op.create_table(
        "processes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("relay", sa.Text(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("trouble_since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_processes"),
    )
    op.create_table(
        "history",
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.String(length=40), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "series", name="pk_history"),
    )


def _index(name: str, table: str, columns: list[str], condition: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
