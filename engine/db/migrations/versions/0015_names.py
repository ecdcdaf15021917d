"""Tables and columns are called what they hold: deliveries, attempts of e-mails and of deliveries, failures, reasons

All is renamed where it stands, whatever its size; but SQLite, which cannot rename an index, makes seven anew. There,
constraints keep their old names, which nothing shows. Programs before this one do not find the tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
COST = "Renames tables and columns: locks them for a moment. SQLite builds seven indexes again."

TABLES = {"webhooks": "deliveries", "webhook_attempts": "delivery_attempts", "attempts_log": "email_attempts"}
COLUMNS = (
    ("delivery_attempts", "webhook_seq", "delivery_seq"),
    ("subscriptions", "attempts", "failures"),
    ("subscriptions", "paused", "paused_reason"),
    ("jobs", "noun", "resource"),
)
CONSTRAINTS = (
    ("deliveries", "pk_webhooks", "pk_deliveries"),
    ("deliveries", "fk_webhooks_event_seq", "fk_deliveries_event_seq"),
    ("deliveries", "fk_webhooks_subscription_seq", "fk_deliveries_subscription_seq"),
    ("delivery_attempts", "pk_webhook_attempts", "pk_delivery_attempts"),
    ("delivery_attempts", "fk_webhook_attempts_webhook_seq", "fk_delivery_attempts_delivery_seq"),
    ("email_attempts", "pk_attempts_log", "pk_email_attempts"),
    ("email_attempts", "fk_attempts_log_email_seq", "fk_email_attempts_email_seq"),
)
INDEXES = {
    "ix_webhooks_subscription": ("ix_deliveries_subscription", "deliveries (subscription_seq, seq)"),
    "ix_webhooks_event_seq": ("ix_deliveries_event_seq", "deliveries (event_seq)"),
    "ix_webhooks_due": ("ix_deliveries_due", "deliveries (subscription_seq, due_at, seq) WHERE due_at IS NOT NULL"),
    "ix_webhooks_open": ("ix_deliveries_open", "deliveries (seq) WHERE due_at IS NOT NULL"),
    "ix_webhooks_dead": ("ix_deliveries_dead", "deliveries (seq) WHERE state = 'Dead'"),
    "ix_webhook_attempts_webhook_seq": ("ix_delivery_attempts_delivery_seq", "delivery_attempts (delivery_seq)"),
    "ix_attempts_log_email_seq": ("ix_email_attempts_email_seq", "email_attempts (email_seq)"),
}


def upgrade() -> None:
    for old, new in TABLES.items():
        op.rename_table(old, new)
    for table, old, new in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    if op.get_context().dialect.name == "postgresql":
        for table, old, new in CONSTRAINTS:
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
        for old, new in TABLES.items():
            op.execute(f"ALTER SEQUENCE {old}_seq_seq RENAME TO {new}_seq_seq")
        for old, (new, _) in INDEXES.items():
            op.execute(f"ALTER INDEX {old} RENAME TO {new}")
    else:
        for old, (new, what) in INDEXES.items():
            op.drop_index(old)
            op.execute(f"CREATE INDEX {new} ON {what}")
    op.execute(sa.text("UPDATE compatibility SET oldest = '0015'"))
