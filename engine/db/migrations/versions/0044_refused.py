"""Attempts that a relay refused have an index: what waits because of them is looked up by it"""

from engine.db.migrations.indexes import Index, place

revision = "0044"
down_revision = "0043"
COST = "Beside readers and writers. At ten million attempts: 5 s. Then locks attempts for a moment."

BESIDE = (Index("ix_email_attempts_refused", "email_attempts", "at, email_seq", "outcome = 'refused'"),)


def upgrade() -> None:
    place(BESIDE)
