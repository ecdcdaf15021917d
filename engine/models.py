"""States as users see them, and the records that all rooms of the engine share."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from engine.text.language import N_

if TYPE_CHECKING:
    from collections.abc import Collection

# What follows where an order's condition gave no clear answer.
SENT_ANYWAY, ASKED_AGAIN = N_("sent anyway"), N_("asked again in %(seconds)s s")
# A subscription's last error.
NOT_ACCEPTED = (
    N_("an event was not accepted: %(answer)s"),
    N_("the validation event was not accepted: %(answer)s"),
)
# Why a subscription is paused; its consumer ends the pause by resuming or posting the subscription.
GONE = N_("The endpoint answered 410 Gone; resume the subscription when it is back.")
EXPIRY_HOURS = 48
EXPIRY = timedelta(hours=EXPIRY_HOURS)  # from an order's send time until its e-mails are given up (contract 6.4)
LONGEST_SUBJECT = 998  # characters, the longest line of RFC 5322, 2.1.1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_CHANCE = random.Random()  # noqa: S311 seeded by the system in each process; see new_id
os.register_at_fork(after_in_child=_CHANCE.seed)  # else, processes of one parent would make the same identifiers


class ContentType(StrEnum):
    """The format of an order's body (contract 3.1)."""

    PLAIN = "Plain"
    HTML = "Html"


class DeliveryGuarantee(StrEnum):
    """What follows when an attempt is in doubt: the e-mail is sent again, or reported as failed (RFC 1047)."""

    AT_LEAST_ONCE = "AtLeastOnce"
    AT_MOST_ONCE = "AtMostOnce"


class Priority(StrEnum):
    """Which orders pass which: instant ones have connections of their own, and bulk gets what the others leave."""

    INSTANT = "Instant"
    NORMAL = "Normal"
    BULK = "Bulk"

    @property
    def level(self) -> int:
        """As the database has it: what comes first is smaller."""
        return LEVELS.index(self)


TEST = "Test"  # stands in place of a priority: nobody who has a relay claims it
LEVELS: tuple[str, ...] = (*Priority, TEST)


class OrderKind(StrEnum):
    """How an order came, in the words of the second generation (contract 3.10)."""

    NOTIFICATION = "Notification"
    REMINDER = "Reminder"  # of another order, in its chain
    INSTANT = "Instant"
    COMPOSED = "Composed"


class Duplicates(StrEnum):
    """What becomes of a recipient who has come before in the same order."""

    DROP = "Drop"
    KEEP = "Keep"


class OrderState(StrEnum):
    """An order's life (contract 6.1)."""

    OPEN = "Open"  # stored, its recipients are still to come; v1 shows it as Registered
    REGISTERED = "Registered"  # stored, waiting for its send time
    PROCESSING = "Processing"  # claimed for its condition, look-up and generation, or waiting for another attempt
    PROCESSED = "Processed"  # all e-mails generated, at least one not settled; v1 shows it as Completed
    COMPLETED = "Completed"  # every e-mail is settled
    SEND_CONDITION_NOT_MET = "SendConditionNotMet"  # the condition endpoint said no
    CANCELLED = "Cancelled"  # by its creator or an operator
    SET_ASIDE = "SetAside"  # it cannot be processed, and its e-mails have failed; v1 shows it as Completed


class EmailState(StrEnum):
    """What became of one message to one address (contract 6.2)."""

    NEW = "New"  # generated, or deferred by the relay; waits for its next attempt
    SENDING = "Sending"  # claimed by a worker
    SUCCEEDED = "Succeeded"  # the relay accepted it
    DELIVERED = "Delivered"  # a report says that it reached the mailbox
    FAILED = "Failed"  # refused for a reason that has no state of its own
    FAILED_RECIPIENT_RESERVED = "Failed_RecipientReserved"
    FAILED_RECIPIENT_NOT_IDENTIFIED = "Failed_RecipientNotIdentified"
    FAILED_INVALID_EMAIL_FORMAT = "Failed_InvalidEmailFormat"
    FAILED_SUPRESSED_RECIPIENT = "Failed_SupressedRecipient"  # the contract's spelling
    FAILED_BOUNCED = "Failed_Bounced"
    FAILED_FILTERED_SPAM = "Failed_FilteredSpam"
    FAILED_TTL = "Failed_TTL"  # not delivered within 48 hours; v1 shows it as Failed
    FAILED_QUARANTINED = "Failed_Quarantined"  # the server of an attachment keeps it back as harmful
    FAILED_INVALID_SAS_URL = "Failed_InvalidSasUrl"  # an attachment is not to be had at its address
    FAILED_PAYLOAD_TOO_LARGE = "Failed_PayloadTooLarge"
    CANCELLED = "Cancelled"  # its creator withdrew the order before it was sent


_TEST = ":test"  # what the name of a creator ends with whose orders are tests: no token can name it
HANDED_OVER = (EmailState.SUCCEEDED, EmailState.DELIVERED)


class SubscriptionState(StrEnum):
    """Whether a worker has claimed a subscription."""

    WAITING = "Waiting"
    PUSHING = "Pushing"


class DeliveryState(StrEnum):
    """What became of one event for one subscriber."""

    WAITING = "Waiting"  # for its first or next attempt
    DELIVERED = "Delivered"  # answered with 2xx, or made into an order
    DEAD = "Dead"  # given up; its last attempt has the reason, and it can be tried again
    UNAUTHORIZED = "Unauthorized"  # the subscriber may not have this event


class FanOutState(StrEnum):
    """Whether events that match many subscriptions wait for their next step; a step runs within one transaction."""

    WAITING = "Waiting"
    RUNNING = "Running"


class JobState(StrEnum):
    """The progress of a background job that an operator started."""

    WAITING = "Waiting"  # for its next batch
    RUNNING = "Running"
    DONE = "Done"
    STOPPED = "Stopped"  # by an operator
    FAILED = "Failed"  # given up; the row has the reason


@dataclass(frozen=True, slots=True)
class Content:
    """The texts of a message, the same for all recipients of an order until keywords are replaced."""

    sender: str  # the From address
    subject: str  # one line, no control characters
    body: str
    content_type: ContentType
    sender_name: str | None = None  # beside the From address
    reply_to: str | None = None  # an address; None: answers go to the sender
    plain: str | None = None  # beside an HTML body; None: it is made of that


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """An event (CloudEvents 1.0) as it is stored; `text` is the whole event in the JSON format."""

    id: str
    source: str
    type: str
    subject: str | None
    resource: str | None  # extension attribute, used by matching and access
    alternative_subject: str | None  # extension attribute `alternativesubject`
    time: datetime | None  # aware
    text: str  # compact JSON: specversion first, data or data_base64 last


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `creator` owns what it creates; None when the credential names no organisation."""

    creator: str | None
    scopes: frozenset[str]
    platform: bool  # True: authenticated by a PlatformAccessToken
    identity: str | None = None  # who subscribes and reads events, such as /org/ttd (events contract 6.1)
    app: str | None = None  # the application that a PlatformAccessToken names
    party: str | None = None  # the number of the party that an end user's token speaks for
    by_key: bool = False  # authenticated by an API key
    guests: Collection[str] | None = None  # the only ones to whom a team key may send; None: to anybody

    @property
    def name(self) -> str:
        """The caller in the audit log."""
        return self.identity or self.creator or ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a creator's quota: so many recipients in what remains of a window."""

    name: str  # minute or day
    quota: int  # recipients
    window: timedelta
    left: int  # recipients
    during: timedelta


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why e-mails wait or take other relays, in a relay's words or in Varsel's, and since when, by the steady clock.

    `relay`: which relays it is about; empty: the only one.
    """

    since: float
    text: str
    relay: str = ""
    said: str = ""  # a sentence without its full stop
    advice: str = ""  # what to do about it


@dataclass(frozen=True, slots=True)
class RelayState:
    """A relay as one worker process sees it."""

    name: str
    state: str = "up"  # up, down (no session is to be had), refusing (this installation or its sender)
    since: float | None = None  # by the steady clock; None: it is up
    said: str = ""  # why, in a sentence without its full stop
    advice: str = ""
    effect: str = ""  # what becomes of its e-mails


@dataclass(frozen=True, slots=True)
class Slowed:
    """Whom e-mails of a worker process go to slowly, and why."""

    kind: str  # relay, domain
    name: str
    since: float  # by the steady clock
    said: str  # the reply that asked for it; empty: it is a limit of the operator's
    rate: float | None = None  # e-mails a second: of this process; of a limit, of the whole installation
    connections: int | None = None  # e-mails at once, likewise


def creator_of_tests(creator: str) -> str:
    """The creator that the test keys of a creator stand for: its orders, events and references are apart."""
    return creator + _TEST


def live_creator(creator: str) -> str:
    """The creator whose tests they are."""
    return creator.removesuffix(_TEST)


def is_test(creator: str) -> bool:
    """Whether the orders of a creator are tests, of which nothing is sent."""
    return creator.endswith(_TEST)


def new_id(at: datetime) -> UUID:
    """A fresh UUID version 7 (RFC 9562, 5.7): rows that are made together are together in their index.

    `at`: the database's time, so that identifiers sort by time, whichever machine makes them. An identifier is not a
    secret, since only its creator may ask for it; so it needs no system call.
    """
    stamp, chance = _stamp(at), _CHANCE.getrandbits(74)
    return UUID(int=stamp << 80 | 7 << 76 | chance >> 62 << 64 | 2 << 62 | chance & (1 << 62) - 1)


def derived_id(at: datetime, *names: object) -> UUID:
    """An identifier that follows from `names`: the same each time, and unlike any other.

    A UUID version 8 (RFC 9562, 5.8) that begins with the time `at`, so that it sorts among those of version 7, and ends
    in a digest of `names`. `at`, too, must be the same each time.
    """
    digest = int.from_bytes(sha256("\0".join(map(str, names)).encode("utf-8", "surrogatepass")).digest()[:10])
    return UUID(int=_stamp(at) << 80 | 8 << 76 | (digest >> 62 & 0xFFF) << 64 | 2 << 62 | digest & (1 << 62) - 1)


def _stamp(at: datetime) -> int:
    return (at - _EPOCH) // _MILLISECOND
