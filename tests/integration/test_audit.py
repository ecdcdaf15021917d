"""The audit log: nobody can fill it up, and how long it is kept."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select, update

from engine.admin import api_keys
from engine.admin.lists import page
from engine.admin.resources import AUDIT
from engine.db.retention import AUDIT_KEPT, prune_some
from engine.db.tables import api_keys as api_keys_table
from engine.db.tables import audit_log
from engine.observability.audit import CONSUMERS_LINES, FOLDED, ITSELF, NEWEST, PERIOD, note, note_consumer
from tests.helpers.rows import now

if TYPE_CHECKING:
    from engine.db.store import Store


def lines(store: Store) -> list[tuple[str, str, dict[str, Any]]]:
    with store.read() as connection:
        found = connection.execute(select(audit_log).order_by(audit_log.c.seq)).all()
    details = [json.loads(row.detail) for row in found]
    assert all(("times" in detail) == ("last" in detail) for detail in details), "what is counted says when it was last"
    said = [{name: value for name, value in detail.items() if name != "last"} for detail in details]
    return [(row.who, row.action, detail) for row, detail in zip(found, said, strict=True)]


def make_older(store: Store, age: timedelta) -> None:
    with store.write() as connection:
        connection.execute(update(audit_log).values(at=now() - age))


def test_doing_and_undoing_without_end_is_two_lines_with_their_counts(store: Store) -> None:
    for _ in range(100):
        with store.write() as connection:
            note(connection, "ttd", "pause", "subscriptions/1")
            note(connection, "ttd", "resume", "subscriptions/1")
    assert lines(store) == [("ttd", "pause", {"times": 100}), ("ttd", "resume", {"times": 100})]
    make_older(store, FOLDED)
    with store.write() as connection:
        note(connection, "ttd", "pause", "subscriptions/1")
    assert lines(store)[2:] == [("ttd", "pause", {})]


def test_what_was_paused_and_resumed_in_turn_says_what_was_last(store: Store) -> None:
    for action in ("resume", "pause", "resume"):
        with store.write() as connection:
            note(connection, "ola", action, "lane/emails")
    with store.read() as connection:
        pause, resume = page(connection, AUDIT, {}).items
    assert pause["detail"] == {}
    assert resume["detail"]["times"] == 2
    assert resume["detail"]["last"] >= pause["at"]


def test_whoever_does_another_thing_gets_a_line_of_it(store: Store) -> None:
    with store.write() as connection:
        for who, action, target, reason in (
            ("ola", "pause", "lane/emails", "a"),
            ("ola", "pause", "lane/emails", "b"),
            ("ola", "pause", "lane/orders", "a"),
            ("ola", "resume", "lane/emails", "a"),
            ("kari", "pause", "lane/emails", "a"),
            ("ola", "pause", "lane/emails", "a"),
        ):
            note(connection, who, action, target, {"reason": reason})
    assert [line[2].get("times", 1) for line in lines(store)] == [2, 1, 1, 1, 1]


def test_varsel_is_found_by_the_name_that_sentences_give_it(store: Store) -> None:
    with store.write() as connection:
        for who in (ITSELF, "Varsel", "anna"):
            note(connection, who, "pause", "subscriptions/1")
        found = {name: page(connection, AUDIT, {"who": name}).items for name in ("Varsel", ITSELF, "anna")}
    assert {name: [line["who"] for line in its] for name, its in found.items()} == {
        "Varsel": ["Varsel", ITSELF],
        ITSELF: [ITSELF],
        "anna": ["anna"],
    }


def test_what_is_alike_whatever_its_detail_is_one_line(store: Store) -> None:
    with store.write() as connection:
        for number in range(20):
            note(connection, "unknown", "sign-in-refused", "console", {"from": f"10.0.0.{number}"}, any_detail=True)
    assert lines(store) == [("unknown", "sign-in-refused", {"from": "10.0.0.0", "times": 20})]


def test_a_line_is_looked_for_among_the_newest_alone(store: Store) -> None:
    other = {"at": now(), "who": "x", "action": "x", "target": "console", "detail": "{}"}
    with store.write() as connection:
        note(connection, "ola", "sign-in", "console")
        connection.execute(insert(audit_log), [other] * NEWEST)
        note(connection, "ola", "sign-in", "console")
        mine = select(func.count()).where(audit_log.c.who == "ola")
        assert connection.execute(mine).scalar_one() == 2


def subscribe_and_remove(store: Store, who: str, numbers: range) -> None:
    for number in numbers:
        with store.write() as connection:
            note_consumer(connection, who, "subscribe", f"subscriptions/{number}")
            note_consumer(connection, who, "unsubscribe", f"subscriptions/{number}", {"why": number})


def test_a_consumer_who_does_ever_another_thing_gets_so_many_lines_and_one_that_counts(store: Store) -> None:
    subscribe_and_remove(store, "ttd", range(CONSUMERS_LINES + 50))
    assert len(lines(store)) == 2 * (CONSUMERS_LINES + 1)
    assert lines(store)[-2:] == [("ttd", "subscribe", {"times": 50}), ("ttd", "unsubscribe", {"times": 50})]
    with store.read() as connection:
        last = connection.scalars(select(audit_log.c.target).order_by(audit_log.c.seq.desc()).limit(2)).all()
    assert last == ["subscriptions", "subscriptions"]
    make_older(store, PERIOD)
    subscribe_and_remove(store, "ttd", range(1))
    assert lines(store)[-2:] == [("ttd", "subscribe", {}), ("ttd", "unsubscribe", {"why": 0})]


def test_others_and_operators_get_their_lines_beside_one_who_has_many(store: Store) -> None:
    subscribe_and_remove(store, "ttd", range(CONSUMERS_LINES + 1))
    subscribe_and_remove(store, "nav", range(1))
    with store.write() as connection:
        for number in range(2 * CONSUMERS_LINES):
            note(connection, "ola", "orders.cancel", f"orders/{number}")
    found = lines(store)
    assert found.count(("ola", "orders.cancel", {})) == 2 * CONSUMERS_LINES
    assert ("nav", "subscribe", {}) in found


@pytest.mark.parametrize("retention", [timedelta(days=90), AUDIT_KEPT + timedelta(days=100)])
def test_the_audit_log_is_kept_for_400_days_or_as_long_as_orders(store: Store, retention: timedelta) -> None:
    with store.write() as connection:
        note(connection, "ola", "pause", "lane/emails")
    kept = max(retention, AUDIT_KEPT)
    for age, left in ((kept - timedelta(days=1), 1), (kept + timedelta(days=1), 0)):
        make_older(store, age)
        with store.write() as connection:
            prune_some(connection, retention)
        assert len(lines(store)) == left


def test_a_key_that_expires_leaves_one_line_that_varsel_writes(store: Store) -> None:
    its = api_keys_table.c
    with store.write() as connection:
        for name in ("over", "long over", "not yet", "revoked"):
            api_keys.create(connection, "anna", api_keys.NewKey("live", "ttd", name, days=2))
        changed = update(api_keys_table)
        connection.execute(changed.where(its.name != "not yet").values(expires=now() - timedelta(hours=1)))
        connection.execute(changed.where(its.name == "long over").values(expires=now() - timedelta(days=3)))
        connection.execute(changed.where(its.name == "revoked").values(revoked=now() - timedelta(hours=2)))
    for _ in range(2):  # two clocks
        with store.write() as connection:
            api_keys.note_expired(connection)
    with store.read() as connection:
        found = page(connection, AUDIT, {"who": "varsel"}).items
    assert [(line["action"], line["target"], line["detail"]) for line in found] == [
        ("expire", "keys/1", {"creator": "ttd", "name": "over"})
    ]


def test_a_kind_of_thing_finds_all_of_them_and_a_thing_what_belongs_to_it(store: Store) -> None:
    targets = ["subscriptions/1", "subscriptions/1/deliveries/5", "subscriptions/12", "orders/1"]
    with store.write() as connection:
        for target in targets:
            note(connection, "ola", "pause", target)
    with store.read() as connection:

        def found(target: str) -> list[str]:
            return [line["target"] for line in page(connection, AUDIT, {"target": target}).items][::-1]

        assert found("subscriptions") == targets[:3]
        assert found("subscriptions/1") == targets[:2]
        assert found("subscription") == []
