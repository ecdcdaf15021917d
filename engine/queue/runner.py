"""The one loop of due work: claim, admit, isolate, perform, record, release.

A lane supplies a `Work`. It claims and admits rows in one transaction, performs each row and tells the hand the
outcome, and records outcomes in one transaction. The runner does what all lanes have in common: it works on a suspect
alone, extends leases until outcomes are recorded, keeps trying to record, hands back what has not begun, and stops.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Generic

from engine.db.store import RECORD_AGAIN
from engine.errors import Unavailable
from engine.queue import due
from engine.queue.due import HandedBack, R
from engine.queue.leases import Leases
from engine.queue.signals import Signals
from engine.queue.work import FULL, NOW, Hand, O

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from engine.db.store import Store
    from engine.queue.work import Work

log = logging.getLogger(__name__)

SOON = 0.02  # seconds that a turn may wait for its time to record
TRIES = 3  # at recording a substitute for an outcome; then the claim runs out
AGAIN = 1.0  # seconds until others are called again, or a database that did not answer while rows are in hand


class Runner(Generic[R, O]):
    """Runs one lane in a worker process. `run` returns when nothing is due and nothing is in hand."""

    def __init__(self, store: Store, work: Work[R, O], lease: timedelta, signals: Signals | None = None) -> None:
        self._store = store
        self._work = work
        self._lease = lease
        self._signals = signals or Signals()
        self._leases: Leases[R] = Leases(store, work.lane, lease)
        self._hand: Hand[R, O] = Hand(self._leases)
        self._suspect: R | None = None  # performed when nothing else is in hand
        self._alone = False  # a suspect is being performed, or was until now
        self._serving: set[asyncio.Task[None]] = set()
        self._recording: asyncio.Task[None] | None = None  # beside the loop
        self._wanted = False  # something may be due
        self._more = False  # more is due than could be taken
        self._stands_still = False
        self._claim_at = self._record_at = self._call_at = self._closed_until = 0.0  # on the monotonic clock
        self._running = False

    async def run(self) -> None:
        """Work until nothing is due. A call during a run makes that run look again."""
        self._wanted = True
        self._hand.changed.set()
        if self._running:
            return
        self._running = True
        try:
            while self._goes_on():  # more work may arrive while the leases' keeper ends
                async with self._leases.kept():
                    while self._goes_on():
                        await self._turn()
        finally:
            self._running = False

    def _goes_on(self) -> bool:
        in_hand = self._leases or self._serving or self._recording
        return bool(in_hand or (self._wanted and not self._hand.stopping.is_set()))

    def stop(self) -> None:
        """Begin nothing more: rows that wait are handed back, rows that are performed may end."""
        self._hand.stopping.set()
        self._hand.changed.set()

    async def _turn(self) -> None:
        self._hand.changed.clear()
        ailing = False
        try:
            if self._wanted and not self._hand.stopping.is_set():
                await self._claim()
            await self._work.turn(self._hand)
        except Unavailable as error:
            ailing = True
            self._signals.doubt()
            log.warning("lane %s waits until the clock wakes it: %s", self._work.lane.name, error.told())
        except Exception:  # rows in hand are still kept and recorded
            ailing, self._wanted = True, False
            log.exception("lane %s: a bug ended a claim", self._work.lane.name)
        self._hand_back()
        self._start()
        if self._serving:
            await self._hand.change(self._work.turn_every)
        await self._record_in_time()
        if ailing and self._leases:
            await asyncio.sleep(AGAIN)

    async def _claim(self) -> None:
        """Claim, admit, isolate."""
        if not await self._may_claim():
            return
        self._wanted = self._more = False
        await asyncio.to_thread(self._signals.seen)
        self._claim_at = time.monotonic() + self._work.gather.total_seconds()
        if self._hand.stopping.is_set() or not self._signals.settled():
            return  # the clock notifies again
        claim = await self._store.writing(self._work.claim, self._lease)
        rows, rest = due.isolate(claim.rows) if self._work.isolates else (claim.rows, ())
        if rest:
            await self._store.writing(due.hand_back, self._work.lane, rest)
            self._wanted = True
        self._more = claim.more
        if claim.more and (claim.rows or not self._leases):  # pauses may have stopped all claimed rows
            self._wanted, self._claim_at = True, 0.0
            if self._work.calls_others and time.monotonic() >= self._call_at:
                self._call_at = time.monotonic() + AGAIN
                self._signals.wake()
        self._take(rows)

    async def _may_claim(self) -> bool:
        """Whether there is room, and time enough for rows to gather; waits for that only while nothing is in hand."""
        self._alone = self._alone and bool(self._leases)
        if self._suspect or self._alone or not self._work.has_room(self._hand):
            self._wanted = bool(self._leases)  # without rows in hand there is room, unless a bug has lost track of it
            return False
        if time.monotonic() < self._closed_until:
            self._wanted = False
            return False
        if (early := self._claim_at - time.monotonic()) > 0:
            if self._leases:
                return False
            await asyncio.sleep(early)
        return True

    def _take(self, rows: Sequence[R]) -> None:
        self._stands_still = False
        self._leases.take(rows)
        self._work.taken(rows)
        for row in rows:
            if (outcome := self._work.decided(row)) is not None:
                self._hand.end(row, outcome)
            elif self._work.isolates and due.is_suspect(row):
                self._suspect = row
            else:
                self._hand.waiting.append(row)

    def _hand_back(self) -> None:
        """Hand back waiting rows: all if this process stops or nothing can be performed, else those waiting long."""
        hand, delay = self._hand, NOW
        if self._stands_still and hand.waiting and not self._serving and not hand.stopping.is_set():
            delay = (until := self._work.standstill()).rows
            self._closed_until = time.monotonic() + until.process.total_seconds()
        elif not hand.stopping.is_set():
            late = self._store.clock.now() + self._lease / 2
            while hand.waiting and hand.waiting[0].due_at < late:
                hand.hand_back(hand.waiting.popleft())
            return
        while hand.waiting:
            hand.hand_back(hand.waiting.popleft(), delay)
        if hand.stopping.is_set() and self._suspect and not self._serving:
            hand.hand_back(self._suspect)
            self._suspect = None

    def _start(self) -> None:
        """Serve waiting rows side by side; a suspect alone."""
        hand = self._hand
        unwritten = hand.outcomes or hand.ended or hand.handed_back or self._recording
        if self._suspect and not (self._serving or hand.waiting or unwritten):  # a crash would lose what is in memory
            hand.waiting.append(self._suspect)
            self._suspect, self._alone = None, True
        if self._stands_still:
            return
        for _ in range(min(len(hand.waiting), self._work.at_once - len(self._serving))):
            self._serving.add(asyncio.create_task(self._serve()))

    async def _serve(self) -> None:
        task, hand = asyncio.current_task(), self._hand
        try:
            await self._work.serve(hand)
            self._stands_still |= self._work.stands_still(hand)
        except Exception:
            log.exception("lane %s: a bug ended its work", self._work.lane.name)
            if lost := hand.begun.pop(task, None):
                self._release([lost])  # its claim runs out; the other rows go on
            else:
                self._stands_still |= bool(hand.waiting)
        finally:
            self._serving.discard(task)
            if not self._serving:
                hand.changed.set()

    async def _record_in_time(self) -> None:
        """Record at once when nothing is being performed, else in groups, and beside the loop if the work allows it."""
        if recording := self._recording:
            if self._serving and not recording.done():
                return
            self._recording = None
            await recording
        at_once = not (self._serving or self._hand.waiting) or len(self._hand.outcomes) >= FULL
        early = 0.0 if at_once else self._record_at - time.monotonic()
        if early > SOON:
            return
        await asyncio.sleep(max(0.0, early))
        self._record_at = time.monotonic() + self._work.record_every.total_seconds()
        if self._serving and self._work.claims_meanwhile:
            self._recording = asyncio.create_task(self._record_and_release())
            self._recording.add_done_callback(lambda _: self._hand.changed.set())
        else:
            await self._record_and_release()

    async def _record_and_release(self) -> None:
        hand, idle = self._hand, not self._serving and not self._hand.waiting
        handed_back, outcomes, ended = hand.handed_back, hand.outcomes, hand.ended
        hand.handed_back, hand.outcomes, hand.ended = [], [], []
        if hand.withdrawn:
            hand.withdrawn = False
            log.warning("lane %s: rows whose leases had ended were skipped", self._work.lane.name)
        groups: Sequence[Sequence[tuple[R, O]]] = [[each] for each in outcomes]
        with self._surviving("grouping outcomes"):
            groups = list(self._work.groups(outcomes)) if outcomes else []
        for group in groups:
            with self._surviving("a record"):
                await self._record(group)
        self._release(ended)
        with self._surviving("handing back"):
            await self._write_back(handed_back)
        self._release([each.row for each in handed_back])
        if idle and not (handed_back or outcomes or ended or self._suspect or self._serving or hand.waiting):
            self._release(self._leases.rows())  # a bug has lost track of them: their claims run out

    @contextmanager
    def _surviving(self, what: str) -> Iterator[None]:
        """Log a bug in the block, so that it costs no other row its outcome."""
        try:
            yield
        except Exception:
            log.exception("lane %s: a bug in %s", self._work.lane.name, what)

    def _release(self, gone: Sequence[R]) -> None:
        if not gone:
            return
        self._leases.let_go(gone)
        self._wanted |= self._more
        with self._surviving("a release"):
            self._work.released(gone)

    async def _write_back(self, handed_back: Sequence[HandedBack[R]]) -> None:
        """Hand rows back, each in its way. A row that another worker has claimed since stays with that worker."""
        self._leases.let_go(each.row for each in handed_back)
        if handed_back:
            await self._store.recording(due.hand_back_later, self._work.lane, handed_back)
        if any(each.delay == NOW for each in handed_back):
            self._signals.wake()

    async def _record(self, group: Sequence[tuple[R, O]]) -> None:
        """Write a group. If one outcome cannot be written, write the others, and a substitute for that one."""
        try:
            await self._write([outcome for _, outcome in group])
        except Exception as error:  # noqa: BLE001 a bug may raise anything
            if len(group) == 1:
                await self._insist(*group[0], error)
                return
            broken: list[tuple[R, O]] = []
            for row, outcome in group:  # later outcomes of the same row stay behind it
                behind = any((row.seq, row.claim) == (other.seq, other.claim) for other, _ in broken)
                if behind or not await self._is_written((row, outcome)):
                    broken.append((row, outcome))
            for each in broken:
                await self._record([each])

    async def _is_written(self, each: tuple[R, O]) -> bool:
        with suppress(Exception):
            await self._write([each[1]])
            return True
        return False

    async def _write(self, outcomes: Sequence[O]) -> None:
        more = await self._store.recording(self._work.record, outcomes)
        self._wanted |= more  # a wake-up may have set it meanwhile
        with self._surviving("what follows a record"):
            self._work.recorded(outcomes)

    async def _insist(self, row: R, outcome: O, error: Exception) -> None:
        """Write a substitute for an outcome that cannot be written: try a few times, or until it is written."""
        instead = self._work.broken(row, outcome, error)
        for _ in itertools.count() if self._work.insists(outcome) else range(TRIES):
            try:
                await self._write([instead])
            except Exception:
                log.exception("lane %s: the substitute for an outcome could not be recorded", self._work.lane.name)
                await asyncio.sleep(RECORD_AGAIN)
            else:
                return
