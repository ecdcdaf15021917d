"""A process's heartbeat: a row that says that it lives, how far its clock is off, and what troubles its relays.

Each beat carries the process's counts into history, in the same transaction.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from sqlalchemy import Connection, delete, func, select, update

from engine.db.dialects import Now
from engine.db.living import LIVES
from engine.db.tables import MILLISECOND, processes
from engine.errors import Unavailable
from engine.observability import history, sums
from engine.runtime.clock import steady
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from engine.db.store import Store
    from engine.models import RelayState, Slowed, Trouble

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds between two looks at the counts: new ones are written at once
SETTLED_AFTER = 3  # beats after a fault of the database: by then, outcomes that waited are written
BEAT_EVERY = 5  # looks without news after which a beat is due
CLOCK_BEATS_EVERY = 2  # likewise, of a scheduler: within seconds, somebody has to learn that none is left


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of a process: web, worker or scheduler; of a worker, its relays and where mail goes slowly.

    `peers` is told how many processes of the kind live, and how many of them stand before this one. `settings`: what
    the process was started with, without secrets. `beats_every`: looks without news after which a beat is due.
    """

    name: str
    relay: str | None = None
    trouble: Callable[[], Trouble | None] = lambda: None
    slowed: Callable[[], Sequence[Slowed]] = tuple
    relays: Callable[[], Sequence[RelayState]] = tuple
    peers: Callable[[int, int], None] = lambda _, __: None
    settings: Mapping[str, str] = field(default_factory=dict)
    beats_every: int = BEAT_EVERY


class Memory(Protocol):
    """What is known of the database's age, which each beat compares: see engine/queue/epoch.py."""

    def recall(self) -> Mapping[UUID, datetime] | None:
        """What was remembered before; None: unknown at the moment."""

    def look(self, connection: Connection, remembered: Mapping[UUID, datetime]) -> tuple[UUID, datetime]:
        """Compare the database with it; returns the mark to remember."""

    def keep(self, name: UUID, mark: datetime) -> None:
        """Remember a mark that is committed."""


class Heartbeat:
    """Beats in a thread of its own from `start` to `stop`.

    `memory`: what is known of the database's age, which each beat compares; None: nothing.
    """

    def __init__(self, store: Store, kind: Kind, memory: Memory | None = None) -> None:
        self._store = store
        self._kind = kind
        self._memory = memory
        self._doubts = 1  # beats that are wanted until `settled`
        self._id = uuid4()
        self._written = history.sample()
        self._shown: Trouble | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; the first beat is written at once."""
        self._thread.start()

    def stop(self) -> None:
        """Write the last counts, and remove the process's row."""
        self._ended.set()
        self._thread.join()

    def settled(self) -> bool:
        """Whether work may be claimed: the database is not older than it was, and its last fault is over."""
        return not self._doubts

    def doubt(self) -> None:
        """The database did not answer. When it does, it may be another one, and others must write outcomes first."""
        self._doubts = SETTLED_AFTER

    def _run(self) -> None:
        silent = self._kind.beats_every
        while not self._ended.wait(LOOK_EVERY if silent else 0):
            silent += 1
            counts, trouble = history.sample(), self._kind.trouble()
            if counts != self._written or trouble != self._shown or silent > self._kind.beats_every or self._doubts:
                silent = self._beat(counts, trouble)
        self._beat(history.sample(), None, last=True)

    def _beat(self, counts: dict[str, int], trouble: Trouble | None, *, last: bool = False) -> int:
        remembered = self._memory.recall() if self._memory else {}
        mark, ended = None, sums.SUMS.take()
        try:
            with self._store.write() as connection:
                if last:
                    connection.execute(delete(processes).where(processes.c.id == self._id))
                else:
                    self._write_process(connection, trouble)
                    if self._memory and remembered is not None:
                        mark = self._memory.look(connection, remembered)
                sums.add(connection, *ended)
                history.add(connection, self._written, counts)  # the last: all processes lock the same rows
        except Unavailable:
            self._keep(ended)
            log.debug("the database does not answer; the counts are written when it does")
            return BEAT_EVERY  # the next look tries again; until then /readyz says that nothing can be written
        except Exception:  # the thread must outlive a bug: without it, nothing is claimed, and nothing says why
            self._keep(ended)
            log.exception("the heartbeat could not be written")
            return BEAT_EVERY
        self._written, self._shown = counts, trouble
        if self._memory and mark:
            self._memory.keep(*mark)
        if remembered is not None:
            self._doubts = max(0, self._doubts - 1)
        return 1

    def _keep(self, ended: tuple[Mapping[sums.Ending, int], Mapping[str, str]]) -> None:
        """The beat could not be written; what it carried is carried by the next."""
        self.doubt()
        sums.SUMS.put_back(*ended)

    def _write_process(self, connection: Connection, trouble: Trouble | None) -> None:
        clock = self._store.clock
        seen = {
            "seen": Now(),
            "skew_ms": clock.skew() // MILLISECOND,
            "relay": (trouble and trouble.relay) or self._kind.relay,
            "trouble": trouble.text if trouble else None,
            "trouble_since": clock.at(trouble.since) if trouble else None,
            "slowed": self._told(self._kind.slowed()),
            "relays": self._told(self._kind.relays()),
        }
        asked = steady()
        mine = update(processes).where(processes.c.id == self._id).values(seen).returning(processes.c.seen)
        if told := connection.scalar(mine):
            clock.tell(told, asked)
        else:
            self._begin_process(connection, seen)
        alive = (processes.c.kind == self._kind.name, LIVES)
        before = func.count().filter(processes.c.id < self._id)
        self._kind.peers(*connection.execute(select(func.count(), before).where(*alive)).one())

    def _told(self, found: Sequence[Slowed] | Sequence[RelayState]) -> str | None:
        """What a worker tells of relays and domains, as JSON; None: nothing."""
        each = [asdict(one) | {"since": one.since and rfc3339(self._store.clock.at(one.since))} for one in found]
        return json.dumps(each, ensure_ascii=False) if each else None

    def _begin_process(self, connection: Connection, seen: dict[str, object]) -> None:
        who = {"id": self._id, "kind": self._kind.name, "host": socket.gethostname(), "pid": os.getpid()}
        what = {"version": version("varsel"), "started": Now(), "settings": json.dumps(self._kind.settings)}
        connection.execute(processes.insert().values(who | what | seen))
