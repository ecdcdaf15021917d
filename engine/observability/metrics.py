"""The metrics, in Prometheus' terms; each explains its label values.

Nothing is counted twice: the process that did something counts it, in one place. Each process shows its own counts:
`web` at /metrics, `worker` and `scheduler` on VARSEL_METRICS_PORT. Or, with VARSEL_METRICS_DIR, the processes of one
machine write into that folder, and /metrics of its `web` shows their sum; then they have no port. Only `web` shows the
figures of the database and Redis: see engine/admin/exposition.py.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from engine.errors import Misconfigured
from engine.observability import scrapes
from engine.observability.metrics_folder import VARIABLE

if TYPE_CHECKING:
    from engine.settings import Settings

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)  # of latencies
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)

# web
ORDERS = Counter("varsel_orders", "Orders taken in over HTTP. Counted by web.")
EXCESS_ORDERS = Counter(
    "varsel_excess_orders",
    "Orders that exceeded a quota of their creator, by result: refused (429), or paced (due later). Counted by web.",
    ["result"],
)
for _result in ("refused", "paced"):
    EXCESS_ORDERS.labels(_result)  # begins with 0: a series that begins with 1 shows no increase
EVENTS = Counter("varsel_events", "Events taken in over HTTP, those that were there already included. Counted by web.")
REQUESTS = Counter(
    "varsel_requests",
    "HTTP answers, by status class (2xx, 4xx, 5xx) and by the part of the API: orders, events, subscriptions (and "
    "their deliveries), console, other. Counted by web.",
    ["part", "status"],
)
REQUEST_SECONDS = Histogram(
    "varsel_request_seconds",
    "From an HTTP request's head to the head of its answer, by the part of the API. Counted by web.",
    ["part"],
    buckets=SECONDS,
)
CUT_CONNECTIONS = Counter(
    "varsel_cut_connections",
    "Clients' connections that web ended, by reason: malformed (no HTTP), too_large (a head), too_slow (a head that "
    "does not end, nothing said, an answer not taken), full (as many as VARSEL_MAX_CONNECTIONS). Counted by web.",
    ["reason"],
)

# worker
ATTEMPTS = Counter(
    "varsel_attempts",
    "Delivery attempts by outcome: accepted (the relay took it over), deferred (comes again), refused (likewise, but "
    "about this installation or its sender), rejected (for good), in_doubt (the connection broke after the final "
    "dot), expired (48 hours), abandoned (no message can be made, or it ended its workers). Counted by worker.",
    ["outcome"],
)
SMTP_SECONDS = Histogram(
    "varsel_smtp_seconds",
    "How long an attempt took at the relay, by outcome; the wait for a free connection is not in it. Counted by "
    "worker.",
    ["outcome"],
    buckets=SECONDS,
)
RELAY_FAILURES = Counter(
    "varsel_relay_failures",
    "Connections to a relay that could not be had; each is an attempt deferred, or one that another relay takes over. "
    "Counted by worker.",
)
DELAYS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600, 10_800, 43_200, 172_800)  # seconds
DUE_LAG = Histogram(
    "varsel_due_lag_seconds",
    "From an e-mail's requested send time until a relay accepted it, by its order's priority: instant, normal, bulk, "
    "test. Not of orders that say when they expire. Counted by worker.",
    ["priority"],
    buckets=DELAYS,
)
PUSHES = Counter(
    "varsel_pushes",
    "Attempts to push an event by outcome: accepted (2xx, or made into an order), deferred (comes again), "
    "rejected (the last attempt, or never deliverable), unauthorized (the subscriber may not have it). Counted by "
    "worker.",
    ["outcome"],
)
for _outcome in ("accepted", "deferred", "rejected", "unauthorized"):
    PUSHES.labels(_outcome)  # begins with 0: a series that begins with 1 shows no increase
PUSH_SECONDS = Histogram(
    "varsel_push_seconds",
    "How long a subscriber's endpoint took to answer, or not to, by outcome. Counted by worker.",
    ["outcome"],
    buckets=SECONDS,
)

# more than one kind
GROUP_SIZE = Histogram(
    "varsel_group_size",
    "What shared one transaction: orders and events are requests (counted by web), emails and webhooks are outcomes "
    "(counted by worker).",
    ["group"],
    buckets=SIZES,
)
WAKES = Counter(
    "varsel_wakes",
    "Wake-ups: sent, or lost because Redis did not answer. Every kind of process counts its own.",
    ["result"],
)
BUILD = Gauge(
    "varsel_build_info", "1, with the version that runs here as a label.", ["version"], multiprocess_mode="livemax"
)
BUILD.labels(version("varsel")).set(1)


def counted() -> bytes:
    """The counts of this process as text; with VARSEL_METRICS_DIR, those of all processes of the machine."""
    registry = REGISTRY
    if VARIABLE in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry)


def serve(config: Settings) -> None:
    """Answer scrapes on VARSEL_METRICS_PORT, if it is set; Misconfigured when the port cannot be opened."""
    if config.metrics_port is None:
        return
    try:
        scrapes.serve(config, config.metrics_port)
    except OSError as error:
        raise not_had(config, error) from None


def not_had(config: Settings, error: OSError) -> Misconfigured:
    """What is wrong with VARSEL_METRICS_PORT or VARSEL_METRICS_HOST."""
    return Misconfigured(
        f"VARSEL_METRICS_PORT {config.metrics_port} on {config.metrics_host} cannot be used ({error}): each worker "
        "and scheduler of a machine needs its own, or VARSEL_METRICS_DIR in its place"
    )


def end() -> None:
    """Remove figures that are valid only while the process lives; its counts stay in the machine's sums."""
    if VARIABLE in os.environ:
        mark_process_dead(os.getpid())
