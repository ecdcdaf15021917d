"""Attachments of orders, as intake would store them, and what a worker fetches of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select, update

from engine.auth.sealing import Seal
from engine.db.tables import attachments, orders
from engine.orders.contacts import ContactTable
from engine.orders.fetches import Fetches
from engine.queue.runner import Runner
from tests.helpers.rows import add_order
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.store import Store
    from engine.outbound import Outbound
    from tests.helpers.processing import Processing

SECRET = "c2VjcmV0"
SEAL = Seal(b"of the tests")
LARGEST = 1000  # bytes


def fetching(store: Store, outbound: Outbound, lease: timedelta = LONG) -> Processing:
    """Fetches attachments of due orders."""
    return Runner(store, Fetches(ContactTable(), outbound, SEAL.open, LARGEST, store.clock.now), lease)


def place_with(store: Store, *files: str | bytes, due_in: timedelta = timedelta(seconds=-1), **values: Any) -> int:
    """An order whose attachments have this content, or are at this address."""
    with store.write() as connection:
        seq = add_order(connection, due_in=due_in, **values)
        given = [
            {"order_seq": seq, "position": place, "filename": f"{place}.txt", "mime_type": "text/plain"}
            | {"address": SEAL.close(f"{file}?sig={SECRET}") if isinstance(file, str) else None}
            | ({"content": file, "size": len(file)} if isinstance(file, bytes) else {"content": None, "size": None})
            for place, file in enumerate(files)
        ]
        connection.execute(attachments.insert(), given)
        fetches = None if "condition_endpoint" in values else len(files)
        counts = {"attachments": len(files), "fetches": fetches}
        connection.execute(update(orders).where(orders.c.seq == seq).values(counts))
    return seq


def files_of(store: Store, order: int) -> Sequence[Row[Any]]:
    with store.read() as connection:
        chosen = select(attachments).where(attachments.c.order_seq == order).order_by(attachments.c.position)
        return connection.execute(chosen).all()
