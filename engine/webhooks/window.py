"""How many calls to one subscriber run at once, and its circuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.webhooks.schedule import open_for

if TYPE_CHECKING:
    from datetime import timedelta

AT_ONCE = 10  # calls to one subscriber at once, at most; each success allows one more


@dataclass(slots=True)
class Window:
    """The number of calls at once: it grows by one with each success, and a failure sets it to one."""

    width: int = 1

    def succeeded(self) -> None:
        """The subscriber accepted an event."""
        self.width = min(self.width + 1, AT_ONCE)

    def failed(self) -> None:
        """The subscriber did not accept an event."""
        self.width = 1


@dataclass(slots=True)
class Circuit:
    """Failures in a row; from OPENS_AFTER on, the circuit is open for a while."""

    failures: int

    def succeeded(self) -> None:
        """The subscriber accepted an event: the circuit is closed."""
        self.failures = 0

    def failed(self, *, alone: bool) -> None:
        """The subscriber did not accept an event. A failure beside the one that opened the circuit does not count."""
        self.failures += alone

    @property
    def open_for(self) -> timedelta | None:
        """How long the circuit is open, with some jitter; None: it is closed."""
        return open_for(self.failures)
