"""What the relay's replies mean: the outcome of one attempt to hand a message over, as a value.

Accepted    the relay has taken the message over
Deferred    not now: try again
Refused     not from this installation or its sender, whoever the recipient is: try again, slowly
Rejected    never: the e-mail's final state
InDoubt     the connection broke after the message was handed over: it may have been taken (RFC 1047)
Withdrawn   not handed over, because the worker's lease had ended: it says nothing about the relay or the e-mail
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from engine.email.smtp.phases import Phase
from engine.email.smtp.refusals import final_state, is_ours, is_temporary

if TYPE_CHECKING:
    from datetime import timedelta

    from engine.models import EmailState

CLOSING = 421  # the relay ends the session; this says nothing about sender or recipient (RFC 5321, 4.2.3)
CROWDED = re.compile(r"too many|concurren|simultaneous|connection (?:count|limit|rate)", re.IGNORECASE)
ENHANCED = re.compile(r"#?([245]\.\d{1,3}\.\d{1,3})(?![^\s:])")
QMAILS = re.compile(r"\(#([245]\.\d{1,3}\.\d{1,3})[ )]")
REPLY_CHARACTERS = 1000  # of a reply that are kept


@dataclass(frozen=True, slots=True)
class Reply:
    """The relay's last reply; `code` None: there was none that can be understood, and `text` is Varsel's."""

    code: int | None
    text: str

    @classmethod
    def of(cls, code: int | None, text: str) -> Reply:
        """Return a reply that can be stored and shown: no control characters, a bounded text, a possible code."""
        text = "".join(character if character.isprintable() else " " for character in text[:REPLY_CHARACTERS])
        return cls(code if code is not None and 200 <= code <= 599 else None, text)  # noqa: PLR2004  # RFC 5321, 4.2.1

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463): 5.1.1 or #5.1.1 at the beginning, or (#5.1.1) anywhere, as in qmail."""
        found = ENHANCED.match(self.text) or QMAILS.search(self.text)
        return found[1] if found else None

    @property
    def impersonal(self) -> str:
        """Code and text without addresses, for readers who may not see them."""
        words = ("<address>" if "@" in word else word for word in self.text.split())
        return " ".join([*([str(self.code)] if self.code else []), *words])

    @property
    def crowded(self) -> bool:
        """Whether the relay says that there are too many connections."""
        return (self.code or 0) // 100 == 4 and CROWDED.search(self.text) is not None  # noqa: PLR2004  # 4yz


@dataclass(frozen=True, slots=True)
class _Attempt:
    reply: Reply
    phase: Phase
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Accepted(_Attempt):
    """The relay has taken the message over."""


@dataclass(frozen=True, slots=True)
class Deferred(_Attempt):
    """Not delivered, and worth another attempt."""

    @property
    def reached(self) -> bool:
        """Whether there was a session with the relay; the backoff schedule counts only such attempts."""
        return self.phase is not Phase.CONNECT


@dataclass(frozen=True, slots=True)
class Refused(_Attempt):
    """Not delivered, for a reason of this installation or its sender: worth another attempt, but not soon."""


@dataclass(frozen=True, slots=True)
class Rejected(_Attempt):
    """Not delivered, and not worth another attempt."""

    state: EmailState


@dataclass(frozen=True, slots=True)
class InDoubt(_Attempt):
    """Handed over, but neither accepted nor refused."""


@dataclass(frozen=True, slots=True)
class Withdrawn(_Attempt):
    """Not handed over: the worker's lease had ended."""


Outcome: TypeAlias = Accepted | Deferred | Refused | Rejected | InDoubt | Withdrawn
UNSENT = Reply(None, "not handed over: the worker's lease has ended")  # in place of a relay's reply


def judge(reply: Reply, phase: Phase, duration: timedelta) -> Outcome:
    """Decide what the reply that ended an attempt in `phase` means for the e-mail."""
    if reply is UNSENT:
        return Withdrawn(reply, phase, duration)
    kind = (reply.code or 0) // 100
    if phase is Phase.DOT and kind == 2:  # noqa: PLR2004  # 2yz (RFC 5321, 4.2.1)
        return Accepted(reply, phase, duration)
    if phase is Phase.DOT and kind not in (4, 5):
        return InDoubt(reply, phase, duration)
    if phase is Phase.CONNECT or kind not in (4, 5) or reply.code == CLOSING or reply.crowded:
        return Deferred(reply, phase, duration)
    if is_ours(reply, phase):
        return Refused(reply, phase, duration)
    if is_temporary(reply):
        return Deferred(reply, phase, duration)
    return Rejected(reply, phase, duration, final_state(reply, phase))


def is_crowded(outcome: Outcome) -> bool:
    """Whether the relay refused a connection's first message because there are too many connections."""
    return (
        isinstance(outcome, Deferred)
        and outcome.phase is Phase.MAIL
        and (outcome.reply.code == CLOSING or outcome.reply.crowded)
    )
