"""How often e-mails are looked at while their relay is away."""

from __future__ import annotations

from heapq import heapify, heapreplace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from engine.email import outlet
from engine.email.outlet import Outlet
from engine.email.restraint import RESTRAINED_FOR
from engine.email.smtp import Reply

if TYPE_CHECKING:
    from datetime import timedelta

HOUR = 3600.0


class Away:
    """A relay that refuses each connection, and what waits for it: as a worker looks at it, without time passing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(outlet, "time", SimpleNamespace(monotonic=lambda: self.now))
        relay: Any = SimpleNamespace(trouble=None)
        address: Any = None
        self.outlet = Outlet(address, relay, connections=1)

    def put_off(self) -> timedelta:
        """An e-mail tries whether the relay is back, when nobody has for a while; others are put off."""
        if self.outlet.away:
            return self.outlet.put_off()
        self.outlet.heard(Reply(None, "connection refused"))
        return self.outlet.retry

    def looks(self, e_mails: int, seconds: float) -> int:
        """How often any of so many e-mails is looked at in a time."""
        due = [(self.now, number) for number in range(e_mails)]
        heapify(due)
        end, looks = self.now + seconds, 0
        while due[0][0] < end:
            self.now, number = due[0]
            looks += 1
            heapreplace(due, (self.now + self.put_off().total_seconds(), number))
        return looks


@pytest.mark.parametrize("e_mails", [20, 200, 2000])
def test_e_mails_that_wait_for_a_relay_are_looked_at_more_seldom_the_longer_it_is_away(
    monkeypatch: pytest.MonkeyPatch, e_mails: int
) -> None:
    away = Away(monkeypatch)
    away.looks(e_mails, HOUR)
    assert away.looks(e_mails, HOUR) / e_mails < 60, "once a minute; one of them tries the relay every few seconds"


def test_after_a_short_time_away_e_mails_come_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Away(monkeypatch)
    away.looks(20, HOUR)
    away.outlet.heard(None)
    assert [away.put_off(), away.put_off()] == [away.outlet.retry, away.outlet.retry]


def test_nobody_is_put_off_for_longer_than_its_creators_refusals_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    away = Away(monkeypatch)
    away.looks(200, HOUR)
    away.outlet.heard(Reply(None, "connection refused"))
    waits = [away.put_off() for _ in range(20_000)]
    assert max(waits) == RESTRAINED_FOR
    assert len(set(waits)) > 100, "they do not all come at once"
