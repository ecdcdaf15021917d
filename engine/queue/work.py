"""What a lane supplies to the runner: what it claims, how a row is performed, and how outcomes are recorded."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.queue.due import HandedBack, R

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection

    from engine.queue.due import Claimed, Lane
    from engine.queue.leases import Leases

O = TypeVar("O")  # noqa: E741  an outcome

NOW = timedelta(0)
GATHER = timedelta(milliseconds=50)
FULL = 100  # outcomes that are recorded without waiting for `record_every`: others write meanwhile
UNRECORDED = 4 * FULL  # rows in hand, above which none are claimed even if most wait only to be recorded


@dataclass(frozen=True, slots=True)
class Claim(Generic[R]):
    """What a claim took, and whether more may be due than it could take."""

    rows: Sequence[R] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Standstill:
    """Nothing in the lane can be performed: how long until its rows are due and until this process claims again."""

    rows: timedelta
    process: timedelta


class Hand(Generic[R, O]):
    """The rows that a runner has in hand, as its work sees them."""

    def __init__(self, leases: Leases[R]) -> None:
        self._leases = leases
        self.waiting: deque[R] = deque()
        self.outcomes: list[tuple[R, O]] = []
        self.ended: list[R] = []  # rows whose last outcome is noted, or that have none
        self.handed_back: list[HandedBack[R]] = []
        self.begun: dict[object, R] = {}  # by the task that performs it
        self.withdrawn = False
        self.changed = asyncio.Event()  # set: the next turn is wanted now
        self.stopping = asyncio.Event()  # set: begin nothing more
        self._low_water = 0  # rows that wait, at which the next turn is wanted for a claim

    @property
    def is_empty(self) -> bool:
        """Whether every claimed row is released."""
        return not self._leases

    def has_room(self, batch: int) -> bool:
        """Whether half a batch waits at most, and records keep up with what is performed."""
        self._low_water = batch // 2
        return len(self.waiting) <= self._low_water and len(self._leases) <= UNRECORDED

    async def change(self, within: timedelta) -> None:
        """Wait until the next turn is wanted."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self.changed.wait()

    def next(self, fits: Callable[[R], bool] | None = None, resumed: R | None = None) -> R | None:
        """The row that was put off, or else that has waited longest, of those that fit.

        None if none waits or nothing may begin any more.
        """
        if self.stopping.is_set():
            return None
        row = resumed or next((each for each in self.waiting if fits is None or fits(each)), None)
        if row is None:
            return None
        if row is not resumed:
            self.waiting.remove(row)
            if len(self.waiting) == self._low_water:
                self.changed.set()
        self.begun[asyncio.current_task()] = row
        return row

    def put_back(self, row: R) -> None:
        """Let a row wait again that was not worked on."""
        self.waiting.appendleft(row)
        self._finish(row)

    def put_off(self, row: R) -> None:
        """Keep a row that cannot be performed yet; it goes on by `next`, or is handed back."""
        self._finish(row)

    def ours(self, row: R) -> bool:
        """Whether the row is still leased by this worker; asked directly before a step that cannot be undone."""
        return self._leases.ours(row)

    def note(self, row: R, outcome: O) -> None:
        """Note an outcome to record; the row may have further ones."""
        self.outcomes.append((row, outcome))
        if len(self.outcomes) == FULL:
            self.changed.set()

    def end(self, row: R, outcome: O | None = None) -> None:
        """Finish a row, with its last outcome if there is one to record."""
        if outcome is not None:
            self.note(row, outcome)
        self.ended.append(row)
        self._finish(row)

    def hand_back(
        self, row: R, delay: timedelta = NOW, *, waits_for: str | None = None, behind: timedelta = NOW
    ) -> None:
        """Return a row that was not worked on: it is due again after `delay`, or at its turn behind others."""
        self.handed_back.append(HandedBack(row, delay, waits_for, behind))
        self._finish(row)

    def _finish(self, row: R) -> None:
        task = asyncio.current_task()
        if self.begun.get(task) is row:
            del self.begun[task]

    def withdraw(self, row: R) -> None:
        """Skip a row that must not be performed now: perhaps since its lease has ended, and another worker has it."""
        self.withdrawn |= not self.ours(row)
        self.hand_back(row)


class Work(ABC, Generic[R, O]):
    """What a lane supplies; the defaults suit most lanes."""

    lane: Lane[Claimed]
    at_once = 1  # rows performed side by side
    gather = GATHER  # between two claims, unless more is due: larger batches cost less per row
    turn_every = timedelta(milliseconds=100)  # the longest turn while rows are performed
    record_every = timedelta(milliseconds=100)  # a crash can repeat what was performed within this time
    isolates = True  # whether suspects are worked on alone
    calls_others = True  # whether a claim that leaves due rows wakes other workers
    claims_meanwhile = False  # whether `claim` and `record` may run side by side

    @abstractmethod
    def claim(self, connection: Connection, lease: timedelta) -> Claim[R]:
        """Take due rows and admit them: rows that are paused, or exceed a limit, are left out."""

    def has_room(self, hand: Hand[R, O]) -> bool:
        """Whether more rows may be claimed beside those in hand."""
        return hand.is_empty

    def taken(self, rows: Sequence[R]) -> None:
        """Called with rows that were just claimed."""

    def decided(self, _row: R) -> O | None:
        """The outcome of a row that need not be performed; None if it must be."""
        return None

    async def turn(self, hand: Hand[R, O]) -> None:
        """Called in each turn of the loop, before rows are started."""

    async def serve(self, hand: Hand[R, O]) -> None:
        """Perform rows while some wait; up to `at_once` of these calls run side by side.

        A call that returns while rows wait says that nothing can be performed now, unless `stands_still` knows better.
        """
        while (row := hand.next()) is not None:
            await self.perform(hand, row)

    async def perform(self, hand: Hand[R, O], row: R) -> None:
        """Work on a row, and tell the hand its outcome."""
        raise NotImplementedError

    def stands_still(self, hand: Hand[R, O]) -> bool:
        """Asked when a call of `serve` returns: whether nothing can be performed now."""
        return bool(hand.waiting)

    def standstill(self) -> Standstill:
        """How long nothing can be performed."""
        return Standstill(NOW, NOW)

    def groups(self, outcomes: Sequence[tuple[R, O]]) -> Iterable[Sequence[tuple[R, O]]]:
        """Outcomes, grouped by the transaction that records them."""
        return (outcomes,)

    @abstractmethod
    def record(self, connection: Connection, outcomes: Sequence[O]) -> bool:
        """Write outcomes of rows that this worker still leases; returns whether the lane has due work now.

        This may run twice, because the answer to a commit can be lost. The second time must change nothing.
        """

    def insists(self, _outcome: O) -> bool:
        """Whether recording is tried for ever, because repeating the row would do harm."""
        return False

    @abstractmethod
    def broken(self, row: R, outcome: O, error: Exception) -> O:
        """The substitute for an outcome that a bug keeps from being recorded."""

    def recorded(self, outcomes: Sequence[O]) -> None:
        """Called when outcomes are recorded."""

    def released(self, rows: Sequence[R]) -> None:
        """Called when rows are no longer in hand."""
