"""What a relay's replies mean: the outcome of one attempt to hand a message over, as a value.

Accepted    the relay has taken the message over
Deferred    not now: try again
Rejected    never: the e-mail's final state
InDoubt     the connection broke after the message was handed over: it may have been taken (RFC 1047)
Withdrawn   not handed over, because the e-mail was the sender's no longer: nobody may conclude anything from it
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from engine.models import EmailState

if TYPE_CHECKING:
    from datetime import timedelta

CROWDED = re.compile(r"too many|concurren|simultaneous|connection (?:count|limit|rate)", re.IGNORECASE)
REPLY_CHARACTERS = 1000  # of the relay's words are kept


class Phase(StrEnum):
    """Where an attempt ended."""

    CONNECT = "connect"  # up to and including EHLO, STARTTLS and AUTH
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"  # the message was handed over; its reply, or the lack of one, ended the attempt


@dataclass(frozen=True, slots=True)
class Reply:
    """The relay's last words; `code` None: it said nothing that can be understood, and `text` is Varsel's."""

    code: int | None
    text: str

    @classmethod
    def of(cls, code: int | None, text: str) -> Reply:
        """Return a reply that can be stored and shown: no control characters, no endless text, no impossible code."""
        text = "".join(character if character.isprintable() else " " for character in text[:REPLY_CHARACTERS])
        return cls(code if code is not None and 200 <= code <= 599 else None, text)  # noqa: PLR2004  # RFC 5321, 4.2.1

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463), such as 5.1.1."""
        found = re.match(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", self.text)
        return found[0] if found else None

    @property
    def crowded(self) -> bool:
        """Whether it says that there are too many connections."""
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
        """Whether there was a session with the relay: what the backoff schedule counts."""
        return self.phase is not Phase.CONNECT


@dataclass(frozen=True, slots=True)
class Rejected(_Attempt):
    """Not delivered, and no attempt would be."""

    state: EmailState


@dataclass(frozen=True, slots=True)
class InDoubt(_Attempt):
    """Handed over, but neither taken nor refused."""


@dataclass(frozen=True, slots=True)
class Withdrawn(_Attempt):
    """Not handed over: the e-mail was the sender's no longer."""


Outcome: TypeAlias = Accepted | Deferred | Rejected | InDoubt | Withdrawn
UNSENT = Reply(None, "not handed over: the worker holds the e-mail no longer")  # in place of a relay's reply

# A 5yz that says how the installation is set up, not who the recipient is: retried until the e-mail expires.
INSTALLATION = {
    *(523, 530, 534, 535, 538),  # encryption or authentication is missing, too weak or wrong (RFC 4954, 6; RFC 5248)
    *("5.7.8", "5.7.9", "5.7.10", "5.7.11", "5.7.12"),  # the same, and an expired password, as enhanced codes
}

# What an enhanced code means (RFC 3463 and the registry of RFC 5248), in whatever phase it comes.
BY_ENHANCED: dict[str | None, EmailState] = {
    "5.1.0": EmailState.FAILED_BOUNCED,  # address, nothing more said
    "5.1.1": EmailState.FAILED_BOUNCED,  # no such mailbox
    "5.1.2": EmailState.FAILED_BOUNCED,  # no such domain
    "5.1.3": EmailState.FAILED_INVALID_EMAIL_FORMAT,  # bad syntax
    "5.1.6": EmailState.FAILED_BOUNCED,  # moved, no forwarding
    "5.1.7": EmailState.FAILED,  # the sender's syntax, often said at RCPT
    "5.1.8": EmailState.FAILED,  # the sender's domain, likewise
    "5.1.10": EmailState.FAILED_BOUNCED,  # null MX (RFC 7505)
    "5.2.0": EmailState.FAILED_BOUNCED,  # mailbox, nothing more said
    "5.2.1": EmailState.FAILED_BOUNCED,  # disabled
    "5.2.2": EmailState.FAILED_BOUNCED,  # full
    "5.2.3": EmailState.FAILED_PAYLOAD_TOO_LARGE,  # longer than the mailbox allows
    "5.3.4": EmailState.FAILED_PAYLOAD_TOO_LARGE,  # longer than the system allows
    "5.4.4": EmailState.FAILED_BOUNCED,  # no route: the domain has no host
}

# What the basic code means where no enhanced code decides (RFC 5321, 4.2.3); every other phase and code: Failed.
BY_CODE: dict[tuple[Phase, int | None], EmailState] = {
    (Phase.RCPT, 501): EmailState.FAILED_INVALID_EMAIL_FORMAT,  # syntax error in the argument
    (Phase.RCPT, 550): EmailState.FAILED_BOUNCED,  # mailbox unavailable
    (Phase.RCPT, 551): EmailState.FAILED_BOUNCED,  # user not local
    (Phase.RCPT, 552): EmailState.FAILED_BOUNCED,  # mailbox full
    (Phase.RCPT, 553): EmailState.FAILED_INVALID_EMAIL_FORMAT,  # mailbox name not allowed: its syntax
    (Phase.RCPT, 556): EmailState.FAILED_BOUNCED,  # domain takes no mail (RFC 7504)
    (Phase.MAIL, 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,  # SIZE declared (RFC 1870)
    (Phase.DATA, 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,
    (Phase.DOT, 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,
}

SPAM = re.compile(r"spam|unsolicited|junk|phish", re.IGNORECASE)


def judge(reply: Reply, phase: Phase, duration: timedelta) -> Outcome:
    """Decide what the reply that ended an attempt in `phase` means for the e-mail."""
    if reply is UNSENT:
        return Withdrawn(reply, phase, duration)
    kind = (reply.code or 0) // 100
    if phase is Phase.DOT and kind == 2:  # noqa: PLR2004  # 2yz (RFC 5321, 4.2.1)
        return Accepted(reply, phase, duration)
    if phase is Phase.DOT and kind not in (4, 5):
        return InDoubt(reply, phase, duration)
    installation = phase is Phase.CONNECT or reply.code in INSTALLATION or reply.enhanced in INSTALLATION
    if kind != 5 or installation:  # noqa: PLR2004  # 5yz
        return Deferred(reply, phase, duration)
    return Rejected(reply, phase, duration, _final_state(reply, phase))


def _final_state(reply: Reply, phase: Phase) -> EmailState:
    """Find what a 5yz about this e-mail ends it as: enhanced code first, then policy, then basic code."""
    enhanced = reply.enhanced
    if enhanced in BY_ENHANCED:
        return BY_ENHANCED[enhanced]
    policy = enhanced.startswith("5.7.") if enhanced else phase is Phase.DOT
    words = [word for word in reply.text.split() if "@" not in word]  # a recipient called spam@example.no is no spam
    if policy and SPAM.search(" ".join(words)):
        return EmailState.FAILED_FILTERED_SPAM
    if policy and enhanced:
        return EmailState.FAILED
    return BY_CODE.get((phase, reply.code), EmailState.FAILED)
