"""Where to find what was typed into the search box."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import select

from engine.admin.details import first_of_chain
from engine.admin.filters import bounded, uuid
from engine.admin.lists import count_of_page
from engine.admin.narrowing import WAITING
from engine.admin.resources import ORDERS
from engine.db.blocks import everywhere
from engine.db.tables import emails, events, orders
from engine.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

MOST = 100  # orders that are counted beside a list of e-mails
_SHARED = ("recipient", "reference", "creator", "order")  # what both lists are narrowed by


def identified(connection: Connection, text: str) -> str | None:
    """The page of an order or e-mail (by identifier or Message-ID), or the list of events with this id; None: none.

    A chain's identifier leads to its first order.

    Invalid for what cannot be the name of anything.
    """
    try:
        bounded(text)
    except ValueError as error:
        raise Invalid({"q": [str(error)]}) from None
    with suppress(ValueError):
        key = uuid(text.strip("<>").partition("@")[0])
        for table in (orders, emails):
            if connection.execute(select(table.c.id).where(table.c.id == key)).first():
                return f"{table.name}/{key}"
        if first := first_of_chain(connection, key):
            return f"{orders.name}/{first}"
    if connection.execute(select(events.c.seq).where(events.c.id == text).limit(1)).first():
        return f"events?id={quote(text, safe='')}"
    return None


def named(connection: Connection, text: str) -> tuple[str, dict[str, str]]:
    """The list, and its filter, of a recipient (an address or number) or of an order's reference."""
    its = select(orders.c.seq).where(everywhere(connection, orders), orders.c.senders_reference == text).limit(1)
    if connection.execute(its).first() is None and ("@" in text or text.isdigit()):
        return "emails", {"recipient": text}
    return "orders", {"reference": text}


def orders_that_wait(connection: Connection, given: Mapping[str, str]) -> int:
    """How many orders have no e-mails yet, of those that a list of e-mails is narrowed to; counted up to MOST."""
    shared = {name: value for name, value in given.items() if name in _SHARED}
    if not shared or len(shared) < len(given):
        return 0
    return count_of_page(connection, ORDERS, shared | {"state": WAITING}, MOST)
