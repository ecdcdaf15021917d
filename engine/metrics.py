"""What operators watch, in Prometheus' terms; each metric says what its label values mean.

With VARSEL_METRICS_DIR, the processes of one machine write into that folder and any of them shows the sum.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from engine import due

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric
    from sqlalchemy import Connection

CONTENT_TYPE = CONTENT_TYPE_LATEST
DUE_COUNTED = 100_000  # due rows are counted up to here: a scrape must stay cheap

ORDERS = Counter("varsel_orders", "Orders taken in.")
EVENTS = Counter("varsel_events", "Events taken in, those that were there already included.")
PUSHES = Counter(
    "varsel_pushes",
    "Attempts to push an event by outcome: accepted (2xx, or made into an order), deferred (comes again), "
    "rejected (the last attempt, or never deliverable), unauthorized (the subscriber may not have it).",
    ["outcome"],
)
REQUESTS = Counter("varsel_requests", "HTTP answers, by status class (2xx, 4xx, 5xx).", ["status"])
ATTEMPTS = Counter(
    "varsel_attempts",
    "Delivery attempts by outcome: accepted (the relay took it over), deferred (comes again), rejected (for good), "
    "in_doubt (the connection broke after the final dot), expired (48 hours), abandoned (it ended its workers).",
    ["outcome"],
)
DUE_LAG = Histogram(
    "varsel_due_lag_seconds",
    "From an e-mail's requested send time to its settlement.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 172800),
)
WAKES = Counter("varsel_wakes", "Wake-ups rung (sent, or lost because Redis did not answer).", ["result"])


def exposition(connection: Connection) -> bytes:
    """Everything as text: the processes' counters, and the queues as the database has them now."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    queues = CollectorRegistry()
    queues.register(_Queues(connection))
    return generate_latest(queues) + generate_latest(registry)


class _Queues(Collector):
    """The lanes as the database has them now; asked at each scrape, kept by no process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def collect(self) -> Iterable[Metric]:
        waiting = GaugeMetricFamily("varsel_due", f"Rows due now, counted up to {DUE_COUNTED}.", labels=["lane"])
        oldest = GaugeMetricFamily(
            "varsel_oldest_due_seconds", "For how long the oldest due row has waited.", labels=["lane"]
        )
        for lane in due.LANES:
            waiting.add_metric([lane.name], due.due_count(self._connection, lane, DUE_COUNTED))
            until = due.next_due(self._connection, lane)
            oldest.add_metric([lane.name], max(0.0, -until.total_seconds()) if until is not None else 0.0)
        return waiting, oldest
