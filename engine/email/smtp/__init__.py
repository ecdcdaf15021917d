"""Mail to the relay: `Relay.send()` hands one message over and returns what became of it, as a value.

relay.py        senders in their order, each with one message
pool.py         the sessions: which of them work, rest and leave, and how many there may be
concurrency.py  how many of them the relay takes
session.py      one session and its transactions
handshake.py    how a session begins; with protocol.py all that knows aiosmtplib
phases.py       the phases of a transaction
protocol.py     what is said to the relay, and its replies, bounded
route.py        how to get to the relay
envelope.py     a message as it goes on the wire
replies.py      what became of an attempt, by the relay's reply
refusals.py     what a refusal means: the table
queue_ids.py    what the relay calls a message that it has taken over
"""

from engine.email.smtp.phases import Phase
from engine.email.smtp.queue_ids import queue_id
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
    "queue_id",
]
