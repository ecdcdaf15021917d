"""Events, who subscribes to them, and what is to be pushed to whom."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    literal_column,
    or_,
)

from engine.db.tables.columns import SEQUENCE, Instant, block_of, by_beginning, metadata, where, where_set, work_columns

events = Table(
    "events",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),  # readers page by it: given under a lock, see engine/events/storing.py
    Column("id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text),
    Column("resource", Text, nullable=False),
    Column("alternative_subject", Text),
    Column("time", Instant),  # the publisher's
    Column("registered", Instant, nullable=False),
    Column("text", Text, nullable=False),  # the whole event as JSON
    sqlite_autoincrement=True,  # a reader that has seen a number must not miss its second holder
)
Index("uq_events_id_source", events.c.id, events.c.source, unique=True, **by_beginning("id"))
Index("ix_events_resource", events.c.resource, events.c.seq, events.c.time)
Index("ix_events_subject", block_of(events), events.c.subject, events.c.seq, **where_set(events.c.subject))
Index(
    "ix_events_alternative_subject",
    block_of(events),
    events.c.alternative_subject,
    events.c.seq,
    **where_set(events.c.alternative_subject),
)
Index("ix_events_registered", events.c.registered)  # retention, replay
ORDER_ENDED = or_(  # the events that are the feed of shipments: see engine/orders/shipments.py
    events.c.type == literal_column("'no.varsel.order.completed'"),
    events.c.type == literal_column("'no.varsel.order.sendconditionnotmet'"),
)
Index("ix_events_feed", events.c.resource, events.c.seq, **where(ORDER_ENDED))

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),  # users see it: the contract's ids are numbers
    Column("consumer", String(200), nullable=False),  # whose it is, such as /org/ttd
    Column("creator", String(100)),  # whose orders an e-mail sink makes
    Column("created", Instant, nullable=False),
    Column("fingerprint", String(64), nullable=False),  # of everything that makes two subscriptions the same
    # What, and where to.
    Column("endpoint", Text, nullable=False),
    Column("template", String(64)),  # of an e-mail sink
    Column("resource_filter", Text, nullable=False),
    Column("source_filter", Text),
    Column("source_prefix", Text),
    Column("subject_filter", Text),
    Column("alternative_subject_filter", Text),
    Column("party", Text),  # whom the consumer's token spoke for; NULL: for nobody
    Column("type_filter", Text),  # JSON, as posted
    Column("source_start", Text),  # what source + "/" must begin with
    Column("ordered", Boolean, nullable=False),
    # How it is.
    Column("validated", Boolean, nullable=False),
    Column("paused_reason", Text),  # why nothing is pushed; NULL: not paused
    Column("paused_at", Instant),  # NULL: not paused, or by a program of before version 0042 of the schema
    Column("paused_until", Instant),  # when the pause ends by itself; NULL: not paused, or until somebody resumes it
    Column("last_error", Text),  # of the newest attempt; NULL: it went well
    Column("last_success", Instant),  # when it was last released after a success; NULL: never
    Column("test_seq", SEQUENCE),  # a delivery that is pushed once, also while it is paused: an operator's test
    Column("open_until", Instant),  # the circuit: nothing is pushed before
    Column("salt", String(64), nullable=False),  # of the signing secret
    Column("old_salt", String(64)),  # of the one before, while both are signed with
    Column("old_salt_until", Instant),
    Column("removed", Instant),  # by its consumer, who sees it no more; it goes when its deliveries have gone
    *work_columns(tries="failures"),  # in a row
    sqlite_autoincrement=True,  # the next subscriber must not answer to a removed one's number
)
Index("uq_subscriptions_fingerprint", subscriptions.c.fingerprint, unique=True)
Index("ix_subscriptions_consumer", subscriptions.c.consumer)
Index("ix_subscriptions_due", subscriptions.c.due_at, subscriptions.c.seq, **where_set(subscriptions.c.due_at))
Index("ix_subscriptions_removed", subscriptions.c.seq, **where_set(subscriptions.c.removed))
Index("ix_subscriptions_paused_until", subscriptions.c.paused_until, **where_set(subscriptions.c.paused_until))
STOPPED = or_(subscriptions.c.paused_reason.is_not(None), subscriptions.c.open_until.is_not(None))
Index("ix_subscriptions_stopped", subscriptions.c.seq, **where(STOPPED))

subscription_filters = Table(  # a subscription's filters as an event looks them up: see engine/events/fan_out.py
    "subscription_filters",
    metadata,
    Column("resource", Text, primary_key=True),
    Column("subject", Text, primary_key=True),  # "": any
    Column("type", Text, primary_key=True),  # "": any
    Column("subscription_seq", ForeignKey("subscriptions.seq", ondelete="CASCADE"), primary_key=True, index=True),
)

# Whose events match more subscriptions than one transaction may queue: see engine/events/large_fan_outs.py.
fan_outs = Table(
    "fan_outs",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("owner", Text, nullable=False),
    *work_columns(),
    Column("reached", SEQUENCE, nullable=False, default=0),  # the last subscription that has the first waiting event
)
Index("uq_fan_outs_owner", fan_outs.c.owner, unique=True)
Index("ix_fan_outs_due", fan_outs.c.due_at, fan_outs.c.seq, **where_set(fan_outs.c.due_at))

waiting_events = Table(  # stored, and not queued yet for every subscription that they match
    "waiting_events",
    metadata,
    Column("event_seq", ForeignKey("events.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("fan_out_seq", ForeignKey("fan_outs.seq", ondelete="CASCADE"), nullable=False),
    Column("resource", Text, nullable=False, index=True),
    Column("newest", SEQUENCE, nullable=False),  # the newest subscription when the event was stored
)
Index("ix_waiting_events_fan_out", waiting_events.c.fan_out_seq, waiting_events.c.event_seq)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),  # users see it: a delivery's id
    Column("subscription_seq", ForeignKey("subscriptions.seq", ondelete="CASCADE"), nullable=False),
    Column("event_seq", ForeignKey("events.seq", ondelete="CASCADE"), index=True),  # NULL: the validation event
    Column("state", String(20), nullable=False),
    Column("due_at", Instant),  # when the next attempt may be made; the subscription's due_at follows from these
    Column("attempts", SmallInteger, nullable=False, default=0),
    Column("created", Instant, nullable=False),
    Column("last_update", Instant, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_deliveries_subscription", deliveries.c.subscription_seq, deliveries.c.seq)
Index(
    "ix_deliveries_due",
    deliveries.c.subscription_seq,
    deliveries.c.due_at,
    deliveries.c.seq,
    **where_set(deliveries.c.due_at),
)
Index("ix_deliveries_open", deliveries.c.seq, **where_set(deliveries.c.due_at))  # operators' lists
DELIVERY_DEAD = deliveries.c.state == literal_column("'Dead'")
Index("ix_deliveries_dead", deliveries.c.seq, **where(DELIVERY_DEAD))

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("delivery_seq", ForeignKey("deliveries.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Instant, nullable=False),  # when it ended
    Column("duration_ms", Integer, nullable=False),
    Column("outcome", String(12), nullable=False),  # accepted, deferred, rejected, expired, unauthorized
    Column("status", SmallInteger),  # HTTP; NULL when there was no answer
    Column("reply", Text, nullable=False),  # the answer's body, or what happened instead
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("who", String(200), nullable=False),
    Column("action", String(40), nullable=False),
    Column("target", Text, nullable=False, index=True),  # such as subscriptions/12
    Column("detail", Text, nullable=False),  # JSON
)
