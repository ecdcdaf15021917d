"""Orders whose recipients follow them, as intake and a reading of lines would store them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.db.tables import orders
from engine.models import ContentType, Duplicates, new_id
from engine.orders import uploads
from engine.orders.contacts import ContactTable
from engine.orders.new_order import NewOrder, insert
from engine.orders.portions import Portions
from engine.orders.upload_reading import Reading, Start
from engine.queue.runner import Runner
from tests.helpers.rows import now
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from uuid import UUID

    from engine.db.store import Store
    from engine.orders.uploads import Upload

ONCE = Start(1, csv=False)
MOST = 1_000


def opened(store: Store, duplicates: Duplicates = Duplicates.DROP, **members: Any) -> UUID:
    """An open order of ttd's."""
    order_id = new_id(now())
    order = NewOrder(
        **{"subject": "Hei", "body": "Hei!", "content_type": ContentType.PLAIN, "recipients": []} | members
    )
    with store.write() as connection:
        row = order.row(order_id, "ttd", "noreply@varsel.example")
        insert(connection, [row])
        uploads.begin(connection, [(row, duplicates)])
    return order_id


def reading(store: Store, order_id: UUID, start: Start = ONCE, most: int = MOST) -> Reading:
    """What reads the next body."""
    with store.read() as connection:
        upload = uploads.find_open(connection, "ttd", order_id)
        known = uploads.digests(connection, upload.order_seq)
    return Reading(upload, known, start, most)


def sent(store: Store, order_id: UUID, *blocks: bytes, start: Start = ONCE) -> Upload:
    """An upload behind a body that came in these blocks."""
    its = reading(store, order_id, start)
    for block in blocks:
        before = its.totals.lines
        if piece := its.take(block):
            with store.write() as connection:
                uploads.add(connection, seq_of(store, order_id), before, piece)
    its.end()
    with store.read() as connection:
        return uploads.find(connection, "ttd", order_id)


def lines(*addresses: str) -> bytes:
    return b"".join(b'{"emailAddress":"%s"}\n' % address.encode() for address in addresses)


def seq_of(store: Store, order_id: UUID) -> int:
    with store.read() as connection:
        return int(connection.execute(select(orders.c.seq).where(orders.c.id == order_id)).scalar_one())


def make_portions(store: Store) -> None:
    """Makes what is due of orders in portions."""
    asyncio.run(Runner(store, Portions(ContactTable()), LONG).run())
