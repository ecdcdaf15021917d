"""Orders and their e-mails."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    and_,
    false,
    func,
    literal_column,
    or_,
    true,
)

from engine.db.tables.columns import (
    SEQUENCE,
    Instant,
    block_of,
    by_beginning,
    metadata,
    paused_column,
    turn_columns,
    where,
    where_set,
    work_columns,
)


def _index_turns(table: Table, *also: ColumnElement[bool]) -> None:
    """The indexes of fair claims: ready rows, those that wait for somebody, and those that are to become ready."""
    c = table.c
    ready: ColumnElement[bool] = c.rank.is_not(None)
    if "waits_for" in c:
        waiting = and_(ready, c.waits_for.is_not(None))
        Index(f"ix_{table.name}_waiting", c.waits_for, c.priority, c.creator, c.rank, c.seq, **where(waiting))
        ready = and_(ready, c.waits_for.is_(None))
    Index(f"ix_{table.name}_ready", c.priority, c.creator, c.rank, c.seq, **where(ready))
    unready = and_(c.rank.is_(None), c.due_at.is_not(None), *also)
    Index(f"ix_{table.name}_unready", c.priority, c.due_at, c.seq, **where(unready))


orders = Table(
    "orders",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("creator", String(100), nullable=False),
    Column("senders_reference", Text),
    Column("created", Instant, nullable=False),
    Column("requested_send_time", Instant, nullable=False),
    Column("last_update", Instant, nullable=False),  # of the state; users see it
    *work_columns(),
    paused_column(),
    *turn_columns(),
    # What to send: stored once, however many recipients there are.
    Column("sender", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("content_type", String(10), nullable=False),
    Column("guarantee", String(20), nullable=False),
    # To whom, and whether.
    Column("recipients", Text, nullable=False),  # JSON, as posted
    Column("condition_endpoint", Text),
    Column("condition_answer", Text),  # what the endpoint said last, for operators; NULL: it was not asked yet
    Column("ignore_reservation", Boolean),
    Column("resource_id", Text),
    Column("resource_action", Text),
    Column("trace", Text),  # W3C traceparent of the request; NULL: not traced
    # Of the second generation.
    Column("kind", String(12), nullable=False, server_default="Notification"),
    Column("chain_id", Uuid),  # NULL: the order is in no chain
    Column("channel", String(20)),  # as posted; NULL: Email
    Column("sms", Text),  # JSON: what an SMS would have said and who would have sent it, kept for its sender
    # See engine/orders/fetches.py.
    Column("attachments", SmallInteger, nullable=False, server_default="0"),  # how many it has
    Column("fetches", SmallInteger),  # how many are to be fetched next; NULL: none, or its condition comes first
    # See engine/orders/uploads.py and engine/orders/portions.py.
    Column("streamed", Boolean, nullable=False, server_default=false()),  # its recipients come, or came, after it
    Column("portion", Integer),  # the one whose e-mails are made next; 0: it is open; NULL: none is
    # When it may be sent: see engine/queue/windows.py.
    Column("expires_at", Instant),  # as posted; NULL: e-mails expire after a time of their own
    Column("sending_window", Text),  # JSON; NULL: at any time
    # See engine/queue/withdrawals.py.
    Column("withdrawn_at", Instant),  # when its creator took it back from workers; NULL: it did not
    Column("withdrawn_until", Instant),  # until when nothing is sent; NULL: for good
    Column("sender_name", Text),  # beside the sender's address; NULL: none
    Column("reply_to", Text),  # NULL: answers go to the sender
    Column("template_id", Uuid),  # the version that its e-mails are made of; NULL: the order has its own texts
)
Index("ix_orders_withdrawn", orders.c.withdrawn_at, **where_set(orders.c.withdrawn_at))
Index("ix_orders_template", orders.c.template_id, orders.c.seq, **where_set(orders.c.template_id))
Index("ix_orders_chain", orders.c.chain_id, orders.c.seq, **where_set(orders.c.chain_id))
Index("ix_orders_due", orders.c.due_at, orders.c.seq, **where_set(orders.c.due_at))
# Orders with a condition and those without are claimed apart: neither kind is looked for among the other's rows.
# So are those whose attachments are to be fetched, and those whose e-mails are made portion by portion.
_WHOLE = orders.c.portion.is_(None)
_CONDITIONAL = and_(
    orders.c.due_at.is_not(None), orders.c.condition_endpoint.is_not(None), orders.c.fetches.is_(None), _WHOLE
)
Index("ix_orders_conditional", orders.c.due_at, orders.c.seq, **where(_CONDITIONAL))
_FETCHING = and_(orders.c.due_at.is_not(None), orders.c.fetches.is_not(None))
Index("ix_orders_fetching", orders.c.due_at, orders.c.seq, **where(_FETCHING))
Index("ix_orders_portioned", orders.c.due_at, orders.c.seq, **where(and_(orders.c.due_at.is_not(None), ~_WHOLE)))
_index_turns(orders, orders.c.condition_endpoint.is_(None), orders.c.fetches.is_(None), _WHOLE)
Index(
    "ix_orders_reference",
    block_of(orders),
    orders.c.senders_reference,
    orders.c.creator,
    **where_set(orders.c.senders_reference),
    **by_beginning("senders_reference"),
)
Index("ix_orders_paused", orders.c.seq, orders.c.paused_by, **where_set(orders.c.paused_by))
Index("ix_orders_ended", orders.c.last_update, **where(orders.c.due_at.is_(None)))  # retention
Index("ix_orders_creator", orders.c.creator, orders.c.id)  # operators' lists
# Indexes of some rows: for a query to use them, it says the condition in these very words.
ORDER_SET_ASIDE = orders.c.state == literal_column("'SetAside'")
Index("ix_orders_set_aside", orders.c.id, **where(ORDER_SET_ASIDE))

attachments = Table(  # of orders' e-mails
    "attachments",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("order_seq", ForeignKey("orders.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", SmallInteger, nullable=False),  # from 0
    Column("filename", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("content_id", Text),  # an image in the HTML; NULL: none
    Column("address", Text),  # sealed, since it lets anybody fetch; NULL: not needed, or no more
    Column("size", Integer),  # bytes of the content
    Column("answer", Text),  # why it was not fetched the last time, for operators
    # NULL: not fetched. The last column, since SQLite would walk through it to those behind.
    Column("content", LargeBinary),
)

templates = Table(  # of e-mails, version by version: see engine/templating/registry.py
    "templates",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("creator", String(100)),  # NULL: the installation's own
    Column("name", String(64), nullable=False),
    Column("version", Integer),  # from 1; NULL: the installation's own, of which there are as many as were used
    Column("created", Instant, nullable=False),
    Column("removed", Instant),  # since then, no new order can name it; NULL: it can
    Column("content", Text, nullable=False),  # JSON: see engine/templating/content.py
    UniqueConstraint("creator", "name", "version"),
)

emails = Table(
    "emails",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("id", Uuid, nullable=False),  # users see it; the Message-ID is made from it
    Column("order_seq", ForeignKey("orders.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", Instant, nullable=False),
    Column("last_update", Instant, nullable=False),
    *work_columns(),
    paused_column(),
    *turn_columns(),
    Column(
        "waits_for", Text
    ),  # while it has a rank: the relays or domain whose pace it waits for; see engine/email/gate.py
    Column("creator", String(100)),  # the order's; NULL in rows of older versions that have ended
    Column("address", Text, nullable=False),  # "" when there is none
    Column("organization_number", String(9)),
    Column("national_identity_number", String(11)),
    Column("recipient_name", Text),  # set where keywords stand in the order's texts: see engine/text/keywords.py
    Column("subject", Text),  # of older versions: set where keywords made it differ from the order's
    Column("body", Text),  # likewise
    Column("time_zone", Text),  # in which the order's window is read; NULL: in the window's own
    Column("given", Text),  # JSON: its recipient's values and locale; NULL: its order has no template
)
Index("ix_emails_due", emails.c.due_at, emails.c.seq, **where_set(emails.c.due_at))
_index_turns(emails)
Index("ix_emails_paused", emails.c.seq, emails.c.paused_by, **where_set(emails.c.paused_by))
# That it is true is said so that this index is for those alone who say so, too. Databases would take it for all that is
# due, or paused, and walk through it as a whole.
EMAIL_OPEN = or_(emails.c.due_at.is_not(None), emails.c.paused_by.is_not(None)).is_(true())
# "Is anything of this order still open?" must not walk through what is settled.
Index("ix_emails_open", emails.c.order_seq, **where(EMAIL_OPEN))
# What operators look for. Identifiers begin with a time, as UUIDs of version 7 do: their order is that of time.
Index("ix_emails_id", emails.c.id)
Index(
    "ix_emails_address",
    block_of(emails),
    func.lower(emails.c.address).label("lower_address"),
    emails.c.id,
    **by_beginning("lower_address"),
)
# What support looks for: see engine/orders/dashboard.py.
for _name, _number in (("person", emails.c.national_identity_number), ("organization", emails.c.organization_number)):
    Index(f"ix_emails_{_name}", block_of(emails), _number, **where_set(_number))
EMAIL_FAILED = emails.c.state.like(literal_column("'Failed%'"))
Index("ix_emails_failed", emails.c.id, emails.c.last_update, **where(EMAIL_FAILED))

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("creator", String(100), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the payload
    Column("order_id", Uuid, nullable=False),
    Column("answer", Text, nullable=False),  # JSON, as first given
    Column("created", Instant, nullable=False, index=True),
)

chains = Table(  # receipts of the second generation, which are kept for ever: see engine/orders/chains.py
    "chains",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("creator", String(100), nullable=False),
    Column("kind", String(12), nullable=False),  # of its first order
    Column("idempotency_id", String(500), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the payload
    Column("shipments", Text, nullable=False),  # JSON: the orders' identifiers and references, the main one first
    Column("dialog_id", String(500)),
    Column("transmission_id", String(500)),
    Column("created", Instant, nullable=False),
)
Index("uq_chains_idempotency_id", chains.c.creator, chains.c.kind, chains.c.idempotency_id, unique=True)
Index("ix_chains_dialog", chains.c.creator, chains.c.dialog_id, **where_set(chains.c.dialog_id))

recurring_orders = Table(  # see engine/orders/recurring.py
    "recurring_orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("creator", String(100), nullable=False),
    Column("name", String(100), nullable=False),  # its creator's
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the payload
    Column("created", Instant, nullable=False),
    Column("cron", String(200), nullable=False),
    Column("zone", Text, nullable=False),
    Column("missed", String(10), nullable=False),  # what becomes of runs whose time passed while no clock ran
    Column("until", Instant),  # the last time at which a run may be; NULL: no end by time
    Column("runs_left", Integer),  # runs that are left; NULL: no end by number
    Column("made", Integer, nullable=False, server_default="0"),  # runs so far
    Column("next_at", Instant),  # of the next run; NULL: it has ended, or is paused
    Column("last_at", Instant),  # of the newest run
    Column("last_order", Uuid),  # which it made; NULL: none
    Column("last_fault", Text),  # why it made none; NULL: it did
    Column("order_row", Text, nullable=False),  # JSON: what each run is made of
    Column("paused_reason", Text),  # NULL: it is not paused
)
Index("uq_recurring_orders_name", recurring_orders.c.creator, recurring_orders.c.name, unique=True)
Index("ix_recurring_orders_next", recurring_orders.c.next_at, **where_set(recurring_orders.c.next_at))

quota_use = Table(  # of creators that have a quota: see engine/orders/budget.py
    "quota_use",
    metadata,
    Column("creator", String(100), primary_key=True),
    # The newest windows in which orders of this creator count, with the recipients in them so far.
    Column("minute", Instant, nullable=False, server_default="0"),
    Column("in_minute", Integer, nullable=False, server_default="0"),
    Column("day", Instant, nullable=False, server_default="0"),
    Column("in_day", Integer, nullable=False, server_default="0"),
)

contacts = Table(
    "contacts",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("identity", String(11), nullable=False, index=True),  # national identity or organisation number
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),  # "" when unknown
    Column("is_reserved", Boolean, nullable=False),
)
