"""What a process did, minute by minute, in the database; engine/db/hours.py has the hours.

The counts are those of /metrics, so both agree, and history survives a restart. A killed process loses the counts of
its last second; only plots depend on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ColumnElement, Connection, type_coerce
from sqlalchemy.dialects import postgresql, sqlite

from engine.db.dialects import Now
from engine.db.tables import Instant, history
from engine.models import Priority
from engine.observability import metrics

if TYPE_CHECKING:
    from datetime import datetime

    from prometheus_client import Counter

MINUTE = 60_000  # milliseconds

ACCEPTED, FAILED = "emails.accepted", "emails.failed"
# The series of history, each with its counter and the outcomes that it sums up.
SERIES = {
    "orders": (metrics.ORDERS, None),
    "events": (metrics.EVENTS, None),
    ACCEPTED: (metrics.ATTEMPTS, {"accepted"}),
    "emails.deferred": (metrics.ATTEMPTS, {"deferred", "refused"}),
    "emails.refused": (metrics.ATTEMPTS, {"refused"}),
    FAILED: (metrics.ATTEMPTS, {"rejected", "in_doubt", "expired", "abandoned"}),
    "webhooks.accepted": (metrics.PUSHES, {"accepted"}),
    "webhooks.deferred": (metrics.PUSHES, {"deferred"}),
    "webhooks.failed": (metrics.PUSHES, {"rejected", "unauthorized"}),
}
COUNTERS = {counter for counter, _ in SERIES.values()}
# Of delays, a series for each bucket, by its upper bound in seconds.
DELAYS = {f"delay.{bound:g}": float(bound) for bound in metrics.DELAYS} | {"delay.more": float("inf")}
PROMPT = {Priority.INSTANT.lower(), Priority.NORMAL.lower()}  # of whom delays are kept: bulk is slow by intention


def sample() -> dict[str, int]:
    """This process's own counts since its start, by series."""
    counted = {counter: _counted(counter) for counter in COUNTERS}
    return {
        name: sum(count for outcome, count in counted[counter].items() if outcomes is None or outcome in outcomes)
        for name, (counter, outcomes) in SERIES.items()
    } | _delays()


def _delays() -> dict[str, int]:
    """How many e-mails were sent with which delay, by bucket."""
    up_to = dict.fromkeys(DELAYS.values(), 0)
    for family in metrics.DUE_LAG.collect():
        for sample in family.samples:
            if sample.name.endswith("_bucket") and sample.labels["priority"] in PROMPT:
                up_to[float(sample.labels["le"])] += int(sample.value)
    below = (0, *up_to.values())
    return {name: up_to[bound] - less for (name, bound), less in zip(DELAYS.items(), below, strict=False)}


def _counted(counter: Counter) -> dict[str, int]:
    """What a counter has counted, by outcome; "" where it has none."""
    samples = (sample for family in counter.collect() for sample in family.samples)
    return {sample.labels.get("outcome", ""): int(sample.value) for sample in samples if sample.name.endswith("_total")}


def begun(span: int) -> ColumnElement[datetime]:
    """When the present span of so many milliseconds began, by the database's clock."""
    now = type_coerce(Now(), BigInteger)
    return type_coerce(now - now % span, Instant)


def add(connection: Connection, earlier: dict[str, int], later: dict[str, int]) -> None:
    """Add to this minute what was counted between two samples."""
    news = {name: count - earlier[name] for name, count in later.items() if count > earlier[name]}
    if not news:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for name, count in sorted(news.items()):  # sorted: two processes lock the rows in the same order
        added = insert(history).values(minute=begun(MINUTE), series=name, count=count)
        keys = [history.c.minute, history.c.series]
        more = {"count": history.c.count + added.excluded.count}
        connection.execute(added.on_conflict_do_update(index_elements=keys, set_=more))
