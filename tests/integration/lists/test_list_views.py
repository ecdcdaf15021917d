"""Lists as people look at them: pages both ways, both directions, totals, and rows by their keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, text

from engine.admin import lists
from engine.admin.amounts import Amount
from engine.admin.lists import Place, Sort, page, view
from engine.admin.resources import AUDIT, DELIVERIES, EMAILS, EVENTS, JOBS, ORDERS, SUBSCRIPTIONS
from engine.db.tables import orders
from engine.errors import Invalid
from tests.helpers.admin_lists import add_events_and_deliveries, add_orders_and_emails, key
from tests.helpers.rows import PAUSED, add_order, now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.admin.resources import Resource
    from engine.db.store import Store

CASES: list[tuple[Resource, dict[str, str]]] = [
    (ORDERS, {}),
    (ORDERS, {"state": "waiting"}),  # two parts
    (ORDERS, {"state": "Completed"}),  # looked at row by row
    (ORDERS, {"reference": "reference-*"}),  # sorted
    (EMAILS, {"state": "failed"}),
    (EMAILS, {"state": "failed", "error": "5xx"}),
    (EMAILS, {}),
    (EVENTS, {"type": "created"}),
    (DELIVERIES, {"state": "Dead"}),
]


def _name(part: Resource | dict[str, str]) -> str:
    return "-".join(part.values()) if isinstance(part, dict) else part.name


def forth(connection: Connection, resource: Resource, given: dict[str, str], sort: Sort | None) -> list[lists.Page]:
    """All pages, one after the other."""
    found = [view(connection, resource, given, Place(sort=sort), 4).page]
    while found[-1].next:
        found.append(view(connection, resource, given, Place(cursor=found[-1].next, sort=sort), 4).page)
        assert len(found) < 100
    return found


def keys(resource: Resource, pages: list[lists.Page]) -> list[Any]:
    return [key(resource, row) for each in pages for row in each.items]


@pytest.mark.parametrize(("resource", "given"), CASES, ids=_name)
def test_pages_lead_back_to_the_first_and_leave_nothing_out(
    filled: Connection, resource: Resource, given: dict[str, str]
) -> None:
    for sort in Sort:
        pages = forth(filled, resource, given, sort)
        assert pages[0].previous is None
        back = [pages[-1]]
        while back[0].previous:
            back.insert(0, view(filled, resource, given, Place(before=back[0].previous, sort=sort), 4).page)
            assert len(back) < 100
        assert keys(resource, back) == keys(resource, pages)
        assert len(keys(resource, pages)) > 4


@pytest.mark.parametrize(("resource", "given"), CASES, ids=_name)
def test_the_page_before_is_the_one_that_came_before(
    filled: Connection, resource: Resource, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "WINDOW", 1_000)
    pages = forth(filled, resource, given, None)
    for place, this in enumerate(pages[1:]):
        assert this.previous
        found = view(filled, resource, given, Place(before=this.previous), 4).page
        assert keys(resource, [found]) == keys(resource, [pages[place]])
        again = view(filled, resource, given, Place(cursor=found.next), 4).page
        assert keys(resource, [again]) == keys(resource, [this])


@pytest.mark.parametrize(("resource", "given"), CASES, ids=_name)
def test_a_list_stands_in_both_directions(filled: Connection, resource: Resource, given: dict[str, str]) -> None:
    usual = view(filled, resource, given, Place())
    by_due = given.get("state") == "waiting"
    assert usual.column == ("due_at" if by_due else resource.key.name)
    assert (usual.sort, usual.usual) == ((Sort.ASCENDING,) if by_due else (Sort.DESCENDING,)) * 2
    down = keys(resource, forth(filled, resource, given, Sort.DESCENDING))
    assert keys(resource, forth(filled, resource, given, Sort.ASCENDING)) == down[::-1]


@pytest.mark.parametrize(("resource", "given"), CASES, ids=_name)
def test_totals_say_whether_they_are_all(
    filled: Connection, resource: Resource, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "WINDOW", 1_000)
    count = len(keys(resource, forth(filled, resource, given, None)))
    assert view(filled, resource, given, Place()).total == Amount(count, more=False)
    monkeypatch.setattr(lists, "COUNTED", 5)
    monkeypatch.setattr(lists, "COUNTED_ONE_BY_ONE", 5)
    found = view(filled, resource, given, Place(), 2)
    assert (found.total, len(found.page.items)) == (Amount(5, more=True), 2)


def test_a_total_ends_with_the_window(filled: Connection) -> None:
    failed = {"state": "Completed"}
    of_window = sum(row["state"] == "Completed" for row in page(filled, ORDERS, {}, size=lists.WINDOW).items)
    found = view(filled, ORDERS, failed, Place())
    assert found.total == Amount(of_window, more=True)
    assert view(filled, ORDERS, failed, Place(cursor=found.page.next)).total is None, "that would take another window"


def test_rows_are_chosen_by_their_keys(filled: Connection) -> None:
    for resource in (ORDERS, EMAILS, DELIVERIES):
        some = keys(resource, [view(filled, resource, {}, Place(), 9).page])[::3]
        given = {"ids": ", ".join(map(str, reversed(some)))}
        assert keys(resource, [page(filled, resource, given)]) == some
        for wrong in ("x", "1,,2", ",".join(["1"] * 51), f"{some[0]};{some[1]}"):
            with pytest.raises(Invalid) as refused:
                page(filled, resource, {"ids": wrong})
            assert list(refused.value.errors) == ["ids"]


def test_going_back_shows_also_what_has_come_meanwhile(store: Store) -> None:
    with store.write() as connection:
        for number in range(3):
            add_order(connection, **({"due_at": now()} if number % 2 else PAUSED))
        first = page(connection, ORDERS, {}, size=2)
        assert first.next
        add_order(connection)
        rows = keys(ORDERS, [page(connection, ORDERS, {})])
        newest = view(connection, ORDERS, {}, Place(before=first.next), 4).page
        assert (keys(ORDERS, [newest]), newest.previous, newest.next) == (rows[:3], None, first.next)
        assert not newest.looked_back


def test_going_back_to_rows_that_are_gone_says_that_there_are_more(store: Store) -> None:
    with store.write() as connection:
        for _ in range(3):
            add_order(connection)
        first = page(connection, ORDERS, {}, size=2)
        connection.execute(delete(orders).where(orders.c.id.in_(keys(ORDERS, [first]))))
        gone = view(connection, ORDERS, {}, Place(before=first.next), 2).page
        assert (gone.items, gone.looked_back, gone.next) == ([], True, first.next)


@pytest.mark.parametrize("place", [Place(cursor="x"), Place(before="x"), Place(before="1.2")], ids=str)
def test_a_wrong_place_is_refused(store: Store, place: Place) -> None:
    with store.read() as connection, pytest.raises(Invalid) as refused:
        view(connection, EVENTS, {}, place)
    assert list(refused.value.errors) == ["cursor"]


@pytest.mark.dialects
def test_backwards_the_database_reads_no_more_than_it_shows(store: Store, database: str) -> None:
    with store.write() as connection:
        add_orders_and_emails(connection)
        add_events_and_deliveries(connection)
        if database == "postgresql":
            for way in ("seqscan", "bitmapscan", "sort"):
                connection.execute(text(f"SET LOCAL enable_{way} = off"))
        for resource in (ORDERS, EMAILS, EVENTS, SUBSCRIPTIONS, DELIVERIES, JOBS, AUDIT):
            turned = resource.narrow(connection, {}).reversed()
            for part in turned.parts:
                chosen = lists._ordered(resource, turned, part).limit(50)  # noqa: SLF001 the statement itself
                explain = "EXPLAIN QUERY PLAN" if database == "sqlite" else "EXPLAIN"
                compiled = chosen.compile(connection, compile_kwargs={"literal_binds": True})
                rows = connection.exec_driver_sql(f"{explain} {compiled}".replace("%", "%%"))
                plan = "\n".join(str(row[-1]) for row in rows)
                assert not re.search(r"Seq Scan|Sort|TEMP B-TREE", plan), (resource.name, plan)
