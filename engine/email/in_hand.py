"""E-mails in hand, by their order: as long as one of them is leased, its order stays open."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from engine.db.records import Email
    from engine.email.outcomes import Result
    from engine.email.outgoing import Outgoing


class InHand:
    """What a runner has claimed and not recorded yet; read while outcomes are recorded, in another thread."""

    def __init__(self) -> None:
        self._of: dict[int, dict[tuple[int, int], Outgoing]] = {}  # by the order's `seq`; by `seq` and `claim`

    def take(self, rows: Iterable[Outgoing]) -> None:
        """E-mails were claimed."""
        for row in rows:
            self._of.setdefault(row.email.order_seq, {})[row.seq, row.claim] = row

    def leave(self, gone: Iterable[Email]) -> None:
        """E-mails were recorded or released."""
        for email in gone:
            its = self._of.get(email.order_seq, {})
            its.pop((email.seq, email.claim), None)
            if not its:
                self._of.pop(email.order_seq, None)

    def beside(self, results: Collection[Result], ours: Callable[[Outgoing], bool]) -> Callable[[int], bool]:
        """Whether an order, by `seq`, has leased e-mails in hand beside those with results: these come later."""
        known = {(result.email.seq, result.email.claim) for result in results}

        def stays_open(order_seq: int) -> bool:
            its = list(self._of.get(order_seq, {}).items())  # at once: the loop changes it meanwhile
            return any(name not in known and ours(row) for name, row in its)

        return stays_open
