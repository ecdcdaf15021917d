"""Restraint: a relay that refuses e-mail after e-mail for reasons of ours is asked once a minute, not with them all.

What counts is a creator's: some relays take mail to some domains alone, and then one creator's refusals must not hold
up what the relay takes from others. Each worker process knows its own; what it knows is bounded by who has orders.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.models import Trouble
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from engine.email.outcomes import Result

IN_A_ROW = 10  # refusals without an answer of another kind, after which a creator's e-mails are held back
ASK_EVERY = timedelta(minutes=1)  # then, one of them is tried
HELD_FOR = timedelta(minutes=5)  # the others
FORGOTTEN_AFTER = timedelta(minutes=90)  # without an attempt: longer than an e-mail waits for its next


class Restraint:
    """Whose e-mails the relay refuses for reasons of this installation."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}  # in a row, by creator
        self._ask_at: dict[str, float] = {}  # on the monotonic clock
        self._trouble: Trouble | None = None
        self._heard_at = 0.0  # of the newest refusal, likewise

    def may_try(self, creator: str) -> bool:
        """Whether an e-mail of this creator may be tried now; if so, and refusals are the rule, it is the minute's."""
        if self._refused.get(creator, 0) < IN_A_ROW:
            return True
        now = time.monotonic()
        if now < self._ask_at.get(creator, 0.0):
            return False
        self._ask_at[creator] = now + ASK_EVERY.total_seconds()
        return True

    def heard(self, creator: str, result: Result) -> None:
        """Learn what became of an attempt."""
        if result.outcome == "refused":
            self._refused[creator] = self._refused.get(creator, 0) + 1
            if self._refused[creator] >= IN_A_ROW:
                self._heard_at = time.monotonic()
                self._trouble = Trouble(self._trouble.since if self._trouble else steady(), result.reply.impersonal)
        elif result.outcome in ("accepted", "rejected", "in_doubt") and self._refused.pop(creator, 0):
            self._ask_at.pop(creator, None)
            if all(count < IN_A_ROW for count in self._refused.values()):
                self._trouble = None

    @property
    def trouble(self) -> Trouble | None:
        """What the relay says; None: nobody's e-mails are held back."""
        forgotten = time.monotonic() - self._heard_at > FORGOTTEN_AFTER.total_seconds()
        return None if forgotten else self._trouble
