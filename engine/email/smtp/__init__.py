"""Mail to the relay: `Relay.send()` hands one message over and returns what became of it, as a value.

relay.py        the pool of connections, and what happens to each after use
concurrency.py  how many of them the relay takes
session.py      one connection and its transactions; with protocol.py all that knows aiosmtplib
protocol.py     replies as they come in, bounded
replies.py      what became of an attempt, by the relay's reply
refusals.py     what a refusal means: the table
"""

from engine.email.smtp.phases import Phase
from engine.email.smtp.relay import Relay, Turn
from engine.email.smtp.replies import UNSENT, Accepted, Deferred, InDoubt, Outcome, Refused, Rejected, Reply, Withdrawn

__all__ = [
    "UNSENT",
    "Accepted",
    "Deferred",
    "InDoubt",
    "Outcome",
    "Phase",
    "Refused",
    "Rejected",
    "Relay",
    "Reply",
    "Turn",
    "Withdrawn",
]
