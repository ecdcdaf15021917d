"""Events of orders and e-mails: senders subscribe to results instead of polling for them.

The types are `no.varsel.order.STATE` and `no.varsel.email.STATE`, with the state in lower case; only final states are
published. The resource is the creator's own (`status_resource` of engine/resources.py), the subject is the order's id.
They have no personal data: the orders API tells the creator who received what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pydantic_core import to_json

from engine.events.cloudevent import VERSION
from engine.models import CloudEvent, is_test
from engine.resources import status_resource
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from engine.models import EmailState, OrderState

SOURCE = "urn:varsel:orders"


class Named(Protocol):
    """The members of an order that its events have."""

    @property
    def id(self) -> UUID: ...
    @property
    def creator(self) -> str: ...
    @property
    def senders_reference(self) -> str | None: ...


def event_type(kind: str, state: str) -> str:
    """The type of an event of an order or e-mail in this state."""
    return f"no.varsel.{kind}.{state.lower()}"


def order_event(order: Named, state: OrderState, at: datetime) -> CloudEvent:
    """The event of an order that has ended; `at`: the database's time."""
    return _event("order", str(order.id), order, state, at, {})


def email_event(order: Named, email_id: UUID, state: EmailState, at: datetime) -> CloudEvent:
    """The event of an order's e-mail that has ended; `at`: the database's time."""
    named = str(email_id)
    return _event("email", named, order, state, at, {"notificationId": named})


def _event(  # noqa: PLR0913, PLR0917 what both kinds have in common
    kind: str, name: str, order: Named, state: str, at: datetime, more: dict[str, str]
) -> CloudEvent:
    """The event, unchecked: what Varsel says itself is well-formed, and workers make one for each e-mail."""
    named = str(order.id)
    data: dict[str, str | bool] = {"orderId": named, **more, "status": str(state)}
    if order.senders_reference is not None:
        data["sendersReference"] = order.senders_reference
    if is_test(order.creator):
        data["test"] = True
    its = {
        "specversion": VERSION,
        "id": f"{name}-{state.lower()}",
        "source": SOURCE,
        "type": event_type(kind, state),
        "subject": f"/orders/{named}",
        "time": rfc3339(at),
        "resource": status_resource(order.creator),
        "datacontenttype": "application/json",
    }
    return CloudEvent(
        id=its["id"],
        source=SOURCE,
        type=its["type"],
        subject=its["subject"],
        resource=its["resource"],
        alternative_subject=None,
        time=at,
        text=to_json({**its, "data": data}).decode(),
    )
