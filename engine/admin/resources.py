"""The resources of the console and the command line: kinds of rows that have a list.

What a list can be narrowed by is defined here: the console's form, the command's options and what either accepts
follow from it. The conditions are in narrowing.py. The resource of an event (`urn:altinn:resource:…`) is another thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Uuid

from engine.admin.api_keys import STATES
from engine.admin.belonging import of_job
from engine.admin.filters import (
    EMAIL_ERRORS,
    PAGE,
    PUSH_ERRORS,
    Field,
    codes,
    failure,
    number,
    numbers,
    uuid,
    uuids,
)
from engine.admin.lookups import id_range
from engine.admin.mailings import FAILED, WAITING
from engine.admin.masking import is_masked
from engine.admin.narrowing import NARROW
from engine.admin.recurring import STATES as RECURRING_STATES
from engine.admin.sentences import ACTIONS as DONE
from engine.admin.standing import GROUPS
from engine.admin.subscriptions import OF_STATE as SUBSCRIPTION_STATES
from engine.auth.api_keys.secrets import KeyKind
from engine.db.tables import (
    api_keys,
    audit_log,
    deliveries,
    emails,
    events,
    jobs,
    orders,
    recurring_orders,
    senders,
    subscriptions,
)
from engine.models import LEVELS, DeliveryState, EmailState, OrderState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from sqlalchemy import Column, Connection, Table

    from engine.admin.narrowed import Narrowed
    from engine.admin.narrowing import Given


@dataclass(frozen=True, slots=True)
class Resource:  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    """A kind of rows that operators look at. `lists` and `shows` tell what its commands print; "": no row has a page.

    The values of its field `state` are those of the table, and groups of them in lower case.
    """

    name: str
    table: Table  # type: ignore[explicit-any]
    key: Column[object]  # newest last
    lists: str
    shows: str
    fields: Mapping[str, Field]

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The values of fields that have only so many."""
        return {name: field.choices for name, field in self.fields.items() if field.choices}

    @property
    def open_fields(self) -> dict[str, Field]:
        """The fields that viewers see: filters by masked values would reveal them, piece by piece."""
        return {name: field for name, field in self.fields.items() if not is_masked(name)}

    @property
    def read_key(self) -> Callable[[str], UUID | int]:
        """Makes a row's key of what was typed; ValueError."""
        return uuid if isinstance(self.key.type, Uuid) else number

    def narrow(self, connection: Connection, given: Given) -> Narrowed:
        """The conditions and the order of its list; `given`: values that filters.parse has checked."""
        found = NARROW[self.name](connection, given)
        if ids := given.get("ids"):
            found.by.append(self.key.in_(ids))
        if job := given.get("job"):
            found.by.append(self.table.c.seq.in_(of_job(job)))
        return found


def _by_name(*fields: Field) -> dict[str, Field]:
    return {field.name: field for field in fields}


_PRIORITY = Field("priority", "Which pass which.", choices=LEVELS)
_CREATOR = Field("creator", "Who ordered, such as ttd.")
_REFERENCE = Field("reference", "The sender's reference, or its beginning and *.")
_RECIPIENT = Field("recipient", "An address or its beginning, @domain, or a number.")
_KEY = Field("idempotency", "Its idempotency key.")
_QUEUE_ID = Field("queue", "What the relay calls it, or its beginning and *.")
_CREATED = (Field("since", "From: a time, or how long ago: 90m, 24h, 7d."), Field("until", "Before: likewise."))
_ORDER = Field("order", "An order's id.", uuid)
_ORDERS = Field("order", "An order's id, or its first letters.", id_range)
_CHAIN = Field("chain", "A chain's id, or its first letters.", id_range)
_EMAIL = Field("email", "An e-mail's id, or its first letters.", id_range)
_EVENT = Field("event", "An event's number.", number)
_SUBSCRIPTION = Field("subscription", "A subscription's number.", number)
_JOB = Field("job", "The number of a job that changed it.", number)
_DELIVERY = Field("delivery", "A delivery's number.", number)
_IDS = Field("ids", f"Up to {PAGE} ids, with commas between them.", uuids, longest=PAGE * 40)
_NUMBERS = Field("ids", f"Up to {PAGE} numbers, with commas between them.", numbers, longest=PAGE * 20)


def _state(*choices: str) -> Field:
    return Field("state", "Its state, or a group.", choices=choices)


def _error(choices: Mapping[str, object]) -> Field:
    return Field("error", "How an attempt ended.", choices=tuple(choices))


ORDERS = Resource(
    "orders",
    orders,
    orders.c.id,
    "Print orders, the newest first.\n\nThose that wait: the next one due first.",
    "Print an order with its counts.\n\nAlso why it waits, and who did what to it.",
    _by_name(
        _state(WAITING, *GROUPS, *OrderState),
        _PRIORITY,
        _CREATOR,
        _REFERENCE,
        _RECIPIENT,
        *_CREATED,
        _ORDERS,
        _CHAIN,
        _KEY,
        _JOB,
        _IDS,
    ),
)
EMAILS = Resource(
    "emails",
    emails,
    emails.c.id,
    "Print e-mails, the newest first.\n\nThose that wait: the next one due first.",
    "Print an e-mail with every attempt.\n\nAlso why it waits or failed, and who did what to it.",
    _by_name(
        _state(WAITING, *GROUPS, FAILED, *EmailState),
        _PRIORITY,
        _RECIPIENT,
        _CREATOR,
        _REFERENCE,
        _error(EMAIL_ERRORS),
        Field("code", "A reply's code: 550, 5.1.1, or both.", codes),
        Field("failure", "How an attempt failed: a group of `varsel failures`.", failure),
        Field("relay", "The relay of an attempt that failed, as attempts name it."),
        Field("failed", "An attempt failed since: a time, or how long ago: 90m, 24h, 7d."),
        Field("ended", "It was sent, failed or cancelled since: likewise."),
        Field("upto", "It was so before: likewise."),
        *_CREATED,
        _ORDER,
        _EMAIL,
        _JOB,
        _QUEUE_ID,
        _IDS,
    ),
)
EVENTS = Resource(
    "events",
    events,
    events.c.seq,
    "Print events, the newest first.",
    "Print an event, and to whom it was pushed.",
    _by_name(
        Field("type", "A part of its type."),
        Field("source", "A part of its source."),
        Field("subject", "Its subject."),
        Field("resource", "Its resource."),
        Field("id", "Its publisher's id, or its beginning and *."),
        *_CREATED,
        _EVENT,
    ),
)
SUBSCRIPTIONS = Resource(
    "subscriptions",
    subscriptions,
    subscriptions.c.seq,
    "Print subscriptions, the newest first.",
    "Print a subscription with the number of its deliveries by state.",
    _by_name(
        Field("state", "Its state.", choices=tuple(SUBSCRIPTION_STATES)),
        Field("consumer", "Whose it is, such as /org/ttd."),
        Field("endpoint", "A part of its address."),
        Field("resource", "A part of its resource filter."),
        _SUBSCRIPTION,
    ),
)
DELIVERIES = Resource(
    "deliveries",
    deliveries,
    deliveries.c.seq,
    "Print deliveries, the newest first.",
    "Print a delivery with every attempt, and why it waits.",
    _by_name(
        _state(*GROUPS, *DeliveryState),
        _SUBSCRIPTION,
        _EVENT,
        _error(PUSH_ERRORS),
        *_CREATED,
        _DELIVERY,
        _JOB,
        _NUMBERS,
    ),
)
AUDIT = Resource(
    "audit",
    audit_log,
    audit_log.c.seq,
    "Print the audit log, the newest line first.",
    "",
    _by_name(
        Field("who", "Who did it, such as anna or cli:root."),
        Field("action", "What was done, such as pause.", choices=tuple(DONE)),
        Field("target", "To what, such as lane/emails, orders, or subscriptions/12."),
        *_CREATED,
    ),
)
JOBS = Resource(
    "jobs", jobs, jobs.c.seq, "Print background jobs, the newest first.", "Print a job and how far it is.", {}
)
RECURRING = Resource(
    "recurring",
    recurring_orders,
    recurring_orders.c.id,
    "Print recurring orders, the next run first.",
    "Print a recurring order with its next times.\n\nAlso what each run says to whom, and who did what to it.",
    _by_name(Field("state", "Its state.", choices=RECURRING_STATES), _CREATOR),
)
KEYS = Resource(
    "keys",
    api_keys,
    api_keys.c.seq,
    "Print API keys, the newest first.",
    "",
    _by_name(
        Field("state", "Its state.", choices=STATES), Field("kind", "Its kind.", choices=tuple(KeyKind)), _CREATOR
    ),
)
SENDERS = Resource(
    "senders", senders, senders.c.seq, "Print sender identities, the newest first.", "", _by_name(_CREATOR)
)
ALL = (ORDERS, EMAILS, RECURRING, EVENTS, SUBSCRIPTIONS, DELIVERIES, AUDIT, JOBS, KEYS, SENDERS)
RESOURCES = {resource.name: resource for resource in ALL}
