"""Pressure: whether a reply asks for fewer e-mails, and of whom.

Not every "not now" does. A full mailbox is one recipient's, and greylisting (RFC 6647) puts off whoever comes for the
first time, however slowly. docs/replies.md tells it to operators.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.email.smtp import Phase
from engine.email.smtp.replies import CLOSING

if TYPE_CHECKING:
    from engine.email.outcomes import Result
    from engine.email.smtp import Reply

BUSY = {CLOSING, 450, 451, 452}  # RFC 5321, 4.2.3
ONE_MAILBOX = ("4.1.", "4.2.", "4.6.")  # about an address, a mailbox or a message's form (RFC 3463)
THE_SYSTEM = "4.3."  # about the mail system that answers, whoever the recipient is
_GREYLISTED = re.compile(r"gr[ae]y ?-?list", re.IGNORECASE)
_TOO_FAST = re.compile(
    r"too (?:many|much|fast|quick)|\brate\b|\blimit|throttl|slow(?:er)? down|concurren|congest|overload|\bbusy\b",
    re.IGNORECASE,
)


class Kind(StrEnum):
    """Whom fewer e-mails go to."""

    RELAY = "relay"
    DOMAIN = "domain"


def asks(result: Result) -> Kind | None:
    """Who asks for fewer e-mails by the reply to this attempt; None: nobody does."""
    reply = result.reply
    if result.outcome != "deferred" or reply.code not in BUSY or _GREYLISTED.search(reply.text):
        return None
    code = reply.enhanced or ""
    if code.startswith(ONE_MAILBOX):
        return None
    if result.phase in (Phase.CONNECT, Phase.MAIL) or code.startswith(THE_SYSTEM):
        return Kind.RELAY
    return None if _may_be_greylisting(result, reply) else Kind.DOMAIN


def _may_be_greylisting(result: Result, reply: Reply) -> bool:
    """A recipient who is refused the first time, without a word on speed; it asks for less if the next try fails."""
    first = result.phase == Phase.RCPT and result.email.attempts == 0
    return first and reply.code != CLOSING and not _TOO_FAST.search(reply.text)
