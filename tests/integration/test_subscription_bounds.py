"""How much of the database one consumer's subscriptions may take, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from engine.db.retention import ROWS, prune_some
from engine.db.tables import deliveries, delivery_attempts, subscriptions
from engine.errors import Conflict, NotFound
from engine.events.storing import persist
from engine.models import Caller
from engine.subscriptions import registry, replays
from engine.subscriptions.registry import AT_ONCE
from tests.helpers.rows import add_subscription, an_event, count, now
from tests.helpers.subscribers import spec_for

if TYPE_CHECKING:
    from engine.db.store import Store

TTD = Caller("ttd", frozenset(), platform=False, identity="/org/ttd")
NAV = Caller("nav", frozenset(), platform=False, identity="/org/nav")


def subscribe(store: Store, number: int, caller: Caller = TTD, most: int = 3) -> tuple[int, bool]:
    spec = spec_for(f"https://example.no/{number}")
    with store.write() as connection:
        row, fresh = registry.subscribe(connection, caller, spec, most)
    return row.seq, fresh


def test_a_consumer_has_so_many_subscriptions_and_no_more(store: Store) -> None:
    seqs = [subscribe(store, number)[0] for number in range(3)]
    with pytest.raises(Conflict, match="/org/ttd has 3 subscriptions, the most that one consumer can have"):
        subscribe(store, 3)
    assert subscribe(store, 2) == (seqs[2], False)  # it is there already
    assert subscribe(store, 0, NAV)[1]
    with store.write() as connection:
        registry.remove(connection, TTD, seqs[0])
    assert subscribe(store, 3)[1]
    with store.read() as connection:
        assert len(registry.find_all(connection, TTD.identity)) == 3


def remove(store: Store, seq: int) -> None:
    with store.write() as connection:
        registry.remove(connection, TTD, seq)


def with_deliveries(store: Store, count: int) -> int:
    with store.write() as connection:
        seq = add_subscription(connection, "https://example.no/0")
        for start in range(0, count, AT_ONCE):
            persist(connection, [an_event() for _ in range(min(AT_ONCE, count - start))])
    return seq


def test_a_subscription_with_few_deliveries_is_gone_at_once(store: Store) -> None:
    remove(store, with_deliveries(store, AT_ONCE))
    assert (count(store, subscriptions), count(store, deliveries)) == (0, 0)


def test_a_subscription_with_many_deliveries_is_gone_for_its_consumer_and_then_step_by_step(store: Store) -> None:
    seq = with_deliveries(store, AT_ONCE + ROWS + 1)
    remove(store, seq)
    assert count(store, deliveries) == ROWS + 1
    with store.read() as connection:
        assert registry.find_all(connection, TTD.identity) == []
        with pytest.raises(NotFound):
            registry.find(connection, TTD.identity, seq)
        assert connection.scalar(select(subscriptions.c.due_at)) is None
    with store.write() as connection:
        assert persist(connection, [an_event()]) == (0, 0)
    sizes = []
    more = True
    while more:
        before = count(store, deliveries)
        with store.write() as connection:
            more = prune_some(connection, timedelta(days=90))
        sizes.append(before - count(store, deliveries))
    assert sizes == [ROWS, 1]
    assert count(store, subscriptions) == 0


def test_what_was_removed_can_be_subscribed_to_again_while_its_deliveries_go(store: Store) -> None:
    seq, _ = subscribe(store, 0, most=1)
    with store.write() as connection:
        rows = [{"subscription_seq": seq, "state": "Delivered", "created": now(), "last_update": now()}] * (AT_ONCE + 1)
        connection.execute(deliveries.insert(), rows)
    remove(store, seq)
    assert count(store, subscriptions) == 1
    again, fresh = subscribe(store, 0, most=1)
    assert fresh
    assert again > seq


def test_a_replay_queues_events_in_parts_and_in_their_order(store: Store) -> None:
    seq = with_deliveries(store, 3)
    since, until = now() - timedelta(hours=1), now() + timedelta(hours=1)
    with store.read() as connection:
        found = replays.replayed(connection, TTD, seq, since, until, 3)
    for part in (found[:2], found[2:]):
        with store.write() as connection:
            replays.push_again(connection, TTD, seq, part)
    with store.read() as connection:
        queued = connection.scalars(select(deliveries.c.event_seq).order_by(deliveries.c.seq)).all()
    assert queued == [*found, *found]
    remove(store, seq)
    with pytest.raises(NotFound), store.write() as connection:
        replays.push_again(connection, TTD, seq, found)


def attempt(store: Store, number_of: int, attempts: int, reply: str) -> None:
    """Give every delivery so many attempts with this reply."""
    with store.write() as connection:
        seqs = connection.scalars(select(deliveries.c.seq)).all()
        assert len(seqs) == number_of
        line = {"at": now(), "outcome": "deferred", "status": 500, "reply": reply}
        lines = [line | {"delivery_seq": seq, "duration_ms": n} for n in range(attempts) for seq in seqs]
        connection.execute(delivery_attempts.insert(), lines)


def test_a_page_of_deliveries_ends_by_its_bytes_and_each_has_its_newest_attempts(store: Store) -> None:
    """60 deliveries with 30 attempts of 16 kB are 29 MB."""
    seq = with_deliveries(store, 60)
    attempt(store, 60, 30, "x" * 16_000)
    seen, after = [], 0
    with store.read() as connection:
        while True:
            found, more = registry.pushed(connection, TTD.identity, seq, state=None, after_id=after, size=1_000)
            size = sum(len(row.reply) for _, attempts in found for row in attempts)
            assert size <= registry.LARGEST_PAGE + registry.SHOWN_ATTEMPTS * 16_000
            for delivery, attempts in found:
                assert [row.duration_ms for row in attempts] == list(range(10, 30))
                seen.append(delivery.seq)
            if not more:
                break
            after = seen[-1]
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 60


def test_many_short_deliveries_are_one_page(store: Store) -> None:
    seq = with_deliveries(store, 1_000)
    attempt(store, 1_000, 1, "")
    with store.read() as connection:
        found, more = registry.pushed(connection, TTD.identity, seq, state=None, after_id=0, size=1_000)
        assert (len(found), more) == (1_000, True)
        last = found[-1][0].seq
        assert registry.pushed(connection, TTD.identity, seq, state=None, after_id=last, size=10) == ([], False)
