"""Indexes that begin with the block of the row: what they are for is found in every block, and by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select, text, update

from engine.admin.lists import page
from engine.admin.resources import EMAILS, EVENTS, ORDERS
from engine.db.blocks import onwards
from engine.db.tables import BLOCK, emails, events, orders
from engine.events import reading
from engine.events.storing import persist
from engine.orders.reading import find_by_reference
from tests.helpers.rows import add_email, add_order, an_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Table

    from engine.db.store import Store

pytestmark = pytest.mark.dialects

PLACES = (1, BLOCK - 1, BLOCK, 2 * BLOCK, 9 * BLOCK + 7)  # numbers of rows, in blocks with gaps between them
SUBJECT = "/party/50019855"


def _spread(connection: Connection, table: Table) -> None:
    """Give the rows these numbers."""
    seqs = connection.scalars(select(table.c.seq).order_by(table.c.seq.desc())).all()
    for seq, place in zip(seqs, reversed(PLACES), strict=True):
        connection.execute(update(table).where(table.c.seq == seq).values(seq=place))


@pytest.fixture
def spread(store: Store) -> Store:
    """Orders of a reference, e-mails to an address and events about a subject, in several blocks."""
    with store.write() as connection:
        for _ in PLACES:
            add_order(connection, senders_reference="sak-1")
        _spread(connection, orders)
        for _ in PLACES:
            add_email(connection, 1)
        _spread(connection, emails)
        persist(connection, [an_event(subject=SUBJECT, alternative_subject="/person/1") for _ in PLACES])
        _spread(connection, events)
    return store


def test_lists_find_what_they_are_narrowed_to_in_every_block(spread: Store) -> None:
    with spread.read() as connection:
        for resource, given in (
            (ORDERS, {"reference": "sak-1"}),
            (EMAILS, {"recipient": "Kari@example.no"}),
            (EVENTS, {"subject": SUBJECT}),
        ):
            assert len(page(connection, resource, given).items) == len(PLACES)
        assert len(find_by_reference(connection, "ttd", "sak-1")) == len(PLACES)


@pytest.mark.parametrize("about", [{"subject": SUBJECT}, {"alternative_subjects": ("/person/1",)}], ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_readers_of_a_subject_get_its_events_in_their_order(spread: Store, about: dict[str, str], size: int) -> None:
    seen: list[str] = []
    with spread.read() as connection:
        whole = list(connection.scalars(select(events.c.id).order_by(events.c.seq)))
        while True:
            query = reading.Query(after=seen[-1] if seen else "", size=size, types=("app.%",), **about)  # type: ignore[arg-type]
            found = reading.page(connection, query)
            if not found.rows:
                break
            assert len(found.rows) == min(size, len(PLACES) - len(seen))
            seen += [row.id for row in found.rows]
    assert seen == whole


def test_the_parts_of_a_table_are_all_of_it_each_row_once(spread: Store) -> None:
    rows = select(events.c.seq).order_by(events.c.seq)
    with spread.read() as connection:
        for after in (0, 1, BLOCK, 9 * BLOCK + 7, 10 * BLOCK):
            parts = [rows.where(events.c.seq > after, part) for part in onwards(connection, events, after)]
            found = [seq for part in parts for seq in connection.scalars(part)]
            assert found == [place for place in PLACES if place > after]


READS: dict[str, Callable[[Connection], object]] = {
    "ix_orders_reference": lambda connection: page(connection, ORDERS, {"reference": "sak*"}),
    "ix_emails_address": lambda connection: page(connection, EMAILS, {"recipient": "kari@example.no"}),
    "ix_events_subject": lambda connection: reading.page(connection, reading.Query(subject=SUBJECT, size=5)),
}


@pytest.mark.parametrize("index", READS)
def test_the_database_looks_into_the_index_of_blocks(spread: Store, index: str) -> None:
    asked: list[tuple[str, Any]] = []
    with spread.read() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # as it does by itself where there are many rows
            connection.execute(text("SET LOCAL enable_sort = off"))  # as where it takes a text for a frequent one
        event.listen(
            connection, "before_cursor_execute", lambda _c, _cursor, said, given, *_: asked.append((said, given))
        )
        READS[index](connection)
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        by_text = [(said, given) for said, given in asked if f"{BLOCK} IN" in said]
        plans = [str(connection.exec_driver_sql(f"{explain} {said}", given).all()) for said, given in by_text]
    assert plans
    assert [plan for plan in plans if index not in plan] == []
