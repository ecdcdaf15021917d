"""The actions of a ScriptedSMTP, by phase of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Phase = Literal["connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "rset", "noop", "quit"]


@dataclass(frozen=True)
class Say:
    """Answer with this code and text (a line per newline); with `close`, hang up afterwards."""

    code: int
    text: str
    close: bool = False


@dataclass(frozen=True)
class Raw:
    """Answer with exactly these bytes; with `close`, hang up afterwards."""

    data: bytes
    close: bool = False


@dataclass(frozen=True)
class Close:
    """Hang up without an answer."""


@dataclass(frozen=True)
class Hang:
    """Say nothing until `server.release()`, then go on as `then` says (None: as a well-behaved relay)."""

    then: Say | Raw | Close | None = None


@dataclass(frozen=True)
class Slow:
    """Wait for so many seconds, then go on as a well-behaved relay."""

    seconds: float


@dataclass(frozen=True)
class KeepBack:
    """Behave well, but send the answer together with the next one, as a relay may to commands that came at once."""


@dataclass(frozen=True)
class Pour:
    """Send `first` and then `again` without end, each in its own packet, until the client hangs up."""

    first: bytes
    again: bytes


Action = Say | Raw | Close | Hang | Slow | KeepBack | Pour


@dataclass(frozen=True)
class Step:
    """Where a session is, for functions in a script."""

    phase: Phase
    n: int  # how often any session was in this phase before
    session: int  # counted from 1
    argument: str  # of the command: "FROM:<a@example.no>"; empty at connect and dot


# None, or a phase that is not there: behave. A list is used up, one action each time. A function decides.
Script = Callable[[Step], Action | None] | Mapping[Phase, Action | Sequence[Action]]


class ByAddress:
    """Actions for mails to an address, by the phases in which the address is known: rcpt, data or dot.

    `otherwise`: the actions for all other mails, by phase.
    """

    def __init__(
        self, plan: Mapping[str, tuple[Phase, Action]], otherwise: Mapping[Phase, Action] | None = None
    ) -> None:
        self._plan = plan
        self._otherwise = otherwise or {}
        self._address: dict[int, str] = {}  # of a session's current mail

    def __call__(self, step: Step) -> Action | None:
        if step.phase == "mail":
            self._address.pop(step.session, None)
        if step.phase == "rcpt":
            self._address[step.session] = step.argument[len("TO:<") :].partition(">")[0]
        phase, action = self._plan.get(self._address.get(step.session, ""), (None, None))
        return action if phase == step.phase else self._otherwise.get(step.phase)
