"""Queue ids are found by their beginnings; a subscription's pause has a time, and can end by itself

Older programs go on, but their clock ends no such pause, and what they pause has no time.
"""

import sqlalchemy as sa
from alembic import op

from engine.db.migrations.indexes import Index, place

revision = "0042"
down_revision = "0041"
COST = (
    "Beside readers and writers. At ten million e-mails: 13 s. Then locks attempts of e-mails, and subscriptions, for a"
    " moment each."
)

BESIDE = (  # on PostgreSQL, its column is compared byte by byte; SQLite always does that
    Index(
        "ix_email_attempts_queue_id",
        "email_attempts",
        "(seq / 131072), queue_id text_pattern_ops",
        "queue_id IS NOT NULL",
    ),
)
BEGUN = """
UPDATE subscriptions SET paused_at = (
  SELECT max(audit_log.at) FROM audit_log
  WHERE audit_log.target = 'subscriptions/' || subscriptions.seq AND audit_log.action = 'pause'
) WHERE paused_reason IS NOT NULL
"""


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        place(BESIDE)
    op.add_column("subscriptions", sa.Column("paused_at", sa.BigInteger()))
    op.add_column("subscriptions", sa.Column("paused_until", sa.BigInteger()))
    ends = sa.text("paused_until IS NOT NULL")
    op.create_index(
        "ix_subscriptions_paused_until", "subscriptions", ["paused_until"], sqlite_where=ends, postgresql_where=ends
    )
    op.execute(BEGUN)
