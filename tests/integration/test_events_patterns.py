"""The cost of patterns when events are read, on both databases: a page looks at a bounded number of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.events.reading import MOST_LOOKED_AT, WORK, Page, Query, floating, page
from engine.events.storing import persist
from tests.helpers.rows import APP, an_event

if TYPE_CHECKING:
    from engine.db.records import EventName
    from engine.db.store import Store

COSTLY = tuple(f"%{'a' * 98}_{place}" for place in range(10))  # a thousand floating characters
LOOKED_AT = WORK // sum(map(floating, COSTLY))


def read(store: Store, **asked: Any) -> Page:
    with store.read() as connection:
        return page(connection, Query(resource=APP, **{"size": 50, "any_case": True} | asked))


def last(found: Page) -> EventName:
    assert found.last is not None
    return found.last


def publish(store: Store, count: int, **attributes: Any) -> None:
    with store.write() as connection:
        persist(connection, [an_event(id=str(number), **attributes) for number in range(1, count + 1)])


def test_a_page_with_costly_patterns_looks_at_few_events_and_says_where_it_stopped(store: Store) -> None:
    publish(store, 2 * LOOKED_AT + 1, source="a" * 1000)
    found = read(store, sources=COSTLY)
    assert (list(found.rows), last(found).id) == ([], str(LOOKED_AT))
    found = read(store, sources=COSTLY, after=last(found).id, after_source=last(found).source)
    assert (list(found.rows), last(found).id) == ([], str(2 * LOOKED_AT))
    found = read(store, sources=COSTLY, after=last(found).id, after_source=last(found).source)
    assert (list(found.rows), found.last) == ([], None)


def test_what_matches_is_found_once_on_whatever_page_it_is(store: Store) -> None:
    publish(store, 3 * LOOKED_AT)
    seen, after = [], "0"
    while (found := read(store, size=60, after=after, types=(*COSTLY, "%created"))).last is not None:
        seen += [row.id for row in found.rows]
        after = last(found).id
    assert seen == [str(number) for number in range(1, 3 * LOOKED_AT + 1)]


def test_a_page_without_patterns_goes_on_as_far_as_it_must(store: Store) -> None:
    publish(store, 3)
    found = read(store)
    assert ([row.id for row in found.rows], last(found).id) == (["1", "2", "3"], "3")
    assert read(store, after="3").last is None


def test_the_beginning_of_a_pattern_costs_nothing() -> None:
    assert [floating(pattern) for pattern in ("app.instance.%", "exact", "%b", "a%b_c%")] == [0, 0, 1, 4]
    assert min(MOST_LOOKED_AT, WORK // max(1, floating("app.%"))) == MOST_LOOKED_AT


@pytest.mark.parametrize("any_case", [True, False])
def test_patterns_mean_what_they_did(store: Store, *, any_case: bool) -> None:
    with store.write() as connection:
        persist(connection, [an_event(id=name, type=name) for name in ("a.b.c", "A.B.C", "axb", "a_b", "a%b")])

    def ids(*patterns: str) -> list[str]:
        return [row.id for row in read(store, types=patterns, any_case=any_case).rows]

    assert ids("a.b.%") == (["a.b.c", "A.B.C"] if any_case else ["a.b.c"])
    assert ids("a_b") == ["axb", "a_b", "a%b"]
    assert ids("%b%c", "axb") == (["a.b.c", "A.B.C", "axb"] if any_case else ["a.b.c", "axb"])
