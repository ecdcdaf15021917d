"""The search box finds each kind of row by any scrap that names it, the newest first, by an index."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import event, insert, select, text, update

from engine.admin import lookups
from engine.admin.amounts import Amount
from engine.admin.lists import Place, page, view
from engine.admin.resources import RESOURCES
from engine.admin.searching import NEXT, SHOWN, check, identified, search
from engine.admin.tries import tries
from engine.db.tables import BLOCK, chains, deliveries, email_attempts, emails, events, idempotency_keys, orders
from engine.errors import Invalid
from engine.events.storing import persist
from engine.models import EmailState, OrderState
from tests.helpers.plans import plans
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.admin.searching import Group
    from engine.db.store import Store

ORDER, EMAIL, CHAIN = (UUID(f"019a3f0e-7c1b-7000-8000-{last:012x}") for last in (1, 2, 3))
EVENT = "b1946ac9-4931"
SENT: dict[str, Any] = {"state": EmailState.SUCCEEDED, "due_at": None}


@pytest.fixture
def filled(store: Store) -> Store:
    """One of everything that can be found, and others beside it."""
    with store.write() as connection:
        order = add_order(
            connection, id=ORDER, chain_id=CHAIN, senders_reference="sak 2026/17", state=OrderState.COMPLETED
        )
        add_order(connection, senders_reference="other", due_in=timedelta(hours=1), recipients='["Ola@Coming.no"]')
        mail = add_email(connection, order, id=EMAIL, address="Kari.Nordmann@Example.no", **SENT)
        ola = add_email(connection, order, address="ola@other.no", national_identity_number="12345678910", **SENT)
        line = {"claim": 1, "at": now(), "duration_ms": 1, "relay": "relay:25", "outcome": "accepted", "code": 250}
        line |= {"reply": "2.0.0 Ok: queued as 4Xk2Jq1Zz9", "queue_id": "4Xk2Jq1Zz9"}
        connection.execute(insert(email_attempts).values(line | {"email_seq": mail}))
        short = {"reply": "2.0.0 Ok: queued as 3F2A1B4C5D", "queue_id": "3F2A1B4C5D"}
        connection.execute(insert(email_attempts).values(line | short | {"email_seq": ola}))
        for number, creator in enumerate(("aaa", "ttd", "zzz")):
            key: dict[str, object] = {
                "creator": creator,
                "key": f"key-{number}",
                "fingerprint": "",
                "answer": "{}",
                "created": now(),
            }
            connection.execute(insert(idempotency_keys).values(key | {"order_id": ORDER}))
            chain: dict[str, object] = {
                "creator": creator,
                "kind": "Instant",
                "idempotency_id": f"chain-{number}",
                "fingerprint": "",
            }
            chain |= {"id": CHAIN if number == 1 else UUID(int=number), "shipments": "[]", "created": now()}
            connection.execute(insert(chains).values(chain))
        seq = add_subscription(connection, "https://receiver.example/hook", consumer="/org/skd")
        persist(connection, [an_event(id=EVENT, subject="/party/7")])
    assert seq
    return store


@pytest.mark.parametrize(
    ("typed", "kinds"),
    [
        ("kari", "emails"),
        ("KARI.nordmann@ex", "emails"),
        ("kari.nordmann@example.no", "emails"),
        ("nordmann", ""),
        ("@example.no", "emails"),
        ("example.no", "emails"),
        ("12345678910", "emails"),
        ("ola@coming.no", "orders"),
        ("sak 2026/17", "orders emails"),
        ("sak 2026", "orders emails"),
        (str(ORDER)[:-1], "orders emails"),
        (ORDER.hex, "orders emails"),
        (str(CHAIN), "orders"),
        (f"<{EMAIL}@varsel.example>", "emails"),
        (f"{EMAIL}@varsel", "emails"),
        ("4Xk2Jq1Zz9", "emails"),
        ("4Xk2", "emails"),  # as a terminal has cut it off
        ("250 2.0.0 Ok: queued as 4Xk2Jq", "emails"),
        ("4xk2", ""),  # another one
        ("4Xk", ""),
        ("3F2A1B", "emails"),
        ("3f2a1b4c5d", "emails"),
        ("key-0", "orders"),
        ("key-2", "orders"),
        ("chain-1", "orders"),
        (EVENT, "events deliveries"),
        (EVENT[:6], "events deliveries"),
        ("/party/7", "events"),
        ("1", "events subscriptions deliveries"),
        ("/org/skd", "subscriptions"),
        ("nothing of the kind", ""),
        ("100%", ""),
    ],
)
def test_a_scrap_finds_what_it_names_and_each_way_is_a_list(filled: Store, typed: str, kinds: str) -> None:
    with filled.read() as connection:
        groups = search(connection, typed)
        assert [group.resource for group in groups] == kinds.split()
        for group in groups:
            assert group.items
            listed = [_listed(connection, group.resource, way["filter"]) for way in group.ways]
            keys = {_key(item) for items in listed for item in items}
            assert keys == {_key(item) for item in group.items}


def _listed(connection: Connection, resource: str, given: dict[str, str]) -> list[dict[str, Any]]:
    return page(connection, RESOURCES[resource], given).items


def _key(row: dict[str, Any]) -> object:
    return row.get("seq") or row["id"]


def test_the_whole_name_of_a_row_leads_to_its_page(filled: Store) -> None:
    with filled.read() as connection:
        assert identified(connection, str(ORDER)) == f"orders/{ORDER}"
        assert identified(connection, str(CHAIN)) == f"orders/{ORDER}"
        assert identified(connection, f"<{EMAIL}@varsel.example>") == f"emails/{EMAIL}"
        assert identified(connection, str(ORDER)[:-1]) is None


@pytest.mark.parametrize("typed", ["x", "", "a\x00b", "x" * 401])
def test_what_cannot_name_anything_is_refused(typed: str) -> None:
    with pytest.raises(Invalid):
        check(typed)


def test_what_is_frequent_shows_its_newest_whatever_the_block(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "RARE", 3)
    places = [1, 2, BLOCK - 1, BLOCK, *range(5 * BLOCK, 5 * BLOCK + 6), 9 * BLOCK + 7]
    with store.write() as connection:
        order = add_order(connection)
        seqs = [
            add_email(connection, order, id=UUID(int=(number + 1) << 80), address=f"kari{number}@example.no")
            for number in range(len(places))
        ]
        add_email(connection, order, address="ola@example.no")
        for seq, place in zip(reversed(seqs), reversed(places), strict=True):
            connection.execute(update(emails).where(emails.c.seq == seq).values(seq=place + 1_000_000))
    with store.read() as connection:
        [group] = search(connection, "kari")
    assert [row["address"] for row in group.items] == [f"kari{number}@example.no" for number in range(10, 0, -1)]
    assert group.more
    assert len(group.items) == SHOWN


def test_what_succeeded_has_a_last_answer_and_so_has_what_nobody_was_asked_about(filled: Store) -> None:
    with filled.write() as connection:
        add_email(connection, 1, address="kari@reserved.no", state=EmailState.FAILED_RECIPIENT_RESERVED, due_at=None)
    with filled.read() as connection:
        items = {row["address"]: row for row in _of("emails", search(connection, "kari")).items}
        assert items["Kari.Nordmann@Example.no"]["last_reply"] == "2.0.0 Ok: queued as 4Xk2Jq1Zz9"
        assert items["kari@reserved.no"]["why"] == "The recipient has declined electronic communication."
        [order] = _of("orders", search(connection, "sak 2026/17")).items
        assert order["counts"] == {"Succeeded": 2, "Failed_RecipientReserved": 1}
        [pushed] = _of("events", search(connection, EVENT)).items
        assert pushed["counts"] == {"Waiting": 1}


def _of(resource: str, groups: list[Group]) -> Group:
    return next(group for group in groups if group.resource == resource)


@pytest.mark.dialects
def test_every_look_is_answered_by_an_index(filled: Store) -> None:
    asked: list[tuple[str, Any]] = []
    with filled.read() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # as it does by itself where there are many rows
        event.listen(
            connection, "before_cursor_execute", lambda _c, _cursor, said, given, *_: asked.append((said, given))
        )
        for typed in (
            "kari",
            str(ORDER)[:9],
            "sak 2026",
            "4Xk2Jq1Zz9",
            "4Xk2",
            EVENT[:6],
            "1",
            "/org/skd",
            "12345678910",
        ):
            search(connection, typed)
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        found = [
            (said, str(connection.exec_driver_sql(f"{explain} {said}", given).all()))
            for said, given in {*map(_fixed, asked)}
        ]
    tables = ("orders", "emails", "email_attempts", "events", "deliveries", "idempotency_keys", "chains")
    for said, plan in found:
        if said.startswith("SELECT (SELECT"):  # the first and the last number of a table
            continue
        whole = [f"SCAN {table}'" for table in tables] + [f"Seq Scan on {table} " for table in tables]
        assert not [each for each in whole if each in plan], said


@pytest.mark.dialects
def test_an_index_has_the_beginnings_of_queue_ids(filled: Store) -> None:
    with filled.read() as connection:
        asked = plans(connection, lambda: lookups.queued(connection, "4Xk2*", 10))
        [plan] = [plan for said, plan in asked if "queue_id" in said]
        assert "ix_email_attempts_queue_id" in plan
        bounds = (
            ("queue_id>", "queue_id<") if connection.dialect.name == "sqlite" else ("queue_id ~>=~", "queue_id ~<~")
        )
        assert all(bound in plan.partition("Filter:")[0] for bound in bounds), plan


def test_of_many_queue_ids_that_begin_alike_the_newest_are_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "RARE", 3)
    line = {"claim": 1, "at": now(), "duration_ms": 1, "relay": "relay:25", "outcome": "accepted", "reply": ""}
    with store.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        for number in range(5):
            id_ = UUID(int=(number + 1) << 80)
            seq = add_email(connection, order, id=id_, address=f"person{number}@example.no", **SENT)
            connection.execute(
                insert(email_attempts).values(line | {"email_seq": seq, "queue_id": f"4Xk2{9 - number}"})
            )
        shown = view(connection, RESOURCES["emails"], {"queue": "4Xk2*"}, Place())
        few = view(connection, RESOURCES["emails"], {"queue": "4Xk25"}, Place())
    assert [row["address"] for row in shown.page.items] == [f"person{number}@example.no" for number in (4, 3, 2)]
    assert (shown.total, few.total) == (Amount(3, more=True), Amount(1))


def _fixed(asked: tuple[str, Any]) -> tuple[str, Any]:
    said, given = asked
    return said, given if isinstance(given, tuple) else _Given(given)


class _Given(dict[str, Any]):
    """Parameters that can be in a set."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))


def test_orders_to_come_are_looked_through_up_to_a_bound(store: Store) -> None:
    with store.write() as connection:
        row = {"due_in": timedelta(hours=1), "recipients": '[{"emailAddress":"x@example.no"}]'}
        for number in range(3):
            add_order(connection, senders_reference=f"a-{number}", **row)  # type: ignore[arg-type]
    with store.read() as connection:
        [group] = search(connection, "x@example.no")
        assert len(group.items) == 3
    assert NEXT >= 100


def test_deliveries_and_events_of_a_number_are_found(filled: Store) -> None:
    with filled.write() as connection:
        connection.execute(update(deliveries).values(attempts=1))
        connection.execute(update(events).values(subject="42"))
        connection.execute(update(orders).values(senders_reference="42"))
    with filled.read() as connection:
        assert [group.resource for group in search(connection, "42")] == ["orders", "emails", "events"]


def test_the_end_of_an_identifier_finds_it_among_the_newest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write() as connection:
        seqs = [add_order(connection, state=OrderState.COMPLETED) for _ in range(3)]
        mails = [add_email(connection, seq, **SENT) for seq in seqs]
        ids = connection.scalars(select(orders.c.id).order_by(orders.c.seq)).all()
        of_mails = connection.scalars(select(emails.c.id).order_by(emails.c.seq)).all()
        assert len(mails) == len(of_mails)
        for typed in (ids[1].hex[-8:], ids[1].hex[-8:].upper(), f"…{ids[1].hex[-8:]}", str(ids[1])[-20:]):
            assert names(connection, typed) == [[ids[1]], [of_mails[1]]], typed
        assert names(connection, of_mails[2].hex[-6:]) == [[of_mails[2]]]
        assert names(connection, ids[1].hex[-5:]) == [], "too short an end"
        [way] = search(connection, of_mails[2].hex[-6:])[0].ways
        assert [row["id"] for row in page(connection, RESOURCES["emails"], way["filter"]).items] == [of_mails[2]]
        monkeypatch.setattr(lookups, "NEWEST_ENDS", 2)
        assert names(connection, ids[0].hex[-8:]) == [], "others are newer"
        assert names(connection, ids[2].hex[-8:]) == [[ids[2]], [of_mails[2]]]


def names(connection: Connection, typed: str) -> list[list[Any]]:
    """The identifiers that are found, by kind."""
    return [[item["id"] for item in group.items] for group in search(connection, typed)]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("nordmann", [("kari for kari.nordmann@example.no", None), ("anywhere in their recipients", "orders")]),
        ("mann@example.no", [("The whole domain: @example.no.", "find"), ("looks further for @example.no", "emails")]),
        ("@example.no", [("looks further for @example.no", "emails")]),
        ("2e4c", [("its last ones, at least 6", None)]),
        ("c0ffee12", [("among the newest 10,000 orders", None)]),
        ("1234 5678 901", [("without spaces: 12345678901.", "find")]),
        ("sak-2026/17", [("the beginning is enough, in the case that it has: sak.", "find")]),
    ],
)
def test_where_nothing_is_found_the_nearest_is_said(
    store: Store, typed: str, told: list[tuple[str, str | None]]
) -> None:
    with store.read() as connection:
        assert search(connection, typed) == []
    found = tries(typed, sees_personal_data=True)
    for words, resource in told:
        assert [each.resource for each in found if words in each.text] == [resource], found
    for each in found:
        assert (each.resource is None) == (each.given is None)


def test_a_viewer_is_told_of_identifiers_alone() -> None:
    assert tries("nordmann", sees_personal_data=False) == []
    assert len(tries("2e4c", sees_personal_data=False)) == 1
