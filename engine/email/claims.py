"""Claims of e-mails: of those that are ready, and of those that wait for a relay or domain which has room for more.

E-mails that wait for a pace stay in the database until they can go, so creators take turns among them, too.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.tables import emails, orders
from engine.email.pace import Target
from engine.queue import due
from engine.queue.fairness import FairClaims
from engine.queue.flows import TARGETS, release, targets
from engine.queue.work import Claim

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from sqlalchemy import Connection

    from engine.db.records import Email
    from engine.email.gate import Gate
    from engine.queue.fairness import Turns
    from engine.queue.pauses import Pauses

_CREATOR = select(orders.c.creator).where(orders.c.seq == emails.c.order_seq).scalar_subquery()


class Claims:
    """The claims of one deliverer."""

    def __init__(self, turns: Turns, gate: Gate) -> None:
        self._ready = FairClaims(due.EMAILS, turns, copied={"creator": _CREATOR})
        self._waiting = FairClaims(due.EMAILS, turns, waiting=True)
        self._gate = gate
        self._waiting_first = False
        self._behind = ""  # whom the claim before reached, of those whom e-mails wait for

    def claim(
        self, connection: Connection, paused: Pauses, limit: int, lease: timedelta, waits: Callable[[str], bool]
    ) -> Claim[Email]:
        """Claim up to `limit` e-mails; `waits` says of a creator whether none of its e-mails can be used now."""
        self._waiting_first = not self._waiting_first  # neither kind may take all of the limit for good
        first = self._of_targets(connection, paused, limit, lease) if self._waiting_first else Claim()
        ready = self._ready.claim(connection, paused, limit - len(first.rows), lease, waits)
        room = 0 if self._waiting_first else limit - len(ready.rows)
        then = self._of_targets(connection, paused, room, lease)
        rows = [*first.rows, *ready.rows, *then.rows]
        return Claim(rows, first.more or ready.more or then.more or 0 < limit <= len(rows))

    def _of_targets(self, connection: Connection, paused: Pauses, limit: int, lease: timedelta) -> Claim[Email]:
        """E-mails whose relay or domain has room; where nothing limits them any more, they are like all others."""
        if limit < 1 or due.EMAILS.name in paused.lanes:
            return Claim()
        taken: list[Email] = []
        more = False
        found = targets(connection, self._behind)
        self._behind = found[-1] if len(found) == TARGETS else ""
        for name in found:
            room = self._gate.room(Target.of(name))
            if room == inf:
                release(connection, name)
                more = True
            elif room < 1:
                self._gate.waits(Target.of(name))
            elif len(taken) < limit:
                most = min(int(room), limit - len(taken))
                rows = self._waiting.among(name).claim(connection, paused, most, lease).rows
                taken += rows
                more |= len(rows) == most  # there may be room again: what has expired needs none
                self._behind = name if len(taken) >= limit else self._behind
        return Claim(taken, more)
