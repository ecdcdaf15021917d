"""Fair shares of a bounded number of slots: a party that uses many leaves some for newcomers."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self, TypeVar

from engine.errors import Overrun

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

R = TypeVar("R")

EAGERNESS = 2  # how many slots a party may use for each one that is free


class Shares:
    """Slots of several parties. A party may use EAGERNESS times as many slots as are free, and so never all of them.

    Alone it gets two thirds, two parties get two fifths each, and so on: nothing is reserved for absent parties, and a
    newcomer finds a free slot at once (the "dynamic threshold" of Choudhury and Hahne, 1998).

    `most`: how many of one party may have a slot or wait for one.
    """

    def __init__(self, total: int, most: int | None = None) -> None:
        self._total = total
        self._most = most
        self._used: Counter[str] = Counter()
        self._free = total
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def copy(self) -> Self:
        """A copy of what is used now, without those who wait: to try out what would fit."""
        twin = type(self)(self._total)
        twin._used, twin._free = self._used.copy(), self._free  # noqa: SLF001  # its own kind
        return twin

    @property
    def full(self) -> bool:
        """Whether no slot is free for anybody."""
        return self._free <= 0

    def fits(self, party: str, number: int = 1) -> bool:
        """Whether the party may use so many slots more."""
        return number <= self._free and self._used[party] + number <= EAGERNESS * self._free

    def room(self, party: str) -> int:
        """How many slots more the party may use, one after another; 0 or less: none."""
        return -((self._used[party] - EAGERNESS * self._free) // (EAGERNESS + 1))

    def take(self, party: str, number: int = 1) -> None:
        """Use slots; the caller has checked that they fit. Work that cannot be split may use more, if it is alone."""
        self._used[party] += number
        self._free -= number

    def give_back(self, party: str, number: int = 1) -> None:
        """End the use of slots; those who wait and fit now get them."""
        self._used[party] -= number
        if not self._used[party]:
            del self._used[party]
        self._free += number
        if self._waiting:
            self._grant()

    @asynccontextmanager
    async def slot(self, party: str) -> AsyncIterator[None]:
        """Use a slot for the block, as soon as the party may; of one party, those who wait are served in order."""
        await self.wait(party)
        try:
            yield
        finally:
            self.give_back(party)

    async def run(self, party: str, work: Callable[[], Awaitable[R]]) -> R:
        """Do something on a slot, as soon as the party may; Overrun when too many of it wait.

        A cancelled caller stops waiting. The act, once begun, goes on, and gives its slot back when it ends.
        """
        await self.wait(party)
        running = asyncio.ensure_future(work())
        running.add_done_callback(lambda _: self.give_back(party))
        return await asyncio.shield(running)

    async def wait(self, party: str) -> None:
        """Take a slot as soon as the party may, and the caller gives it back; Overrun when too many of it wait."""
        if party not in self._waiting and self.fits(party):
            self.take(party)
            return
        turns = self._waiting.get(party, ())
        if self._most is not None and self._used[party] + len(turns) >= self._most:
            raise Overrun(f"{self._most} of your requests are being answered already; wait for some of them.")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(party, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(party)
            else:
                self._leave(party, turn)
            raise

    def _leave(self, party: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(party)
        if turns and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[party]

    def _grant(self) -> None:
        """Give slots to those who wait, one party after another, as long as any of them fits."""
        granted = True
        while granted and not self.full:
            granted = False
            for party in tuple(self._waiting):
                turns = self._waiting[party]
                while turns and turns[0].done():  # cancelled, and has not noticed yet
                    turns.popleft()
                if turns and self.fits(party):
                    self.take(party)
                    turns.popleft().set_result(None)
                    self._waiting.move_to_end(party)
                    granted = True
                if not turns:
                    del self._waiting[party]


def in_turns(parties: Sequence[str]) -> Sequence[int]:
    """Places in a list: that of the first of each party, then of the second of each, and so on."""
    seen = Counter[str]()
    turns = []
    for place, party in enumerate(parties):
        seen[party] += 1
        turns.append((seen[party], place))
    return [place for _, place in sorted(turns)]
