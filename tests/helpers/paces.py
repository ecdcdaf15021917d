"""Paces without time passing: attempts and their outcomes at moments that a test names."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from engine.email.limits import Limits
from engine.email.outcomes import Result
from engine.email.pace import Pace
from engine.email.smtp import Phase, Reply
from engine.models import EmailState

if TYPE_CHECKING:
    from pathlib import Path

RELAY = "relay.example:25"
SLOWLY = "4.7.0 slow down"


def pace_of(folder: Path, text: str = "") -> Pace:
    """A pace that begins at the moment 0, with the limits of this text."""
    file = folder / "limits.toml"
    file.write_text(text)
    return Pace(Limits(file), 0.0)


def outcome(code: int | None = 250, text: str = "ok", phase: Phase = Phase.DOT, *, attempts: int = 0) -> Result:
    """An attempt that ended with this reply, after so many earlier ones."""
    word = "accepted" if code == 250 else "deferred"
    email: Any = SimpleNamespace(attempts=attempts)
    settled = word == "accepted"
    state = EmailState.SUCCEEDED if settled else EmailState.NEW
    delay = None if settled else timedelta(seconds=30)
    return Result(email, state, delay, True, word, phase, Reply(code, text), timedelta(0), RELAY)


def go(pace: Pace, domain: str, now: float, times: int = 1) -> int:
    """Try to send so many e-mails now; returns how many may go."""
    return sum(pace.enter(RELAY, domain, now) is None for _ in range(times))


def slow_down(pace: Pace, domain: str, now: float, rate: int = 100) -> float:
    """Send so many e-mails in a second, of which three are answered with a wish for less; returns the time then."""
    for number in range(rate):
        go(pace, domain, now + number / rate)
    for _ in range(3):
        pace.heard(domain, outcome(451, SLOWLY), now + 1)
    return now + 1
