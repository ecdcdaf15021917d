"""The row that somebody means by an id, the beginning of one, a number, or what its sender or publisher calls it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.admin.filters import bounded
from engine.admin.lookups import id_range, referred
from engine.admin.resources import EMAILS, EVENTS, ORDERS, RECURRING
from engine.db.tables import emails, events, orders
from engine.errors import Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.admin.resources import Resource

FEW = 5  # rows that are named when several are meant
_LINKED = {"order": ORDERS, "email": EMAILS}  # fields of lists that take an id


def key_of(connection: Connection, resource: Resource, text: str) -> UUID | int:
    """The key of the row that is meant; Invalid if several are, NotFound if none is.

    A whole id or a number is taken as it is: whoever looks the row up says that it is not there.
    """
    with suppress(ValueError):
        return resource.read_key(text)
    try:
        found = _meant(connection, resource, bounded(text))
    except ValueError as error:
        raise Invalid({"id": [str(error)]}) from None
    if not found:
        raise NotFound(f"None of the {resource.name} has an id that begins with {text}, or is called so.")
    if len(found) > 1:
        named = ", ".join(map(str, found[:FEW])) + (" and others" if len(found) > FEW else "")
        raise Invalid({"id": [f"{text} may be {named}. Give more of its id."]})
    return found[0]


def completed(connection: Connection, given: Mapping[str, str]) -> dict[str, str]:
    """Values of a list's fields, with ids in place of their beginnings and of references; Invalid."""
    found = dict(given)
    for name, resource in _LINKED.items():
        if name in found:
            try:
                found[name] = str(key_of(connection, resource, found[name]))
            except NotFound as error:
                raise Invalid({name: [str(error)]}) from None
    return found


def _meant(connection: Connection, resource: Resource, text: str) -> Sequence[UUID | int]:
    """The keys of the rows that may be meant; up to one more than FEW by each way."""
    chosen = []
    if resource is EVENTS:
        chosen.append(select(events.c.seq).where(events.c.id == text).order_by(events.c.seq))
    if resource in (ORDERS, EMAILS, RECURRING):
        with suppress(ValueError):
            chosen.append(select(resource.key).where(resource.key.between(*id_range(text))).order_by(resource.key))
    if resource in (ORDERS, EMAILS):
        called = referred(connection, text)
        its = select(resource.key).select_from(orders)
        its = its.join(emails, emails.c.order_seq == orders.c.seq) if resource is EMAILS else its
        chosen.append(its.where(called).order_by(resource.key.desc()))
    found = [key for each in chosen for key in connection.scalars(each.limit(FEW + 1))]
    return [*dict.fromkeys(found)]
