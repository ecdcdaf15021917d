"""What a lane supplies to the runner: what it claims, how a row is performed, and how outcomes are recorded."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.queue.due import R

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from engine.queue.due import Claimed, Lane
    from engine.queue.leases import Leases

O = TypeVar("O")  # noqa: E741  an outcome

NOW = timedelta(0)
FULL = 200  # outcomes that are recorded at once, whenever others were


@dataclass(frozen=True, slots=True)
class Claim(Generic[R]):
    """What a claim took, and whether more may be due than it could take."""

    rows: Sequence[R] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class Standstill:
    """Nothing of the lane can be performed: when its rows are due again, and when this process claims again."""

    rows: timedelta
    process: timedelta


class Hand(Generic[R, O]):
    """The rows that a runner has in hand, as its work sees them."""

    def __init__(self, leases: Leases[R]) -> None:
        self._leases = leases
        self.waiting: deque[R] = deque()
        self.outcomes: list[tuple[R, O]] = []
        self.ended: list[R] = []  # whose last outcome is noted, or that have none
        self.given_back: list[tuple[R, timedelta]] = []
        self.begun: dict[object, R] = {}  # by who performs it
        self.withdrawn = False
        self.changed = asyncio.Event()  # set: the next turn is wanted now
        self.stopping = asyncio.Event()  # set: begin nothing more

    def next(self) -> R | None:
        """The row that has waited longest; None: none waits, or nothing may begin any more."""
        if not self.waiting or self.stopping.is_set():
            return None
        row = self.begun[asyncio.current_task()] = self.waiting.popleft()
        return row

    def ours(self, row: R) -> bool:
        """Whether the row may still be worked on; asked directly before what cannot be taken back."""
        return self._leases.ours(row)

    def note(self, row: R, outcome: O) -> None:
        """An outcome to record; further ones of the row may follow."""
        self.outcomes.append((row, outcome))
        if len(self.outcomes) >= FULL:
            self.changed.set()

    def end(self, row: R, outcome: O | None = None) -> None:
        """The row's last outcome; without one, there is nothing to record."""
        if outcome is not None:
            self.note(row, outcome)
        self.ended.append(row)
        self._finish(row)

    def give_back(self, row: R, delay: timedelta = NOW) -> None:
        """The row was not worked on: it is due again after `delay`."""
        self.given_back.append((row, delay))
        self._finish(row)

    def _finish(self, row: R) -> None:
        task = asyncio.current_task()
        if self.begun.get(task) is row:
            del self.begun[task]

    def withdraw(self, row: R) -> None:
        """The row was not worked on, since its lease had ended: another worker may have it."""
        self.withdrawn = True
        self.give_back(row)


class Work(ABC, Generic[R, O]):
    """What a lane supplies. What has a value or a body is what most lanes need."""

    lane: Lane[Claimed]
    at_once = 1  # rows that are performed side by side
    gather = timedelta(milliseconds=50)  # between two claims, unless there is more: larger batches cost less per row
    turn_every = timedelta(milliseconds=100)  # the longest turn while rows are performed
    record_every = timedelta(milliseconds=100)  # what a crash can repeat is what was recorded no later than this
    isolates = True  # whether a row that may be what kills workers is worked on alone
    insists = False  # whether what cannot be recorded is tried for ever: where a repeat of the row does harm
    calls_others = True  # whether a claim that leaves more calls other workers in

    @abstractmethod
    def claim(self, connection: Connection, lease: timedelta) -> Claim[R]:
        """Take due rows and admit them: what is paused, or beyond a limit, is not among them."""

    def has_room(self, leased: int) -> bool:
        """Whether more may be claimed beside so many rows."""
        return not leased

    def taken(self, rows: Sequence[R]) -> None:
        """Rows are in hand."""

    def decided(self, _row: R) -> O | None:
        """The outcome of a row that need not be performed; None: it must."""
        return None

    async def turn(self, hand: Hand[R, O]) -> None:
        """What is to be done in each turn of the loop."""

    async def serve(self, hand: Hand[R, O]) -> None:
        """Perform rows while some wait; up to `at_once` of these run side by side.

        One that returns while rows wait says that nothing can be performed now: see `standstill`.
        """
        while (row := hand.next()) is not None:
            await self.perform(hand, row)

    async def perform(self, hand: Hand[R, O], row: R) -> None:
        """Work on a row, and tell the hand what became of it."""
        raise NotImplementedError

    def standstill(self) -> Standstill:
        """For how long nothing can be performed."""
        return Standstill(NOW, NOW)

    def groups(self, outcomes: Sequence[tuple[R, O]]) -> Iterable[Sequence[tuple[R, O]]]:
        """Outcomes by the transactions in which they are recorded."""
        return (outcomes,)

    @abstractmethod
    def record(self, connection: Connection, outcomes: Sequence[O]) -> bool:
        """Write outcomes, of rows that are still ours; returns whether the lane has due work now.

        A commit may be done and its answer be lost, so this runs twice: the second time it has to do nothing.
        """

    @abstractmethod
    def broken(self, row: R, outcome: O, error: Exception) -> O:
        """What is recorded instead of an outcome that an error of ours keeps from being recorded."""

    def recorded(self, outcomes: Sequence[O]) -> None:
        """Outcomes are recorded."""

    def released(self, rows: Sequence[R]) -> None:
        """Rows are in hand no longer."""
