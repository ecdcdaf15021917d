"""How much of the database one consumer's subscriptions may take, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import Conflict
from engine.models import Caller
from engine.subscriptions import registry
from engine.subscriptions.wish import Wish
from tests.servers.rows import APP

if TYPE_CHECKING:
    from engine.store import Store

TTD = Caller("ttd", frozenset(), platform=False, identity="/org/ttd")
NAV = Caller("nav", frozenset(), platform=False, identity="/org/nav")


def subscribe(store: Store, number: int, caller: Caller = TTD, most: int = 3) -> tuple[int, bool]:
    wish = Wish(
        endpoint=f"https://example.no/{number}",
        source_filter=None,
        source_prefix=None,
        resource_filter=APP,
        subject_filter=None,
        alternative_subject_filter=None,
        types=(),
        type_as_given=None,
        include_subunits=False,
        ordered=False,
        template=None,
        is_app=True,
    )
    with store.write() as connection:
        row, fresh = registry.subscribe(connection, caller, wish, most)
    return row.seq, fresh


def test_a_consumer_has_so_many_subscriptions_and_no_more(store: Store) -> None:
    seqs = [subscribe(store, number)[0] for number in range(3)]
    with pytest.raises(Conflict, match="There are 3 subscriptions of /org/ttd, the most that one consumer can have"):
        subscribe(store, 3)
    assert subscribe(store, 2) == (seqs[2], False)  # it is there already
    assert subscribe(store, 0, NAV)[1]
    with store.write() as connection:
        registry.remove(connection, TTD, seqs[0])
    assert subscribe(store, 3)[1]
    with store.read() as connection:
        assert len(registry.find_all(connection, TTD.identity)) == 3
