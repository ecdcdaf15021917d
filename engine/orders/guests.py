"""Orders of team keys: recipients that are not among the key's guests are refused, each by its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from engine.auth.api_keys.guests import is_guest
from engine.errors import Invalid
from engine.orders.chains import NewChain
from engine.orders.new_order import NewOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    from engine.orders.rules import Limits

Payload: TypeAlias = "dict[str, Any]"  # type: ignore[explicit-any]  # JSON
Parse: TypeAlias = "Callable[[Payload, Limits, datetime], Made]"
Made = TypeVar("Made", NewOrder, NewChain)

TOLD = 100  # strangers that an answer names
STRANGER = "This is not in the guest list of the team key, which sends to nobody else."


def to_guests(parse: Parse[Made], guests: Collection[str] | None) -> Parse[Made]:
    """`parse`, which then refuses orders to others; Invalid names them. `guests` None: anybody may be ordered for."""
    if guests is None:
        return parse

    def parsed(value: Payload, limits: Limits, now: datetime) -> Made:
        made = parse(value, limits, now)
        its = _of_chain(made) if isinstance(made, NewChain) else _of_order(made, "Recipients[{}]")
        strangers = [place for place, recipient in its if not is_guest(recipient, guests)]
        if strangers:
            raise Invalid({place: [STRANGER] for place in strangers[:TOLD]})
        return made

    return parsed


def _of_chain(chain: NewChain) -> Iterator[tuple[str, str]]:
    first, *reminders = chain.orders
    yield from _of_order(first, "Recipient")
    for number, reminder in enumerate(reminders):
        yield from _of_order(reminder, f"Reminders[{number}].Recipient")


def _of_order(order: NewOrder, place: str) -> Iterator[tuple[str, str]]:
    """Its recipients: where each stands, and their address or number."""
    names: Sequence[tuple[str, str]] = (
        ("emailAddress", "EmailAddress"),
        ("nationalIdentityNumber", "NationalIdentityNumber"),
        ("organizationNumber", "OrganizationNumber"),
    )
    for number, recipient in enumerate(order.recipients):
        for name, field in names:
            if value := recipient.get(name):
                yield f"{place.format(number)}.{field}", str(value)
