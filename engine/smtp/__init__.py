"""Mail to the relay: `Relay.send()` hands one message over and returns what became of it, as a value.

relay.py        the pool of connections, and what happens to each after use
concurrency.py  how many of them the relay takes
session.py      one connection and its transactions; with protocol.py all that knows aiosmtplib
protocol.py     replies as they come in, bounded
replies.py      what the relay's replies mean
"""

from engine.smtp.relay import Relay, Trouble, Turn
from engine.smtp.replies import UNSENT, Accepted, Deferred, InDoubt, Outcome, Phase, Rejected, Reply, Withdrawn

__all__ = [
    "UNSENT",
    "Accepted",
    "Deferred",
    "InDoubt",
    "Outcome",
    "Phase",
    "Rejected",
    "Relay",
    "Reply",
    "Trouble",
    "Turn",
    "Withdrawn",
]
