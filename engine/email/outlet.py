"""An outlet: a relay as one runner sees it, with the work in hand that is its."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING

from engine.email.outcomes import RELAY_RETRY, retry_after
from engine.email.restraint import RESTRAINED_FOR, Restraint

if TYPE_CHECKING:
    from engine.email.smtp import Relay, Reply
    from engine.models import Trouble
    from engine.settings.relays import RelayAddress

BUSY = 200  # e-mails in hand for one relay, above which no more are claimed for it
AGAIN = RELAY_RETRY.total_seconds()


class Outlet:
    """A relay as e-mails see it: how much of the work in hand is its, and whether it is away."""

    def __init__(self, address: RelayAddress, relay: Relay, connections: int) -> None:
        self.address = address
        self.relay = relay
        self.connections = connections
        self.restraint = Restraint()
        self.alone = False  # there is no other
        self.load = 0  # e-mails in hand that are to take it
        self.room = inf  # how many more its pace allows, as of late
        self.senders = 0  # calls of `serve` that work for it
        self.credit = 0.0  # by weight; the one with most is next
        self.crowded = False  # it has no connection left for this process: its other clients use them
        self.retry = RELAY_RETRY  # how long it is left alone
        self.until = 0.0  # and until when, on the monotonic clock
        self._failed = False
        self._failed_at = 0.0  # likewise: since when
        self._slot = 0.0  # likewise: when the last e-mail that was put off comes again
        self._trouble: Trouble | None = None

    @property
    def resting(self) -> bool:
        """Whether it is left alone, since it gave no connection."""
        return self._failed and time.monotonic() < self.until

    @property
    def away(self) -> bool:
        """Whether others take its mail: it is left alone, or one e-mail finds out whether it is back."""
        return self._failed and not self.alone and (self.load > 0 or time.monotonic() < self.until)

    @property
    def wants(self) -> bool:
        """Whether more e-mails may be claimed for it."""
        return self.load <= BUSY and self.room >= 1 and not self.away

    @property
    def trouble(self) -> Trouble | None:
        """Why its e-mails wait: it cannot be reached, or refuses this installation."""
        return self.relay.trouble or (self._trouble if self.resting else None) or self.restraint.trouble

    @property
    def state(self) -> str:
        """In what way it has trouble, as RelayState says it."""
        return "refusing" if self.trouble is self.restraint.trouble else "down"

    def heard(self, refusal: Reply | None) -> None:
        """Learn that it gave a connection, or why not."""
        if refusal and not self._failed:
            self._failed_at = time.monotonic()
        self._failed = refusal is not None
        if refusal:
            self.crowded, self.retry = refusal.crowded, retry_after(refusal)
            self.until = time.monotonic() + self.retry.total_seconds()
            self._trouble = self.relay.trouble

    def put_off(self) -> timedelta:
        """When an e-mail that waits for it is due again: BUSY of them every few seconds, so that they come in turn.

        Few e-mails would come every few seconds: the longer it has failed, the more seldom they come.
        """
        now = time.monotonic()
        self._slot = max(self._slot, self.until, now + AGAIN) + AGAIN / BUSY
        turn = RELAY_RETRY * int((self._slot - now) / AGAIN)
        failing = timedelta(seconds=now - self._failed_at if self._failed else 0)
        return min(max(turn, min(failing, RESTRAINED_FOR) * random.uniform(0.5, 1)), RESTRAINED_FOR)  # noqa: S311
