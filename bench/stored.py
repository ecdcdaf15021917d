"""The statements that make a large installation's rows, for PostgreSQL and for SQLite.

Placeholders: `:first` and `:last` of the numbers `i` in `:series`; `:n`, how many there are in all; `:now`, in
milliseconds; `:made`, the time of row `i`; `:id` and `:chain`, identifiers of version 7 with that time.
"""

from __future__ import annotations

from engine.observability.history import DELAYS, SERIES

PER_ORDER = 10  # e-mails of an order
DAYS = 30  # over which the rows are evenly spread; the last one is made now
SOON = 86_400_000  # milliseconds until the first open rows become due: they disturb no measurement
MINUTES_KEPT, HOURS_KEPT = 8 * 1440, 400 * 24  # of history
SUMS = 2_400  # of failures in the last hour: as many as one worker tells apart

MADE = f"(:now - (:n - i) * {DAYS * 86_400_000} / :n)"
_PLACEHOLDERS = {
    "postgresql": {
        ":series": "generate_series(:first, :last) i",
        ":id": "(lpad(to_hex(:made), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '8'"
        " || substr(md5(i::text), 4, 15))::uuid",
        ":chain": "(lpad(to_hex(:made), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '9'"
        " || substr(md5(i::text), 4, 15))::uuid",
    },
    "sqlite": {
        ":series": "(WITH RECURSIVE numbers(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM numbers WHERE i < :last)"
        " SELECT i FROM numbers)",
        ":id": "printf('%012x7%03x8%015x', :made, i * 2654435761 % 4096, i * 40503 % 1152921504606846975)",
        ":chain": "printf('%012x7%03x9%015x', :made, i * 2654435761 % 4096, i * 40503 % 1152921504606846975)",
    },
}
_OPEN = "(i % 1000 = 11 OR i % 20000 = 13)"

ORDERS = f"""INSERT INTO orders (seq, id, chain_id, creator, senders_reference, created, requested_send_time,
    last_update, state, due_at, claim, unresolved, attempts, sender, subject, body, content_type, guarantee, recipients)
  SELECT i, :id, CASE WHEN i % 10 = 4 THEN :chain END,
    CASE WHEN i % 100003 = 5 THEN 'rare' ELSE 'org' || ((i % 50) * (i % 7)) END, 'reference-' || i,
    :made, :made, :made, CASE WHEN i % 100 = 3 THEN 'Registered' ELSE 'Completed' END,
    CASE WHEN i % 100 = 3 THEN :now + {SOON} + i END, 1, 0, 0, 'noreply@varsel.example', 'Invoice ' || i,
    '{"Your invoice is ready. " * 20}', 'Plain', 'AtLeastOnce',
    '[{{"emailAddress":"person' || i || '@example.no"}}]'
  FROM :series"""
KEYS = """INSERT INTO idempotency_keys (creator, key, fingerprint, order_id, answer, created)
  SELECT creator, 'key-' || seq, 'fingerprint', id, '{}', created FROM orders
  WHERE seq BETWEEN :first AND :last AND seq > :n - :n / 15"""  # of the last two days
EMAILS = f"""INSERT INTO emails (seq, id, order_seq, expires_at, last_update, state, due_at, claim, unresolved,
    attempts, address, national_identity_number, organization_number)
  SELECT i, :id, (i - 1) / {PER_ORDER} + 1, :made + 172800000, :made,
    CASE WHEN i % 50 = 7 THEN CASE i / 50 % 6 WHEN 2 THEN 'Failed' WHEN 3 THEN 'Failed_TTL'
      WHEN 4 THEN 'Failed_FilteredSpam' WHEN 5 THEN 'Failed_InvalidEmailFormat' ELSE 'Failed_Bounced' END
    WHEN i % 1000 = 11 THEN 'New' WHEN i % 20000 = 13 THEN 'Sending' ELSE 'Succeeded' END,
    CASE WHEN {_OPEN} THEN :now + {SOON} + i END, 1,
    CASE WHEN i % 20000 = 13 THEN 1 ELSE 0 END, CASE WHEN i % 20000 = 11 THEN 0 ELSE 1 END,
    'person' || (i % 3000000) || '@' ||
      CASE WHEN i % 100003 = 5 THEN 'rare.example' ELSE 'example' || (i % 100) || '.no' END,
    CASE WHEN i % 10 = 1 THEN 10000000000 + i % 3000000 || '' END,
    CASE WHEN i % 50 = 2 THEN 900000000 + i % 100000 || '' END
  FROM :series"""
# Half of what failed did so in the same words; the rest in fifty others.
_WORDING = "CASE WHEN i % 100 = 7 THEN '100000000001' ELSE 100000000000 + i / 100 % 50 || '' END"
ATTEMPTS = f"""INSERT INTO email_attempts (email_seq, claim, at, duration_ms, relay, outcome, phase, code, reply,
    queue_id, failure)
  SELECT i, 1, :made, 12, 'relay.example:25',
    CASE WHEN i % 50 = 7 THEN 'rejected' WHEN {_OPEN} THEN 'deferred' ELSE 'accepted' END,
    CASE WHEN i % 50 = 7 THEN 'rcpt' WHEN {_OPEN} THEN 'mail' ELSE 'dot' END,
    CASE WHEN i % 50 = 7 THEN 550 WHEN {_OPEN} THEN 451 ELSE 250 END, '2.0.0 what the relay says, of a usual length',
    CASE WHEN i % 50 <> 7 AND NOT {_OPEN} THEN '4Xk' || i END,
    CASE WHEN i % 50 = 7 THEN {_WORDING} WHEN {_OPEN} THEN '200000000000' END
  FROM :series"""
EVENTS = """INSERT INTO events (seq, id, source, type, subject, resource, "time", registered, text)
  SELECT i, 'event-' || i, 'https://ttd.apps.altinn.no/ttd/app' || (i % 20) || '/instances/' || i,
    CASE WHEN i % 100003 = 5 THEN 'app.rare' ELSE 'app.instance.' ||
      CASE i % 3 WHEN 0 THEN 'created' WHEN 1 THEN 'changed' ELSE 'completed' END END,
    '/party/' || (i % 500000), 'urn:altinn:resource:app_ttd_app' || (i % 20), :made, :made,
    '{"specversion":"1.0","id":"event-' || i || '","type":"app.instance.created"}'
  FROM :series"""
DELIVERIES = f"""INSERT INTO deliveries (seq, subscription_seq, event_seq, state, due_at, attempts, created,
    last_update)
  SELECT i, 1 + i % 100, i * 10,
    CASE WHEN i % 100 = 7 THEN 'Dead' WHEN i % 1000 = 11 THEN 'Waiting' ELSE 'Delivered' END,
    CASE WHEN i % 1000 = 11 THEN :now + {SOON} END, 1, :made, :made
  FROM :series"""
SUBSCRIPTIONS = """INSERT INTO subscriptions (seq, consumer, created, fingerprint, endpoint, resource_filter, ordered,
    validated, salt, state, claim, unresolved, failures)
  SELECT i, '/org/ttd', :now, 'fingerprint ' || i, 'https://receiver' || i || '.example/hook',
    'urn:altinn:resource:app_ttd_app' || (i % 20), false, true, 'salt', 'Waiting', 0, 0, 0
  FROM :series"""
_SERIES = "(" + " UNION ALL ".join(f"SELECT '{name}' AS series" for name in (*SERIES, *DELAYS)) + ") names"
HISTORY = f"""INSERT INTO history (minute, series, count)
  SELECT (:now / 60000 - i) * 60000, series, 100 + i FROM :series, {_SERIES}"""
HOURS = f"""INSERT INTO history_hours (hour, series, count)
  SELECT (:now / 3600000 - i) * 3600000, series, 6000 + i FROM :series, {_SERIES}"""

# A busy hour, in which everything is made now: an order to many is being sent, much is due, a domain and subscriptions
# are paused, and much fails.
LARGE_ORDER = """INSERT INTO orders (seq, id, creator, senders_reference, created, requested_send_time,
    last_update, state, claim, unresolved, attempts, sender, subject, body, content_type, guarantee, recipients)
  SELECT i, :id, 'large', 'to all', :made, :made, :made, 'Processed', 1, 0, 0, 'noreply@varsel.example', 'To all',
    'This is for all.', 'Plain', 'AtLeastOnce', '[]'
  FROM :series"""
_WAITS = "(i % 100 = 5)"
_PAUSED = "(i % 100 = 0)"
LARGE_EMAILS = f"""INSERT INTO emails (seq, id, order_seq, expires_at, last_update, state, due_at, claim, unresolved,
    attempts, address, creator, priority, rank, waits_for, paused_by)
  SELECT i, :id, :n / {PER_ORDER} + 1, :now + 172800000, :now,
    CASE WHEN i % 50 = 7 THEN 'Failed_Bounced' WHEN i % 5 = 0 THEN 'New' ELSE 'Succeeded' END,
    CASE WHEN i % 5 = 0 AND NOT {_PAUSED} THEN CASE WHEN {_WAITS} THEN :now + 172800000 ELSE :now END END,
    1, 0, CASE WHEN i % 5 = 0 THEN 0 ELSE 1 END, 'person' || (i % 3000000) || '@example' || (i % 100) || '.no',
    'large', 1, CASE WHEN i % 5 = 0 AND NOT {_PAUSED} THEN :now + i END,
    CASE WHEN {_WAITS} THEN 'domain example5.no' END, CASE WHEN {_PAUSED} THEN 'domain:example0.no' END
  FROM :series"""
LARGE_ATTEMPTS = f"""INSERT INTO email_attempts (email_seq, claim, at, duration_ms, relay, outcome, phase, code, reply,
    failure)
  SELECT i, 1, :now, 12, 'relay.example:25', CASE WHEN i % 50 = 7 THEN 'rejected' ELSE 'accepted' END, 'dot',
    CASE WHEN i % 50 = 7 THEN 550 ELSE 250 END, '2.0.0 what the relay says, of a usual length',
    CASE WHEN i % 50 = 7 THEN {_WORDING} END
  FROM :series WHERE i % 5 <> 0"""
BUSY = (
    f"""INSERT INTO tallies (order_seq, slot, state, number, minute)
      SELECT order_seq, 0, state, count(*), :now FROM emails WHERE order_seq = :n / {PER_ORDER} + 1
      GROUP BY order_seq, state""",
    f"""UPDATE orders SET state = 'Registered', due_at = :now - seq % 100000, rank = :now - seq % 100000
      WHERE seq % 50 = 9 AND seq <= :n / {PER_ORDER}""",
    """INSERT INTO pauses (kind, value, at, who, reason)
      VALUES ('domain', 'example0.no', :now, 'anna', 'it is down')""",
    "UPDATE deliveries SET state = 'Waiting', due_at = :now WHERE seq % 20 = 9",
    "UPDATE subscriptions SET paused_reason = 'Paused by an operator.' WHERE seq IN (10, 30)",
    """INSERT INTO fan_outs (seq, owner, state, due_at, claim, unresolved, attempts, reached)
      VALUES (1, 'ttd', 'Waiting', :now, 0, 0, 0, 0)""",
    """INSERT INTO waiting_events (event_seq, fan_out_seq, resource, newest)
      SELECT seq, 1, resource, 100 FROM events WHERE seq > :n - 30000""",
)
FAILURES = (
    """INSERT INTO attempt_sums (at, outcome, failure, relay, domain, creator, count)
      SELECT (:now / 300000 - i % 12) * 300000, 'rejected', 100000000000 + i / 12 % 50 || '', 'relay.example:25',
        'example' || (i / 12) || '.no', 'org' || (i / 12 % 5), 10 FROM :series""",
    """INSERT INTO wordings (key, text, since, seen)
      SELECT 100000000000 + i || '', '550 5.1.1 no such user, in wording ' || i, :now - 3600000, :now FROM :series""",
)


def statement(dialect: str, text: str, rows: tuple[int, int, int], now: int, made: str = MADE) -> str:
    """A statement for the rows from the first to the last, of so many; `made`: when."""
    first, last, count = rows
    numbers = {":made": made, ":first": str(first), ":last": str(last), ":now": str(now), ":n": str(count)}
    for name, value in (_PLACEHOLDERS[dialect] | numbers).items():
        text = text.replace(name, value)
    return text
