"""A process's sign of life, its clock's skew, and what it did, written into the database for operators.

The counts are those of /metrics, minute by minute: so both tell the same, and history survives a restart. A process
that is killed takes the last second's counts along; nothing but plots depends on them.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import BigInteger, Connection, delete, type_coerce, update
from sqlalchemy.dialects import postgresql, sqlite

from engine import metrics
from engine.clock import steady
from engine.epoch import look
from engine.errors import Unavailable
from engine.store import Now
from engine.tables import MILLISECOND, Instant, history, processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Counter

    from engine.epoch import Memory
    from engine.smtp import Trouble
    from engine.store import Store

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds between two looks at the counts: what is new is written at once
SETTLED_AFTER = 3  # beats after a fault of the database: who had outcomes to write has written them by then
BEAT_EVERY = 5  # looks without news after which the sign of life is due
MINUTE = 60_000  # milliseconds

# What history is kept of: the series, and the counter with its outcomes that add up to it.
SERIES = {
    "orders": (metrics.ORDERS, None),
    "events": (metrics.EVENTS, None),
    "emails.accepted": (metrics.ATTEMPTS, {"accepted"}),
    "emails.deferred": (metrics.ATTEMPTS, {"deferred", "refused"}),
    "emails.refused": (metrics.ATTEMPTS, {"refused"}),
    "emails.failed": (metrics.ATTEMPTS, {"rejected", "in_doubt", "expired", "abandoned"}),
    "webhooks.accepted": (metrics.PUSHES, {"accepted"}),
    "webhooks.deferred": (metrics.PUSHES, {"deferred"}),
    "webhooks.failed": (metrics.PUSHES, {"rejected", "unauthorized"}),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What a process is: web, worker or scheduler; of a worker, its relay and how that is."""

    name: str
    relay: str | None = None
    trouble: Callable[[], Trouble | None] = lambda: None


class Pulse:
    """Beats in a thread of its own from `start` to `stop`.

    `memory`: what is known of the database's age, which each beat compares; None: nothing is.
    """

    def __init__(self, store: Store, kind: Kind, memory: Memory | None = None) -> None:
        self._store = store
        self._kind = kind
        self._memory = memory
        self._doubts = 1  # beats that are wanted until `settled`
        self._id = uuid4()
        self._written = _counts()
        self._shown: Trouble | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin; the first beat is written at once."""
        self._thread.start()

    def stop(self) -> None:
        """Write the last counts, and take the sign of life back."""
        self._ended.set()
        self._thread.join()

    def settled(self) -> bool:
        """Whether work may be claimed: the database is as new as it was, and a fault of its is over."""
        return not self._doubts

    def doubt(self) -> None:
        """The database did not answer: when it does, it may be another, and others have outcomes to write first."""
        self._doubts = SETTLED_AFTER

    def _run(self) -> None:
        silent = BEAT_EVERY
        while not self._ended.wait(LOOK_EVERY if silent else 0):
            silent += 1
            counts, trouble = _counts(), self._kind.trouble()
            if counts != self._written or trouble != self._shown or silent > BEAT_EVERY or self._doubts:
                silent = self._beat(counts, trouble)
        self._beat(_counts(), None, last=True)

    def _beat(self, counts: dict[str, int], trouble: Trouble | None, *, last: bool = False) -> int:
        news = {name: count - self._written[name] for name, count in counts.items() if count > self._written[name]}
        remembered = self._memory.recall() if self._memory else {}
        mark = None
        try:
            with self._store.write() as connection:
                _add(connection, news)
                if last:
                    connection.execute(delete(processes).where(processes.c.id == self._id))
                else:
                    self._sign(connection, trouble)
                    if self._memory and remembered is not None:
                        mark = look(connection, remembered)
        except Unavailable:
            self.doubt()
            log.debug("the database does not answer; the counts are written when it does")
            return BEAT_EVERY  # the next look tries again: until then /readyz says that nothing can be written
        except Exception:  # the thread must outlive a bug: nobody would claim any more, or say why
            self.doubt()
            log.exception("the sign of life could not be written")
            return BEAT_EVERY
        self._written, self._shown = counts, trouble
        if self._memory and mark:
            self._memory.keep(*mark)
        if remembered is not None:
            self._doubts = max(0, self._doubts - 1)
        return 1

    def _sign(self, connection: Connection, trouble: Trouble | None) -> None:
        clock = self._store.clock
        seen = {
            "seen": Now(),
            "skew_ms": clock.skew() // MILLISECOND,
            "trouble": trouble.text if trouble else None,
            "trouble_since": clock.at(trouble.since) if trouble else None,
        }
        asked = steady()
        mine = update(processes).where(processes.c.id == self._id).values(seen).returning(processes.c.seen)
        if told := connection.scalar(mine):
            clock.tell(told, asked)
            return
        who = {"id": self._id, "kind": self._kind.name, "host": socket.gethostname(), "pid": os.getpid()}
        what = {"version": version("varsel"), "started": Now(), "relay": self._kind.relay}
        connection.execute(processes.insert().values(who | what | seen))


def _counts() -> dict[str, int]:
    """This process's own counts since it began."""
    return {name: _count(counter, outcomes) for name, (counter, outcomes) in SERIES.items()}


def _count(counter: Counter, outcomes: set[str] | None) -> int:
    samples = [sample for family in counter.collect() for sample in family.samples if sample.name.endswith("_total")]
    return int(sum(sample.value for sample in samples if outcomes is None or sample.labels["outcome"] in outcomes))


def _add(connection: Connection, news: dict[str, int]) -> None:
    if not news:
        return
    now = type_coerce(Now(), BigInteger)
    minute = type_coerce(now - now % MINUTE, Instant)
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for name, count in sorted(news.items()):  # sorted: two processes lock the rows in the same order
        added = insert(history).values(minute=minute, series=name, count=count)
        keys = [history.c.minute, history.c.series]
        more = {"count": history.c.count + added.excluded.count}
        connection.execute(added.on_conflict_do_update(index_elements=keys, set_=more))
