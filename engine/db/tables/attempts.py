"""Attempts at e-mails, and what became of large orders in numbers."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, SmallInteger, String, Table, Text, literal_column

from engine.db.tables.columns import SEQUENCE, Instant, block_of, by_beginning, metadata, where, where_set

email_attempts = Table(
    "email_attempts",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("email_seq", ForeignKey("emails.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("claim", Integer, nullable=False),
    Column("at", Instant, nullable=False),  # when it ended
    Column("duration_ms", Integer, nullable=False),
    Column("relay", Text, nullable=False),  # host:port; "" when none was asked
    Column(
        "outcome", String(10), nullable=False
    ),  # accepted, deferred, refused, rejected, in_doubt, expired, abandoned
    Column("phase", String(10)),  # where in the SMTP dialogue it ended
    Column("code", SmallInteger),  # the reply's code; NULL when there was no reply
    Column("reply", Text, nullable=False),  # the relay's own words, or what happened instead
    Column("failure", String(12)),  # the wording's key; NULL: accepted, or no session with the relay
    Column("queue_id", Text),  # what the relay calls the message; NULL: it was not taken over, or its reply has none
)
Index(
    "ix_email_attempts_queue_id",
    block_of(email_attempts),
    email_attempts.c.queue_id,
    **where_set(email_attempts.c.queue_id),
    **by_beginning("queue_id"),
)

# Of those that failed alike, the newest, with all that is asked of them: see engine/admin/aftermath.py.
Index(
    "ix_email_attempts_failure",
    email_attempts.c.failure,
    email_attempts.c.at,
    email_attempts.c.email_seq,
    email_attempts.c.outcome,
    **where_set(email_attempts.c.failure),
)

ATTEMPT_REFUSED = email_attempts.c.outcome == literal_column("'refused'")
# The newest of them: see engine/admin/refusals.py.
Index("ix_email_attempts_refused", email_attempts.c.at, email_attempts.c.email_seq, **where(ATTEMPT_REFUSED))

tallies = Table(  # of large orders, what has become of their e-mails: see engine/events/tallies.py
    "tallies",
    metadata,
    Column("order_seq", ForeignKey("orders.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("slot", SmallInteger, primary_key=True, autoincrement=False),  # of the process that has counted
    Column("state", String(40), primary_key=True),  # of e-mails
    Column("number", Integer, nullable=False),  # less than none where others count what this one took away
    # How many of these were settled by attempts, in the newest minute in which any was, and in the one before.
    Column("minute", Instant, nullable=False),
    Column("lately", Integer, nullable=False, server_default="0"),
    Column("before", Integer, nullable=False, server_default="0"),
)
