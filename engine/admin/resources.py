"""The resources of the console and the command line: kinds of rows that have a list.

The resource of an event (`urn:altinn:resource:…`) is something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.admin.filters import EMAIL_ERRORS, PUSH_ERRORS
from engine.admin.narrowing import FAILED, NARROW, WAITING
from engine.admin.rows import is_masked
from engine.admin.standing import GROUPS
from engine.db.tables import audit_log, deliveries, emails, events, jobs, orders, subscriptions
from engine.models import DeliveryState, EmailState, OrderState

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Table

    from engine.admin.narrowing import Given, Narrowed


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of rows that operators look at. `states`: those of the table, and groups of them in lower case."""

    name: str
    table: Table
    key: Column[Any]  # newest last
    fields: tuple[str, ...]
    states: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """The values of fields that have only so many."""
        return {"state": self.states, "error": self.errors}

    @property
    def open_fields(self) -> tuple[str, ...]:
        """The fields that viewers see: whoever narrows a list by what is masked reads it, piece by piece."""
        return tuple(name for name in self.fields if not is_masked(name))

    def narrow(self, connection: Connection, given: Given) -> Narrowed:
        """The conditions and the order of its list; `given`: values that filters.parse has checked."""
        return NARROW[self.name](connection, given)


ORDERS = Resource(
    "orders",
    orders,
    orders.c.id,
    ("state", "creator", "reference", "recipient", "since", "until", "order"),
    states=(WAITING, *GROUPS, *OrderState),
)
EMAILS = Resource(
    "emails",
    emails,
    emails.c.id,
    ("state", "recipient", "creator", "reference", "error", "since", "until", "order", "email"),
    states=(WAITING, *GROUPS, FAILED, *EmailState),
    errors=tuple(EMAIL_ERRORS),
)
EVENTS = Resource(
    "events",
    events,
    events.c.seq,
    ("type", "source", "subject", "resource", "id", "since", "until", "event"),
)
SUBSCRIPTIONS = Resource(
    "subscriptions",
    subscriptions,
    subscriptions.c.seq,
    ("state", "consumer", "endpoint", "resource", "subscription"),
    states=("paused", "failing", "unvalidated"),
)
DELIVERIES = Resource(
    "deliveries",
    deliveries,
    deliveries.c.seq,
    ("state", "subscription", "event", "error", "since", "until", "delivery"),
    states=(*GROUPS, *DeliveryState),
    errors=tuple(PUSH_ERRORS),
)
AUDIT = Resource("audit", audit_log, audit_log.c.seq, ("who", "action", "target", "since", "until"))
JOBS = Resource("jobs", jobs, jobs.c.seq, ())
RESOURCES = {resource.name: resource for resource in (ORDERS, EMAILS, EVENTS, SUBSCRIPTIONS, DELIVERIES, AUDIT, JOBS)}
