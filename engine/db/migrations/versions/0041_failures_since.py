"""Attempts that failed alike have an index: what has become of their e-mails since is looked up by it"""

from engine.db.migrations.indexes import Index, place

revision = "0041"
down_revision = "0040"
COST = "Beside readers and writers. With 78,000 failed attempts: 0.6 s. Then locks attempts for a moment."

BESIDE = (
    Index("ix_email_attempts_failure", "email_attempts", "failure, at, email_seq, outcome", "failure IS NOT NULL"),
)


def upgrade() -> None:
    place(BESIDE)
