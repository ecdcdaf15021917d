"""Lines: e-mails that wait until another one to their domain has ended, since few may be on their way to it at once.

They stay in the worker's hands, so that the next one follows at once, and they occupy no connection.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

R = TypeVar("R")

LONG = 50  # rows in a line, however fast it moves
MOST = 100  # rows in all lines: other domains' rows need room in the worker's hands, too


class Lines(Generic[R]):
    """The lines of one lane's worker, by domain. They count in `begun` how many rows of each domain it has begun."""

    def __init__(self, begun: Counter[str]) -> None:
        self._begun = begun
        self._lines: defaultdict[str, deque[R]] = defaultdict(deque)
        self._length = 0

    def begin(self, domain: str) -> None:
        """A row of this domain is begun."""
        self._begun[domain] += 1

    def end(self, domain: str) -> R | None:
        """A row of this domain has ended; returns the next one of its line."""
        self._begun[domain] -= 1
        if not self._begun[domain]:
            del self._begun[domain]
        if domain not in self._lines:
            return None
        row = self._lines[domain].popleft()
        self._length -= 1
        if not self._lines[domain]:
            del self._lines[domain]
        return row

    def join(self, domain: str, row: R, long: int = LONG) -> Sequence[R]:
        """Put a row at the end of its line of `long` rows at most.

        Returns those that find no place, or whose line nobody would call.
        """
        if not self._begun[domain]:
            return [row, *self._leave(domain)]
        if self._length >= MOST or self.room(domain, long) <= 0:
            return [row]
        self._lines[domain].append(row)
        self._length += 1
        return []

    def room(self, domain: str, long: int) -> int:
        """How many more rows may join a line of `long` rows at most; negative: it is longer."""
        return (min(long, LONG) if self._begun[domain] else 0) - len(self._lines.get(domain, ()))

    def leave(self) -> Sequence[R]:
        """All rows leave their lines."""
        return [row for domain in list(self._lines) for row in self._leave(domain)]

    def _leave(self, domain: str) -> Sequence[R]:
        rows = self._lines.pop(domain, ())
        self._length -= len(rows)
        return list(rows)
