"""Attachments of orders: stored with the order, and read when its e-mails are sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import SmallInteger, bindparam, case, insert, select, update

from engine.db.records import Attachment, columns, read
from engine.db.tables import attachments, orders

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from engine.orders.new_order import OrderRow

_ID = bindparam("order_id", type_=orders.c.id.type)
_NAMES = ("position", "filename", "mime_type", "content_id", "address", "content", "size")
_GIVEN = [bindparam(name, type_=attachments.c[name].type) for name in _NAMES]
_STORE = insert(attachments).from_select(
    ["order_seq", *_NAMES], select(orders.c.seq, *_GIVEN).where(orders.c.id == _ID)
)
_FETCHES = bindparam("to_fetch", type_=SmallInteger())
_COUNT = (
    update(orders)
    .where(orders.c.id == _ID)
    .values(
        attachments=bindparam("number", type_=SmallInteger()),
        fetches=_FETCHES,
        rank=case((_FETCHES.is_(None), orders.c.rank)),  # what is to be fetched is not ready: see fairness.py
    )
)
_ALL = select(*columns(Attachment, attachments.c)).where(attachments.c.order_seq == bindparam("order_seq"))
_ALL = _ALL.order_by(attachments.c.position)


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """An attachment, checked: with its content, or with the address where that is to be fetched."""

    filename: str
    mime_type: str
    content_id: str | None = None
    content: bytes | None = field(default=None, repr=False)
    address: str | None = field(default=None, repr=False)  # whoever knows it can fetch

    def row(self, position: int, seal: Callable[[str], str]) -> dict[str, object]:
        """What the statement that stores it takes; `seal` encrypts the address."""
        return {
            "position": position,
            "filename": self.filename,
            "mime_type": self.mime_type,
            "content_id": self.content_id,
            "address": self.address and seal(self.address),
            "content": self.content,
            "size": None if self.content is None else len(self.content),
        }


@dataclass(frozen=True, slots=True)
class Enclosed:
    """The attachments of a new order, by its row."""

    row: OrderRow
    attachments: Sequence[NewAttachment]

    @property
    def size(self) -> int:
        """Bytes of their contents."""
        return sum(len(each.content or b"") for each in self.attachments)


def of_order(connection: Connection, order_seq: int) -> Sequence[Attachment]:
    """The attachments of an order; LookupError while not all of them are fetched: it is not sent without them."""
    found = read(Attachment, connection.execute(_ALL, {"order_seq": order_seq}))
    if any(each.content is None for each in found):
        msg = "an attachment was not fetched"
        raise LookupError(msg)
    return found


def store(connection: Connection, enclosed: Sequence[Enclosed], seal: Callable[[str], str]) -> None:
    """Store the attachments of orders that this transaction has stored."""
    for each in enclosed:
        order_id = UUID(each.row["id"])
        to_fetch = sum(attachment.content is None for attachment in each.attachments)
        first = None if each.row["condition_endpoint"] else to_fetch or None
        connection.execute(_COUNT, {"order_id": order_id, "number": len(each.attachments), "to_fetch": first})
        rows = [attachment.row(place, seal) for place, attachment in enumerate(each.attachments)]
        connection.execute(_STORE, [{"order_id": order_id} | row for row in rows])
