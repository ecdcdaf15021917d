"""Which relay each e-mail in hand takes. One that none takes now is handed back: it shall not stand in others' way."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.email.outcomes import within_life
from engine.email.restraint import RESTRAINED_FOR

if TYPE_CHECKING:
    from engine.email.gate import Gate
    from engine.email.outcomes import Result
    from engine.email.outgoing import Outgoing
    from engine.email.outlet import Outlet
    from engine.email.relays import Relays
    from engine.queue.work import Hand
    from engine.runtime.clock import Clock

FURTHER_AFTER = 1.0  # seconds from an e-mail that was put off to a claim that goes beyond the usual room


class Placement:
    """Places waiting e-mails for a runner."""

    def __init__(self, relays: Relays, clock: Clock) -> None:
        self._relays = relays
        self._clock = clock
        self._further_at = 0.0  # on the monotonic clock

    @property
    def has_further_room(self) -> bool:
        """Whether a relay has little to do, and a claim may find e-mails for it."""
        return self._relays.some_want and time.monotonic() >= self._further_at

    def look(self, hand: Hand[Outgoing, Result], gate: Gate) -> None:
        """Find out how many e-mails may be claimed beside those in hand."""
        gate.look(hand)
        coming = Counter(self._relays.of(row.seq) for row in hand.waiting if gate.limits)
        for outlet in self._relays.outlets:
            outlet.room = gate.room_over(outlet.relay.name) - coming[outlet]

    def share_out(self, hand: Hand[Outgoing, Result]) -> None:
        """Give each waiting e-mail a relay; hand back those that no relay takes now."""
        put_off: dict[int, tuple[Outgoing, timedelta]] = {}
        for row in hand.waiting:
            if (outlet := self._relays.of(row.seq)) and (outlet.alone or not outlet.resting):
                continue
            self._relays.leave(row.seq)
            chosen = self._relays.choose(row.letter.creator, row.email.address)
            if isinstance(chosen, timedelta):
                put_off[row.seq] = row, chosen
            else:
                self._relays.take(row.seq, chosen)
        if put_off:
            self._further_at = time.monotonic() + FURTHER_AFTER
            kept = [row for row in hand.waiting if row.seq not in put_off]
            hand.waiting.clear()
            hand.waiting.extend(kept)
            for row, delay in put_off.values():
                self._hand_back(row, hand, delay)

    def move(self, row: Outgoing, outlet: Outlet, hand: Hand[Outgoing, Result]) -> bool:
        """Let another relay take an e-mail; False: there is none."""
        other = self._relays.choose(row.letter.creator, row.email.address)
        if isinstance(other, timedelta) or other is outlet:
            return False
        self._relays.take(row.seq, other)
        hand.put_back(row)
        return True

    def restrain(self, row: Outgoing, outlet: Outlet, hand: Hand[Outgoing, Result]) -> None:
        """Let another relay take an e-mail whose creator this one refuses, or hand it back."""
        if not self.move(row, outlet, hand):
            self._hand_back(row, hand, RESTRAINED_FOR)

    def _hand_back(self, row: Outgoing, hand: Hand[Outgoing, Result], delay: timedelta) -> None:
        """Hand back until the delay is over or the e-mail expires."""
        hand.hand_back(row, within_life(row.email, delay, self._clock.now()))
