"""The tables. `due_at, claim, unresolved, attempts, state` of a work table are explained in `engine/due.py`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only for INTEGER PRIMARY KEY


def milliseconds(moment: datetime) -> int:
    """An aware datetime as milliseconds since 1970 UTC, rounded down."""
    return (moment - EPOCH) // MILLISECOND


class Instant(TypeDecorator[datetime]):
    """A point in time: aware datetime in Python, milliseconds since 1970 UTC in the database.

    Whole numbers let one copy of each statement add a delay to the database's clock on SQLite and PostgreSQL.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Aware datetime to milliseconds."""
        return None if value is None else milliseconds(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        """Milliseconds to aware datetime."""
        return None if value is None else EPOCH + value * MILLISECOND


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _work_columns() -> tuple[Column[Any], ...]:
    return (
        Column("state", String(40), nullable=False),
        Column("due_at", Instant),
        Column("claim", Integer, nullable=False, default=0),
        Column("unresolved", SmallInteger, nullable=False, default=0),
        Column("attempts", SmallInteger, nullable=False, default=0),
    )


orders = Table(
    "orders",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("creator", String(100), nullable=False),
    Column("senders_reference", Text),
    Column("created", Instant, nullable=False),
    Column("requested_send_time", Instant, nullable=False),
    Column("last_update", Instant, nullable=False),  # of the state; users see it
    *_work_columns(),
    # What to send: stored once, however many recipients there are.
    Column("sender", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("content_type", String(10), nullable=False),
    Column("guarantee", String(20), nullable=False),
    # To whom, and whether.
    Column("recipients", Text, nullable=False),  # JSON, as posted
    Column("condition_endpoint", Text),
    Column("ignore_reservation", Boolean),
    Column("resource_id", Text),
    Column("resource_action", Text),
)
Index(
    "ix_orders_due",
    orders.c.due_at,
    orders.c.seq,
    sqlite_where=orders.c.due_at.is_not(None),
    postgresql_where=orders.c.due_at.is_not(None),
)
Index(
    "ix_orders_reference",
    orders.c.creator,
    orders.c.senders_reference,
    sqlite_where=orders.c.senders_reference.is_not(None),
    postgresql_where=orders.c.senders_reference.is_not(None),
)
Index("ix_orders_created", orders.c.created)  # retention

emails = Table(
    "emails",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True),
    Column("id", Uuid, nullable=False),  # users see it; the Message-ID is made from it
    Column("order_seq", ForeignKey("orders.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("expires_at", Instant, nullable=False),
    Column("last_update", Instant, nullable=False),
    *_work_columns(),
    Column("address", Text, nullable=False),  # "" when there is none
    Column("organization_number", String(9)),
    Column("national_identity_number", String(11)),
    Column("subject", Text),  # set where keywords made it differ from the order's
    Column("body", Text),
)
Index(
    "ix_emails_due",
    emails.c.due_at,
    emails.c.seq,
    sqlite_where=emails.c.due_at.is_not(None),
    postgresql_where=emails.c.due_at.is_not(None),
)
Index(  # "is anything of this order still open?" must not walk through what is settled
    "ix_emails_open",
    emails.c.order_seq,
    sqlite_where=emails.c.due_at.is_not(None),
    postgresql_where=emails.c.due_at.is_not(None),
)

attempts_log = Table(
    "attempts_log",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True),
    Column("email_seq", ForeignKey("emails.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("claim", Integer, nullable=False),
    Column("at", Instant, nullable=False),  # when it ended
    Column("duration_ms", Integer, nullable=False),
    Column("relay", Text, nullable=False),  # host:port; "" when none was asked
    Column("outcome", String(10), nullable=False),  # accepted, deferred, rejected, in_doubt, expired, abandoned
    Column("phase", String(10)),  # where in the SMTP dialogue it ended
    Column("code", SmallInteger),  # the reply's code; NULL when there was no reply
    Column("reply", Text, nullable=False),  # the relay's own words, or what happened instead
)

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

contacts = Table(
    "contacts",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True),
    Column("identity", String(11), nullable=False, index=True),  # national identity or organisation number
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),  # "" when unknown
    Column("is_reserved", Boolean, nullable=False),
)
