"""What /metrics shows beside the processes' own counts: the lanes, and whether the database and Redis answer.

Every web process shows the same figures: over several, take the `max by (lane, state)`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import redis
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from engine.admin import pausing
from engine.admin.lanes import lanes
from engine.admin.overview import unusual_failures
from engine.admin.relays import UP, relays
from engine.admin.slowness import slowness
from engine.admin.watching import watched
from engine.db.store import ping
from engine.errors import Unavailable
from engine.observability import metrics
from engine.queue import due, lateness
from engine.queue.redis_client import prove
from engine.queue.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from prometheus_client import Metric

    from engine.admin.lanes import LaneFigures
    from engine.admin.relays import RelayFigures
    from engine.admin.slowness import Slowness
    from engine.admin.unusual import Unusual
    from engine.admin.watching import Watched
    from engine.db.store import Store

STATES = ("waiting", "due", "in_flight", "retrying", "held", "dead")
LISTS = {
    "wakes": "dramatiq:varsel",  # as Dramatiq names the queue of engine/queue/broker.py
    "spool": Spool.ENTRIES,
    "broken": Spool.BROKEN,
}
_SAME = " The same from every web process: max by (lane)."


def exposition(store: Store, client: redis.Redis) -> bytes:
    """Everything as text. Waits for the database and Redis, either of which may be away."""
    parts = CollectorRegistry()
    parts.register(Parts(store, client))
    return generate_latest(parts) + metrics.counted()


class Parts(Collector):
    """What the database and Redis say now; asked at each scrape."""

    def __init__(self, store: Store, client: redis.Redis) -> None:
        self._store = store
        self._client = client

    def collect(self) -> Iterable[Metric]:
        found: Sequence[LaneFigures] = ()
        slow: Sequence[Slowness] = ()
        lengths: dict[str, int] = {}
        stalled: Mapping[str, timedelta] | None = None
        seen: Watched | None = None
        unending: timedelta | None = None
        usable: Sequence[RelayFigures] = ()
        unusual: Unusual | None = None
        database_took = redis_took = None
        with suppress(Unavailable), self._store.read() as connection:
            database_took = _timed(lambda: ping(connection))
            found = lanes(connection)
            slow = slowness(connection)
            stalled = lateness.stalled(connection, [lane.name for lane in found if lane.is_worked_on])
            seen = watched(connection)
            unending = pausing.unending(connection)
            usable = relays(connection, slow)
            unusual = unusual_failures(connection)
        with suppress(redis.RedisError, OSError):
            lengths = {name: int(self._client.llen(key)) for name, key in LISTS.items()}  # also when it is full
            redis_took = _timed(lambda: prove(self._client))
        return [
            *_answers("database", database_took),
            *_lanes(found),
            _stalled(stalled),
            *_paces(slow),
            *_watched(seen),
            _unending(unending),
            *_deliveries(usable, unusual, known=database_took is not None),
            *_answers("redis", redis_took),
            _lists(lengths),
        ]


def _timed(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def _answers(name: str, took: float | None) -> Iterable[Metric]:
    """Whether a part answers, and how fast (seconds); without an answer there is no time."""
    up = GaugeMetricFamily(f"varsel_{name}_up", f"1: {name} answers this web process; 0: it does not.")
    up.add_metric([], took is not None)
    ping_seconds = GaugeMetricFamily(f"varsel_{name}_ping_seconds", f"How long {name} took to answer this web process.")
    if took is not None:
        ping_seconds.add_metric([], took)
    return up, ping_seconds


def _lanes(found: Sequence[LaneFigures]) -> Iterable[Metric]:
    depth = GaugeMetricFamily(
        "varsel_depth",
        "Rows of a lane by state: waiting (for their time), due, in_flight (claimed; of webhooks, subscriptions), "
        "retrying (of those that wait: tried before), held (by a pause), dead (given up). Where many wait, some are "
        "those that the scheduler has counted last." + _SAME,
        labels=["lane", "state"],
    )
    due_now = GaugeMetricFamily(
        "varsel_due", "Rows due now; of many, as the scheduler has counted them." + _SAME, labels=["lane"]
    )
    oldest = GaugeMetricFamily(
        "varsel_oldest_due_seconds", "For how long the oldest due row has waited." + _SAME, labels=["lane"]
    )
    paused = GaugeMetricFamily(
        "varsel_lane_paused", "1: the lane is paused by an operator; 0: it is not." + _SAME, labels=["lane"]
    )
    for lane in found:
        for state in STATES:
            depth.add_metric([lane.name, state], getattr(lane, state))
        due_now.add_metric([lane.name], lane.due)
        oldest.add_metric([lane.name], lane.oldest_due_seconds)
        paused.add_metric([lane.name], lane.paused_reason is not None)
    return depth, due_now, oldest, paused


def _stalled(stalled: Mapping[str, timedelta] | None) -> Metric:
    seconds = GaugeMetricFamily(
        "varsel_stalled_seconds",
        "For how long something of a lane has been due while no worker has a lease on it; 0: it moves or is paused."
        + _SAME,
        labels=["lane"],
    )
    for lane in due.LANES if stalled is not None else ():
        seconds.add_metric([lane.name], (stalled or {}).get(lane.name, timedelta(0)).total_seconds())
    return seconds


def _paces(slow: Sequence[Slowness]) -> Iterable[Metric]:
    """Domains only as a number: a domain can be a person's, and there are many."""
    number = GaugeMetricFamily(
        "varsel_slowed",
        "Relays and recipients' domains (kind) to which e-mails go slowly, by a limit or because they asked for it. "
        "The same from every web process: max by (kind).",
        labels=["kind"],
    )
    relays = GaugeMetricFamily(
        "varsel_relay_pace",
        "E-mails a second that all workers together give a relay, while that is limited. "
        "The same from every web process: max by (relay).",
        labels=["relay"],
    )
    for kind in ("relay", "domain"):
        number.add_metric([kind], sum(each.kind == kind for each in slow))
    for each in slow:
        if each.kind == "relay" and each.rate is not None:
            relays.add_metric([each.name], each.rate)
    return number, relays


def _watched(seen: Watched | None) -> Iterable[Metric]:
    subscriptions = GaugeMetricFamily(
        "varsel_subscriptions",
        "Subscriptions by state: failing (nothing is pushed for a while, since the endpoint kept failing or asked for "
        "time), paused. The same from every web process: max by (state).",
        labels=["state"],
    )
    undelivered = GaugeMetricFamily(
        "varsel_oldest_undelivered_seconds",
        "For how long the oldest e-mail or webhook has been on its way, tried before or not; 0: there is none." + _SAME,
        labels=["lane"],
    )
    if seen:
        for state, number in seen.subscriptions.items():
            subscriptions.add_metric([state], number)
        for lane, since in seen.undelivered.items():
            undelivered.add_metric([lane], since.total_seconds())
    return subscriptions, undelivered


def _unending(unending: timedelta | None) -> Metric:
    seconds = GaugeMetricFamily(
        "varsel_unending_pause_seconds",
        "For how long the oldest pause that ends only when somebody resumes it has been there; 0: there is none. "
        "The same from every web process.",
    )
    if unending is not None:
        seconds.add_metric([], unending.total_seconds())
    return seconds


def _deliveries(usable: Sequence[RelayFigures], unusual: Unusual | None, *, known: bool) -> Iterable[Metric]:
    """Without the database nothing is known."""
    up = GaugeMetricFamily(
        "varsel_relay_up",
        "1: workers can use the relay; 0: it gives no session, or refuses this installation or its sender. "
        "The same from every web process: min by (relay).",
        labels=["relay"],
    )
    for relay in usable:
        up.add_metric([relay.name], relay.state == UP)
    failing = GaugeMetricFamily(
        "varsel_unusual_failures",
        "E-mails that failed in the last ten minutes, if that is an unusual part of those that ended; 0: it is not. "
        "The same from every web process: take the max.",
    )
    if known:
        failing.add_metric([], unusual.failed if unusual else 0)
    return up, failing


def _lists(lengths: dict[str, int]) -> Metric:
    entries = GaugeMetricFamily(
        "varsel_redis_entries",
        "Entries of a list in Redis: wakes (wake-ups that no worker has taken), spool (events that came in while the "
        "database was away), broken (of those, what cannot be stored). The same from every web process.",
        labels=["list"],
    )
    for name, length in lengths.items():
        entries.add_metric([name], length)
    return entries
