"""Failures of e-mails are grouped by what was replied, and summed up; workers tell of each relay"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
COST = "Makes tables; locks attempts of e-mails for a moment."


def upgrade() -> None:
    op.add_column("email_attempts", sa.Column("failure", sa.String(12)))
    op.add_column("processes", sa.Column("relays", sa.Text()))
    op.create_table(
        "attempt_sums",
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("failure", sa.String(12), nullable=False),
        sa.Column("relay", sa.Text(), nullable=False),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("creator", sa.String(100), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", "outcome", "failure", "relay", "domain", "creator", name="pk_attempt_sums"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "wordings",
        sa.Column("key", sa.String(12), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_wordings"),
    )
