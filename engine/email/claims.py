"""Claims of e-mails: of those that are ready, and of those that wait for relays or a domain which have room for more.

E-mails that wait for a pace stay in the database until they can go, so creators take turns among them, too.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.tables import emails, orders
from engine.email.gate import waited_for
from engine.email.pressure import Kind
from engine.models import Priority
from engine.queue import due
from engine.queue.fairness import FairClaims
from engine.queue.flows import TARGETS, some_ready, targets
from engine.queue.work import Claim
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from sqlalchemy import Connection

    from engine.db.records import Email
    from engine.email.gate import Gate
    from engine.email.relays import Relays
    from engine.queue.fairness import Turns

LOOK_EVERY = 0.1  # seconds
GENEROUS = 10  # of so many claims, one leaves to other e-mails what instant ones wait for
CREATOR = select(orders.c.creator).where(orders.c.seq == emails.c.order_seq).scalar_subquery()


class Claims:
    """The claims of one deliverer."""

    def __init__(self, turns: Turns, gate: Gate, relays: Relays) -> None:
        self._ready = FairClaims(due.EMAILS, turns, copied={"creator": CREATOR})
        self._waiting = FairClaims(due.EMAILS, turns, waiting=True)
        self._gives_way = Priority.INSTANT not in turns.priorities
        self._gate = gate
        self._relays = relays
        self._number = 0
        self._look_at = 0.0  # by the steady clock
        self._behind = ""  # whom the claim before reached, of those whom e-mails wait for

    def claim(self, connection: Connection, most: int, lease: timedelta) -> Claim[Email]:
        """Claim up to `most` e-mails, or as many as the only relay has room for."""
        self._number += 1
        found = self._targets(connection)
        rooms = {name: self._room(name) for name in found}
        self._gate.awaited = {name for name, room in rooms.items() if room < inf}
        if self._gives_way and self._number % GENEROUS:
            rooms |= {name: 0.0 for name, instant in found.items() if instant and rooms[name] < inf}
        limit = int(min(most, self._relays.room, rooms.get(self._relays.together, most)))
        if limit < 1 and some_ready(connection):
            self._gate.wait_for(self._relays.together)
        waiting_first = self._number % 2  # neither kind may take all of the limit for good
        first = self._of_targets(connection, rooms, limit, lease) if waiting_first else Claim()
        ready = self._ready.claim(connection, limit - len(first.rows), lease, self._relays.lets_wait)
        room = 0 if waiting_first else limit - len(ready.rows)
        then = self._of_targets(connection, rooms, room, lease)
        rows = [*first.rows, *ready.rows, *then.rows]
        return Claim(rows, first.more or ready.more or then.more or 0 < limit <= len(rows))

    def _targets(self, connection: Connection) -> Mapping[str, bool]:
        """Whom e-mails wait for; while this worker knows no limit itself, it looks now and then."""
        now = steady()
        if not self._gate.limits and now < self._look_at:
            return {}
        found = targets(connection, self._behind)
        self._behind = max(found) if len(found) == TARGETS else ""
        self._look_at = now if found else now + LOOK_EVERY
        return found

    def _of_targets(
        self, connection: Connection, rooms: Mapping[str, float], limit: int, lease: timedelta
    ) -> Claim[Email]:
        """E-mails that wait for somebody who has room; where nothing limits them any more, as many as may be."""
        taken: list[Email] = []
        more = False
        for name, room in rooms.items():
            if room < 1:
                self._gate.wait_for(name)
            elif len(taken) < limit:
                most = int(min(room, limit - len(taken)))
                rows = self._waiting.claim(connection, most, lease, target=name).rows
                taken += rows
                more |= len(rows) == most  # there may be room again: what has expired needs none
                self._behind = name if len(taken) >= limit else self._behind
        return Claim(taken, more)

    def _room(self, name: str) -> float:
        """How many more e-mails may be claimed for somebody; infinite: nothing limits them, or nobody has that name."""
        kind, names = waited_for(name)
        if kind is Kind.DOMAIN:
            return self._gate.room_to(names[0])
        return self._relays.room_of(names) if kind else inf
