"""How many calls to one subscriber run at once, and when it is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.webhooks.schedule import open_for

if TYPE_CHECKING:
    from datetime import timedelta

AT_ONCE = 10  # calls to one subscriber at most; it begins with one and earns the others


@dataclass(slots=True)
class Window:
    """So many calls at once: one more after each success, one after a failure."""

    width: int = 1

    def succeeded(self) -> None:
        """The subscriber took an event."""
        self.width = min(self.width + 1, AT_ONCE)

    def failed(self) -> None:
        """It did not."""
        self.width = 1


@dataclass(slots=True)
class Circuit:
    """Failures in a row; from some number on, the subscriber is left alone for a while."""

    failures: int

    def succeeded(self) -> None:
        """The subscriber took an event: the circuit is closed."""
        self.failures = 0

    def failed(self, *, alone: bool) -> None:
        """It did not. What fails side by side opens the circuit, but opens it no longer."""
        self.failures += alone

    @property
    def open_for(self) -> timedelta | None:
        """For how long the subscriber is left alone, give or take; None: the circuit is closed."""
        return open_for(self.failures)
