"""Orders with a template: which version they are made of, and whether each recipient's values fit its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import Invalid, NotFound
from engine.models import OrderKind
from engine.templating.content import Content
from engine.templating.schema import MOST_TOLD, misfits, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from engine.orders.new_order import NewOrder
    from engine.templating.registry import TemplateVersion

    Find = Callable[[Connection, str, str, int | None], TemplateVersion]

_PLACES = {OrderKind.INSTANT: "RecipientEmail.", OrderKind.COMPOSED: "Recipient."}
_KINDS = {
    "emailAddress": "RecipientEmail",
    "nationalIdentityNumber": "RecipientPerson",
    "organizationNumber": "RecipientOrganization",
}


def pinned(
    connection: Connection, find: Find, creator: str, orders: Sequence[NewOrder], *, chained: bool
) -> list[TemplateVersion | None]:
    """For each order the version of its template, None for one without; Invalid names each value that does not fit."""
    errors: dict[str, list[str]] = {}
    found: list[TemplateVersion | None] = []
    for number, order in enumerate(orders):
        if order.template is None:
            found.append(None)
            continue
        within = _within(order, number) if chained else ""
        try:
            version = find(connection, creator, order.template.name, order.template.version)
        except NotFound as error:
            errors[f"{within}Template"] = [str(error)]
            continue
        found.append(version)
        _check(order, Content.of(version.content), within, errors, chained=chained)
    if errors:
        raise Invalid(errors)
    return found


def _check(order: NewOrder, content: Content, within: str, errors: dict[str, list[str]], *, chained: bool) -> None:
    if content.usual.subject is None:
        errors[f"{within}Template"] = ["This template has no subject: it is a part of others."]
        return
    schema = prepared(content.schema)
    for row, recipient in enumerate(order.recipients):
        place = within if chained else f"Recipients[{row}]."
        for value, message in misfits(schema, recipient.get("values", {})):
            if len(errors) >= MOST_TOLD:
                return
            errors.setdefault(f"{place}Values.{value}".rstrip("."), []).append(message)


def _within(order: NewOrder, number: int) -> str:
    """Where the only recipient of a chain's order stands in what was posted."""
    if order.kind in _PLACES:
        return _PLACES[order.kind]
    [recipient] = order.recipients
    known_by = next(place for member, place in _KINDS.items() if member in recipient)
    return f"Reminders[{number - 1}].Recipient.{known_by}." if number else f"Recipient.{known_by}."
