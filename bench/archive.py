"""A large installation's database: orders, e-mails, attempts, events and deliveries of thirty days, made in SQL."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

from bench.figures import say
from engine.db.migrations import upgrade
from engine.db.store import Store
from engine.db.tables import metadata
from engine.observability.history import DELAYS, SERIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

PER_ORDER = 10  # e-mails of an order
DAYS = 30
SOON = 86_400_000  # milliseconds until the first open rows become due: they disturb no measurement
STEP = 1_000_000  # rows of a statement, after which progress is printed
_NOW = "(extract(epoch FROM now()) * 1000)::bigint"
# The rows are evenly spread over the last DAYS days; the last one is made now.
_MADE = f"({_NOW} - (:n - i)::bigint * {DAYS * 86_400_000} / :n)"
_UUID = (  # version 7, with the row's time
    f"(lpad(to_hex({_MADE}), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '8' || substr(md5(i::text), 4, 15))::uuid"
)
_STATES = """CASE WHEN i % 50 = 7 THEN (ARRAY['Failed_Bounced', 'Failed_Bounced', 'Failed', 'Failed_TTL',
    'Failed_FilteredSpam', 'Failed_InvalidEmailFormat'])[1 + i / 50 % 6]
    WHEN i % 1000 = 11 THEN 'New' WHEN i % 20000 = 13 THEN 'Sending' ELSE 'Succeeded' END"""
_OPEN = "(i % 1000 = 11 OR i % 20000 = 13)"

ORDERS = f"""INSERT INTO orders (seq, id, creator, senders_reference, created, requested_send_time, last_update, state,
    due_at, claim, unresolved, attempts, sender, subject, body, content_type, guarantee, recipients)
  SELECT i, {_UUID}, CASE WHEN i % 100003 = 5 THEN 'rare' ELSE 'org' || (i % 50) * (i % 7) END, 'reference-' || i,
    {_MADE}, {_MADE}, {_MADE}, CASE WHEN i % 100 = 3 THEN 'Registered' ELSE 'Completed' END,
    CASE WHEN i % 100 = 3 THEN {_NOW} + {SOON} + i END, 1, 0, 0, 'noreply@varsel.example', 'Invoice ' || i,
    repeat('Your invoice is ready. ', 20), 'Plain', 'AtLeastOnce',
    '[{{"emailAddress":"person' || i || '@example.no"}}]'
  FROM generate_series(:first, :last) i"""
EMAILS = f"""INSERT INTO emails (seq, id, order_seq, expires_at, last_update, state, due_at, claim, unresolved,
    attempts, address)
  SELECT i, {_UUID}, (i - 1) / {PER_ORDER} + 1, {_MADE} + 172800000, {_MADE}, {_STATES},
    CASE WHEN {_OPEN} THEN {_NOW} + {SOON} + i END, 1,
    CASE WHEN i % 20000 = 13 THEN 1 ELSE 0 END, CASE WHEN i % 2000 = 11 THEN 0 ELSE 1 END,
    'person' || i % 3000000 || '@' ||
      CASE WHEN i % 100003 = 5 THEN 'rare.example' ELSE 'example' || i % 100 || '.no' END
  FROM generate_series(:first, :last) i"""
ATTEMPTS = f"""INSERT INTO email_attempts (email_seq, claim, at, duration_ms, relay, outcome, phase, code, reply)
  SELECT i, 1, {_MADE}, 12, 'relay.example:25',
    CASE WHEN i % 50 = 7 THEN 'rejected' WHEN {_OPEN} THEN 'deferred' ELSE 'accepted' END,
    CASE WHEN i % 50 = 7 THEN 'rcpt' WHEN {_OPEN} THEN 'mail' ELSE 'dot' END,
    CASE WHEN i % 50 = 7 THEN 550 WHEN {_OPEN} THEN 451 ELSE 250 END, '2.0.0 what the relay says, of a usual length'
  FROM generate_series(:first, :last) i"""
EVENTS = f"""INSERT INTO events (seq, id, source, type, subject, resource, "time", registered, text)
  SELECT i, 'event-' || i, 'https://ttd.apps.altinn.no/ttd/app' || i % 20 || '/instances/' || i,
    CASE WHEN i % 100003 = 5 THEN 'app.rare'
      ELSE 'app.instance.' || (ARRAY['created', 'changed', 'completed'])[1 + i % 3] END,
    '/party/' || i % 500000, 'urn:altinn:resource:app_ttd_app' || i % 20, {_MADE}, {_MADE},
    '{{"specversion":"1.0","id":"event-' || i || '","type":"app.instance.created"}}'
  FROM generate_series(:first, :last) i"""
DELIVERIES = f"""INSERT INTO deliveries (seq, subscription_seq, event_seq, state, due_at, attempts, created,
    last_update)
  SELECT i, 1 + i % 100, i * 10,
    CASE WHEN i % 100 = 7 THEN 'Dead' WHEN i % 1000 = 11 THEN 'Waiting' ELSE 'Delivered' END,
    CASE WHEN i % 1000 = 11 THEN {_NOW} + {SOON} END, 1, {_MADE}, {_MADE}
  FROM generate_series(:first, :last) i"""
SUBSCRIPTIONS = f"""INSERT INTO subscriptions (seq, consumer, created, fingerprint, endpoint, resource_filter, ordered,
    validated, salt, state, claim, unresolved, failures)
  SELECT i, '/org/ttd', {_NOW}, md5(i::text), 'https://receiver' || i || '.example/hook',
    'urn:altinn:resource:app_ttd_app' || i % 20, false, true, 'salt', 'Waiting', 0, 0, 0
  FROM generate_series(:first, :last) i"""
_SERIES = "unnest(ARRAY[" + ", ".join(f"'{name}'" for name in (*SERIES, *DELAYS)) + "]) series"
HISTORY = f"""INSERT INTO history (minute, series, count)
  SELECT ({_NOW} / 60000 - i) * 60000, series, 100 + i FROM generate_series(:first, :last) i, {_SERIES}"""
HOURS = f"""INSERT INTO history_hours (hour, series, count)
  SELECT ({_NOW} / 3600000 - i) * 3600000, series, 6000 + i FROM generate_series(:first, :last) i, {_SERIES}"""
MINUTES_KEPT, HOURS_KEPT = 8 * 1440, 400 * 24


_RANGES = (  # how many e-mails there are for each of these
    ("orders", ORDERS, PER_ORDER),
    ("e-mails", EMAILS, 1),
    ("attempts", ATTEMPTS, 1),
    ("events", EVENTS, 1),
    ("deliveries", DELIVERIES, PER_ORDER),
)
_OURS = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname LIKE 'ix_%'"
_SETTINGS = ("statement_timeout = 0", "synchronous_commit = off", "session_replication_role = replica")


def make(url: str, mails: int) -> None:
    """Fill a new PostgreSQL database: so many e-mails, as many events, a tenth of orders and of deliveries."""
    with filling(url) as connection:
        connection.execute(text("SET maintenance_work_mem = '1GB'"))
        indexes = connection.execute(text(_OURS)).all()
        for name, _ in indexes:
            connection.execute(text(f'DROP INDEX "{name}"'))
        _vacuum_by_itself(connection, "SET (autovacuum_enabled = off)")
        fill(connection, 1, mails, mails)
        _insert(connection, "subscriptions", SUBSCRIPTIONS, (1, 100, 100))
        _insert(connection, "history", HISTORY, (1, MINUTES_KEPT, MINUTES_KEPT))
        _insert(connection, "history_hours", HOURS, (1, HOURS_KEPT, HOURS_KEPT))
        for name, definition in indexes:
            started = time.monotonic()
            connection.execute(text(definition))
            say(f"archive: {name} made in {time.monotonic() - started:.0f} s")
        number_from(connection, 2 * mails)
        _vacuum_by_itself(connection, "RESET (autovacuum_enabled)")
        connection.execute(text("VACUUM ANALYZE"))
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        say(f"archive: {mails:,} e-mails and as many events are there, {size / 1e9:.1f} GB")


@contextmanager
def filling(url: str) -> Iterator[Connection]:
    """A connection that stores fast, to a database that has the tables after this."""
    store = Store(url)
    upgrade(store)
    engine = create_engine(store.engine.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in _SETTINGS:
            connection.execute(text(f"SET {setting}"))
        yield connection
    engine.dispose()
    store.close()


def fill(connection: Connection, first: int, last: int, mails: int) -> None:
    """Store the e-mails with these numbers, of so many, and what belongs to them."""
    for what, statement, per in _RANGES:
        _insert(connection, what, statement, ((first - 1) // per + 1, last // per, mails // per))


def number_from(connection: Connection, first: int) -> None:
    """Let what is stored by others have these numbers."""
    for table in ("orders", "emails", "email_attempts", "events", "deliveries"):
        connection.execute(text(f"SELECT setval('{table}_seq_seq', {first})"))


def _insert(connection: Connection, what: str, statement: str, rows: tuple[int, int, int]) -> None:
    """Insert the rows from one to another, of so many."""
    begin, end, count = rows
    for first in range(begin, end + 1, STEP):
        last = min(end, first + STEP - 1)
        sql = statement.replace(":first", str(first)).replace(":last", str(last)).replace(":n", str(count))
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
        if last % (STEP * 2) == 0 or last == count:
            say(f"archive: {last:,} {what}")


def _vacuum_by_itself(connection: Connection, setting: str) -> None:
    for table in metadata.sorted_tables:
        connection.execute(text(f"ALTER TABLE {table.name} {setting}"))
