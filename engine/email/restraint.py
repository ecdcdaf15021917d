"""Restraint: after several refusals in a row for reasons of this installation, one e-mail a minute is tried.

Refusals count by creator: some relays take mail only to some domains, and one creator's refusals must not delay what
the relay takes from others. Each worker process counts for itself, for each relay, and only creators that have orders.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.models import Trouble
from engine.runtime.clock import steady
from engine.text.language import N_

if TYPE_CHECKING:
    from engine.email.outcomes import Result

IN_A_ROW = 10  # refusals without another answer, after which a creator's e-mails are restrained
ASK_EVERY = timedelta(minutes=1)  # one of them is tried
RESTRAINED_FOR = timedelta(minutes=5)  # the others wait
ADVICE = N_(
    "Correct what it complains of: its own settings, VARSEL_SMTP_URL, VARSEL_FROM_ADDRESS, or the SPF, DKIM and DMARC"
    " records of the sender's domain."
)
FORGOTTEN_AFTER = timedelta(minutes=90)  # without an attempt: longer than an e-mail waits for its next


class Restraint:
    """Whose e-mails the relay refuses for reasons of this installation."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}  # in a row, by creator
        self._ask_at: dict[str, float] = {}  # on the monotonic clock
        self._trouble: Trouble | None = None
        self._heard_at = 0.0  # when the newest refusal came, likewise

    def may_try(self, creator: str) -> bool:
        """Whether an e-mail of this creator may be tried now; if they are restrained, True uses up the minute's try."""
        if self._refused.get(creator, 0) < IN_A_ROW:
            return True
        if self.holds(creator):
            return False
        self._ask_at[creator] = time.monotonic() + ASK_EVERY.total_seconds()
        return True

    def holds(self, creator: str) -> bool:
        """Whether e-mails of this creator are restrained and none may be tried now; it uses nothing up."""
        held = self._refused.get(creator, 0) >= IN_A_ROW
        return held and time.monotonic() < self._ask_at.get(creator, 0.0)

    def heard(self, creator: str, result: Result) -> None:
        """Learn what became of an attempt."""
        if result.outcome == "refused":
            self._refused[creator] = self._refused.get(creator, 0) + 1
            if self._refused[creator] >= IN_A_ROW:
                self._heard_at = time.monotonic()
                since = self._trouble.since if self._trouble else steady()
                said = result.reply.impersonal
                text = f"the relay {result.relay} refuses this installation or its sender ({said})"
                self._trouble = Trouble(since, said, said=text, advice=ADVICE)
        elif result.outcome in ("accepted", "rejected", "in_doubt") and self._refused.pop(creator, 0):
            self._ask_at.pop(creator, None)
            if all(count < IN_A_ROW for count in self._refused.values()):
                self._trouble = None

    @property
    def trouble(self) -> Trouble | None:
        """What the relay says; None: no creator is restrained."""
        forgotten = time.monotonic() - self._heard_at > FORGOTTEN_AFTER.total_seconds()
        return None if forgotten else self._trouble
