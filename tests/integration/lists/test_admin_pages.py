"""Lists: every condition finds what it says, pages leave nothing out, and no page takes longer at the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from engine.admin import lists
from engine.admin.lists import page
from engine.admin.resources import DELIVERIES, EMAILS, EVENTS, ORDERS, RESOURCES
from engine.errors import Invalid
from tests.helpers.admin_lists import HOUR, add_events_and_deliveries, add_orders_and_emails, everything, key
from tests.helpers.rows import PAUSED, add_email, add_order, now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.admin.resources import Resource
    from engine.db.store import Store

    Row = dict[str, Any]


@pytest.mark.parametrize("typed", ["@blåbær.no", "@xn--blbr-roah.no", "@Xn--Blbr-Roah.NO"])
def test_emails_to_a_domain_are_found_whichever_of_its_forms_is_typed(store: Store, typed: str) -> None:
    addresses = ["a@blåbær.no", "b@Xn--blbr-roah.no", "c@blåbær.NO"]
    with store.write() as connection:
        seq = add_order(connection)
        for address in (*addresses, "d@blabar.no"):
            add_email(connection, seq, address=address)
        found = everything(connection, EMAILS, {"recipient": typed})
    assert {row["address"] for row in found} == set(addresses)


def test_what_comes_in_between_two_pages_moves_nothing(store: Store) -> None:
    with store.write() as connection:
        for _ in range(7):
            add_order(connection)
    with store.read() as connection:
        before = [row["id"] for row in everything(connection, ORDERS, {})]
        first = page(connection, ORDERS, {}, None, 3)
    with store.write() as connection:
        add_order(connection)
    with store.read() as connection:
        rest = page(connection, ORDERS, {}, first.next, 100)
    assert [row["id"] for row in first.items + rest.items] == before


@pytest.mark.parametrize(
    ("resource", "given", "field"),
    [
        ("orders", {"nonsense": "x"}, "nonsense"),
        ("orders", {"state": "waits"}, "state"),
        ("orders", {"order": "17"}, "order"),
        ("orders", {"since": "yesterday"}, "since"),
        ("orders", {"until": "2026-13-01"}, "until"),
        ("orders", {"creator": "a\x00b"}, "creator"),
        ("orders", {"creator": "a" * 401}, "creator"),
        ("emails", {"error": "6xx"}, "error"),
        ("emails", {"recipient": "\u202eon.elpmaxe@irak"}, "recipient"),
        ("events", {"event": "1e3"}, "event"),
        ("events", {"event": "٣"}, "event"),
        ("deliveries", {"subscription": "9" * 19}, "subscription"),
    ],
)
def test_a_wrong_condition_is_named(store: Store, resource: str, given: dict[str, str], field: str) -> None:
    with store.read() as connection, pytest.raises(Invalid) as refused:
        page(connection, RESOURCES[resource], given)
    assert list(refused.value.errors) == [field]


@pytest.mark.parametrize(
    ("resource", "given"), [(ORDERS, {}), (ORDERS, {"state": "waiting"}), (EVENTS, {})], ids=["id", "due", "seq"]
)
def test_a_wrong_cursor_is_refused(store: Store, resource: Resource, given: dict[str, str]) -> None:
    for cursor in ("", "x", "1.x", "9" * 30, "-1", "1.2.3", "\x00", "٣", f"{'9' * 18}.1"):
        with store.read() as connection, pytest.raises(Invalid) as refused:
            page(connection, resource, given, cursor)
        assert list(refused.value.errors) == ["cursor"]


@pytest.mark.dialects
def test_the_database_reads_no_more_than_it_shows(store: Store, database: str) -> None:
    """Each list begins on an index, in its own order: no sort, and no scan of a table."""
    with store.write() as connection:
        add_orders_and_emails(connection)
        add_events_and_deliveries(connection)
        if database == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL enable_bitmapscan = off"))
            connection.execute(text("SET LOCAL enable_sort = off"))  # as it does where there are many rows
        for resource in (ORDERS, EMAILS, EVENTS, DELIVERIES):
            for given in ({}, *({"state": state} for state in resource.choices.get("state", ()))):
                plan = _plan(connection, resource, given)
                assert not re.search(r"Seq Scan|Sort|TEMP B-TREE", plan), (resource.name, given, plan)


def _plan(connection: Connection, resource: Resource, given: dict[str, str]) -> str:
    narrowed = resource.narrow(connection, dict(given))
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    lines: list[str] = []
    for part in narrowed.parts:
        chosen = lists._ordered(resource, narrowed, part).where(*narrowed.rest).limit(50)  # noqa: SLF001 the statement itself
        compiled = chosen.compile(connection, compile_kwargs={"literal_binds": True})
        rows = connection.exec_driver_sql(f"{explain} {compiled}".replace("%", "%%"))
        lines += (str(row[-1]) for row in rows)
    return "\n".join(lines)


def test_a_list_of_what_waits_goes_on_from_any_row_also_among_what_is_held_back(store: Store) -> None:
    with store.write() as connection:
        for number in range(6):
            add_order(connection, **({"due_at": now() + number * HOUR} if number % 2 else PAUSED))
    with store.read() as connection:
        whole = [key(ORDERS, row) for row in page(connection, ORDERS, {"state": "waiting"}).items]
        assert len(whole) == 6
        for size in range(1, 7):
            shown = everything(connection, ORDERS, {"state": "waiting"}, size)
            assert [key(ORDERS, row) for row in shown] == whole
        for wrong in ("1.2.3", "x", "", "1."):
            with pytest.raises(Invalid):
                page(connection, ORDERS, {"state": "waiting"}, wrong)


def test_times_ago_count_from_now(store: Store) -> None:
    with store.write() as connection:
        add_order(connection)
    with store.read() as connection:
        assert len(page(connection, ORDERS, {"since": "1m"}).items) == 1
        assert page(connection, ORDERS, {"until": "1m"}).items == []
        assert page(connection, ORDERS, {"since": (now() + HOUR).isoformat()}).items == []
