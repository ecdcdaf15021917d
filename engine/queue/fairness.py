"""Fair claims: creators take turns, however much each of them has waiting.

The columns of a table that is claimed fairly:

- `priority`: of the order; 0 instant, 1 normal, 2 bulk, 3 a test, which only the simulator claims.
- `rank`: set when the row is *ready*, which is due and not claimed. It says where the row stands among the ready rows
  of its creator: the milliseconds of its due time, plus STEP for each e-mail before it in its order. So a small order
  passes most of a large one. Whatever else changes `due_at` sets `rank` to NULL.
- `creator`: of e-mails, a copy of the order's, set at the latest with `rank`.
- `waits_for`, of e-mails: the relays or the domain whose pace has to let the row go, or had to the last time.

The ready rows of one creator and one priority are a *flow*. A claim looks at the flows, not at the rows, and takes an
equal part of each, or one by weight. What a flow does not use goes to the others. So the cost of a claim depends
neither on how many rows wait nor on how many creators there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from sqlalchemy import true

from engine.db.rows import few
from engine.models import LEVELS, TEST, Priority
from engine.queue import due
from engine.queue.due import Claimed
from engine.queue.flows import FLOWS, Flow, first_of_each, look, making_ready
from engine.queue.work import GATHER, Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Executable, ScalarSelect

STEP = 100  # milliseconds by which the rank of each further e-mail of an order grows: 36,000 e-mails are an hour
HURRY = timedelta(milliseconds=5)  # between two claims of instant rows
REMEMBERED = 1_000  # of those whom rows wait for
ENOUGH = 0.9  # of a batch: what is left of it is not worth another statement
# While nobody has counted the rows of a new backlog, PostgreSQL expects few. It would collect and sort all rows of a
# flow for each claim, where the index has them in order: 89 ms for 100,000 rows, and 0.3 in order.
IN_ORDER = "SET LOCAL enable_bitmapscan = off"


class FairlyClaimed(Claimed, Protocol):
    """A row in a worker's hands, and whose it is."""

    @property
    def creator(self) -> str: ...
    @property
    def priority(self) -> int: ...


F = TypeVar("F", bound=FairlyClaimed)


@dataclass(frozen=True, slots=True)
class Turns:
    """Who takes turns: the priorities that are claimed, the weights of creators, and the part of bulk."""

    priorities: Sequence[Priority] = tuple(Priority)
    weights: Mapping[str, float] = field(default_factory=dict)  # 1.0 for those that are not named
    bulk: float = 0.1  # of a batch, while anything else is ready, too

    @property
    def levels(self) -> Sequence[int]:
        """The priorities, as the database has them: those of orders that are sent."""
        return [priority.level for priority in self.priorities]

    @property
    def every(self) -> timedelta:
        """The time between two claims: those who are in a hurry gain more by it than larger batches would save."""
        return HURRY if self.priorities == (Priority.INSTANT,) else GATHER


class TurnsOfTests(Turns):
    """Turns among tests alone, of which nothing is sent."""

    @property
    def levels(self) -> Sequence[int]:
        """The one level of tests."""
        return [LEVELS.index(TEST)]


ALL = Turns()
TESTS = TurnsOfTests()


class FairClaims(Generic[F]):
    """The claims of one runner: of a lane's rows that have one of these priorities.

    `fit` says which due rows become ready, `copied` which columns are set by then. `waiting`: only rows that wait for
    somebody are claimed.
    """

    def __init__(
        self,
        lane: due.Lane[F],
        turns: Turns,
        fit: ColumnElement[bool] | None = None,
        copied: Mapping[str, ScalarSelect[object]] | None = None,
        *,
        waiting: bool = False,
    ) -> None:
        self._lane = lane
        self._levels = turns.levels
        self._turns = turns
        self._waiting = waiting
        fit = true() if fit is None else fit
        self._flows = look(lane, self._levels, None if waiting else fit, waiting=waiting)
        self._make_ready = making_ready(lane, fit, copied or {})
        self._taking: dict[str, Executable] = {}  # by the database's kind
        self._bulk = 0.0  # rows that bulk has coming from the claims before
        # By whom the rows wait for: whom the claim before reached, if there were more creators.
        self._reached: dict[str, dict[int, str]] = {}
        self._target = ""  # of this claim

    def claim(
        self,
        connection: Connection,
        limit: int,
        lease: timedelta,
        waits: Callable[[str], bool] = lambda _: False,
        target: str = "",
    ) -> Claim[F]:
        """Claim ready rows, up to `limit`, for the time of `lease`.

        Creators are mixed, so that none waits until all of another's rows are performed.
        `waits` says of a creator whether none of its rows can be used now: they stay. `target`: whom the rows wait for.
        """
        if limit < 1:
            return Claim()
        if len(self._reached) >= REMEMBERED:
            self._reached.clear()
        self._target = target
        behind = self._behind
        flows, unready = self._look(connection)
        if (flows or unready) and connection.dialect.name == "postgresql":
            connection.exec_driver_sql(IN_ORDER)
        for level in unready:
            connection.execute(self._make_ready, {"level": level})
        if unready:
            self._behind = behind  # whose turn it is has not changed
            flows, unready = self._look(connection)
        flows = [flow for flow in flows if not waits(flow.creator)]
        taken, unfinished = self._divide(connection, flows, limit, lease)
        more = bool(unfinished or unready or (taken and any(self._behind.values())))
        return Claim(_mixed(taken), more)

    @property
    def _behind(self) -> dict[int, str]:
        return self._reached.setdefault(self._target, dict.fromkeys(self._levels, ""))

    @_behind.setter
    def _behind(self, reached: dict[int, str]) -> None:
        self._reached[self._target] = reached

    def _look(self, connection: Connection) -> tuple[list[Flow], list[int]]:
        """The flows whose turn it is, and the priorities of which due rows are to be made ready."""
        flows: list[Flow] = []
        behind, self._behind = self._behind, dict.fromkeys(self._levels, "")
        found, unready = self._found(connection, behind)
        first = self._found(connection, self._behind)[0] if any(behind.values()) else {}
        for level, creators in found.items():
            if len(creators) == FLOWS:
                self._behind[level] = creators[-1]
            elif behind[level]:
                creators += [creator for creator in first[level] if creator <= behind[level]]
            flows += [Flow(level, creator) for creator in creators]
        return flows, unready

    def _found(self, connection: Connection, behind: Mapping[int, str]) -> tuple[Mapping[int, list[str]], list[int]]:
        """By priority, the creators that come next; and the priorities of which due rows are not ready."""
        creators: dict[int, list[str]] = {level: [] for level in self._levels}
        unready: list[int] = []
        given = {f"behind_{level}": creator for level, creator in behind.items()} | {"target": self._target}
        for level, creator in connection.execute(self._flows, given):
            creators[level].append(creator) if creator else unready.append(level)
        return creators, unready

    def _divide(
        self, connection: Connection, flows: Sequence[Flow], limit: int, lease: timedelta
    ) -> tuple[list[F], Sequence[Flow]]:
        """Take a part of each flow, until a batch is full; returns what was taken, and the flows that may have more."""
        taken: list[F] = []
        while flows and len(taken) < ENOUGH * limit:
            rest: list[Flow] = []
            for level, quota, creators in self._parts(flows, limit - len(taken)):
                rows = self._take(connection, level, quota, creators, lease)
                counts = Counter(row.creator for row in rows)
                rest += [Flow(level, creator) for creator in creators if counts[creator] >= quota]
                taken += rows
            flows = rest
        return taken, flows

    def _parts(self, flows: Sequence[Flow], room: int) -> Iterator[tuple[int, int, Sequence[str]]]:
        """How many rows each of a priority's creators may give: priority, quota, creators."""
        creators = defaultdict[int, list[str]](list)
        for flow in flows:
            creators[flow.priority].append(flow.creator)
        bulk = Priority.BULK.level
        of_bulk = self._part_of_bulk(room) if len(creators) > 1 else room
        for level, those in sorted(creators.items()):
            its = of_bulk if level == bulk else room - of_bulk * (bulk in creators)
            if 0 < its < len(those):
                self._behind[level] = those[its - 1]
            for quota, some in self._quotas(those, its):
                yield level, quota, some

    def _part_of_bulk(self, room: int) -> int:
        """Bulk's part of so many rows, while other rows are ready; what is less than a row counts the next time."""
        self._bulk = min(self._bulk + room * self._turns.bulk, room)
        its = int(self._bulk + 0.001)  # ten tenths are a row
        self._bulk -= its
        return its

    def _quotas(self, creators: Sequence[str], room: int) -> Iterator[tuple[int, Sequence[str]]]:
        """By their weights, how many rows creators may give."""
        weights = {creator: self._turns.weights.get(creator, 1.0) for creator in creators[:room]}
        whole = sum(weights.values())
        alike = defaultdict[int, list[str]](list)
        for creator, weight in weights.items():
            alike[max(1, int(room * weight / whole))].append(creator)
        yield from alike.items()

    def _take(
        self, connection: Connection, level: int, quota: int, creators: Sequence[str], lease: timedelta
    ) -> Sequence[F]:
        dialect = connection.dialect.name
        if dialect not in self._taking:
            chosen = first_of_each(self._lane, dialect, waiting=self._waiting)
            self._taking[dialect] = due.taking(self._lane, chosen)
        given = few({"creator": creator} for creator in creators)
        at = {"level": level, "quota": quota} | ({"target": self._target} if self._waiting else {})
        return due.taken(connection, self._lane, self._taking[dialect], lease, {**given, **at})


def _mixed(taken: Sequence[F]) -> Sequence[F]:
    """Rows in the order in which each creator's are spread evenly over all."""
    rows = sorted(taken, key=lambda row: row.seq)
    counts, before = Counter(row.creator for row in rows), Counter[str]()
    places: list[float] = []
    for row in rows:
        places.append((before[row.creator] + 0.5) / counts[row.creator])
        before[row.creator] += 1
    return [row for _, row in sorted(zip(places, rows, strict=True), key=itemgetter(0))]
