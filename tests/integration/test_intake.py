"""Intake of orders, on both databases: the order is stored as posted, and a key makes one order."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, literal_column, select

from api import order_answers
from api.answers import instant
from engine.db.tables import EPOCH, MILLISECOND, attachments, chains, orders
from engine.errors import KeyInUse, KeyReused
from engine.models import creator_of_tests, new_id
from engine.orders import reading
from engine.orders.chains import NewChain
from engine.orders.contacts import import_contacts
from engine.orders.intake import _write
from engine.orders.members import parse_json
from engine.orders.quotas import Quotas
from engine.orders.receipts import Key, Placement, Receipt, fingerprint
from engine.orders.request import PARAMETER
from engine.orders.rules import Limits, parse_order
from engine.outbound import Guard
from engine.queue import due
from engine.queue.signals import INSTANT
from tests.helpers.entrances import intake, run
from tests.helpers.rows import count
from tests.helpers.texts import BODY, LINE
from tests.helpers.waiting import LONG, SHORT, wait_for

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from engine.db.store import Store
    from engine.orders.intake import Intake
    from engine.orders.new_order import NewOrder

LIMITS = Limits(10, Guard(allow_private=True), "noreply@example.no", bulk_above=5)
ORDER = {"subject": "a", "body": "b", "recipients": [{"emailAddress": "kari@example.no"}]}
BASE = "http://127.0.0.1:5090/notifications/api/v1"

DIGITS = st.characters(min_codepoint=48, max_codepoint=57)
RECIPIENT = st.one_of(
    st.sampled_from(["kari@example.no", "kåre@blåbær.no", "a;b@example.no"]).map(lambda a: {"emailAddress": a}),
    st.text(DIGITS, min_size=11, max_size=11).map(lambda n: {"nationalIdentityNumber": n}),
    st.text(DIGITS, min_size=9, max_size=9).map(lambda n: {"organizationNumber": n}),
    LINE.map(lambda text: {"emailAddress": "kari@example.no", "mobileNumber": text}),
)
ORDERS = st.fixed_dictionaries(
    {"subject": LINE, "body": BODY, "recipients": st.lists(RECIPIENT, min_size=1, max_size=4)},
    optional={
        "contentType": st.sampled_from(["Plain", "Html"]),
        "sendersReference": LINE,
        "requestedSendTime": st.integers(2_524_608_000_000, 253_370_764_799_999).map(  # years 2050 to 9998, in ms
            lambda stamp: instant(EPOCH + stamp * MILLISECOND)
        ),
        "conditionEndpoint": st.sampled_from(["https://example.no/a?b=c", "http://127.0.0.1:8080/"]),
        "ignoreReservation": st.booleans(),
        "resourceId": LINE,
        "deliveryGuarantee": st.sampled_from(["AtLeastOnce", "AtMostOnce"]),
        "priority": st.sampled_from(["Instant", "Normal", "Bulk"]),
    },
)


def request(**members: Any) -> NewOrder:
    return parse_order(parse_json(json.dumps(ORDER | members).encode(), PARAMETER), LIMITS, datetime.now(UTC))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(posted=ORDERS)
def test_an_order_comes_out_as_it_went_in(store: Store, posted: dict[str, Any]) -> None:
    receipt = run(store, lambda entrance: entrance.place("ttd", request(**posted), None))
    with store.read() as connection:
        shown = json.loads(order_answers.Order.of(reading.find(connection, "ttd", receipt.order_id), BASE).json_text())
        status = reading.status(connection, "ttd", receipt.order_id)
    order_answers.Order.model_validate(shown)
    order_answers.OrderStatus.model_validate_json(order_answers.OrderStatus.of(*status, BASE).json_text())
    template = {name: posted.get(name, "Plain") for name in ("subject", "body", "contentType")}
    assert shown.pop("emailTemplate") == {"fromAddress": "noreply@varsel.example"} | template
    for name in ("id", "creator", "created", "notificationChannel", "links"):
        assert shown.pop(name)
    if "requestedSendTime" not in posted:
        shown.pop("requestedSendTime")
    usual = "Bulk" if len(posted["recipients"]) > LIMITS.bulk_above else "Normal"
    expected = {"deliveryGuarantee": "AtLeastOnce", "priority": usual} | posted
    assert shown == {name: value for name, value in expected.items() if name not in template}


def test_whoever_waits_is_woken_after_the_commit_and_not_by_a_replay(store: Store) -> None:
    seen: list[int] = []
    key = Key("k", "f")

    async def work(entrance: Intake) -> None:
        await entrance.place("ttd", request(), key)
        await entrance.place("ttd", request(), key)

    run(store, work, lambda _: seen.append(count(store, orders)))
    assert seen == [1]


def test_an_order_that_is_due_before_the_clock_looks_wakes_a_worker_then(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.orders.intake.LOOK_EVERY", LONG)
    woken: list[tuple[str, datetime]] = []

    async def work(entrance: Intake) -> datetime:
        await entrance.place("ttd", request(), None)  # from now on, the database's time is known
        due_at = store.clock.now() + SHORT * 4
        await entrance.place("ttd", request(requestedSendTime=due_at.isoformat()), None)
        await asyncio.to_thread(wait_for, lambda: len(woken) == 4)
        return due_at

    due_at = run(store, work, lambda name: woken.append((name, store.clock.now())))
    assert woken[1][1] < due_at <= woken[2][1] + MILLISECOND
    assert [name for name, _ in woken] == [due.ORDERS.name] * 3 + [INSTANT]  # nobody knows which kind is due


def test_an_instant_order_that_waits_for_nothing_wakes_its_own_workers(store: Store) -> None:
    conditional = {"conditionEndpoint": "https://condition.example"}

    async def work(entrance: Intake) -> None:
        for members in ({}, {"priority": "Instant"}, {"priority": "Instant"} | conditional):
            await entrance.place("ttd", request(**members), None)
        await entrance.place(creator_of_tests("ttd"), request(priority="Instant"), None)  # which they do not see

    woken: list[str] = []
    run(store, work, woken.append)
    assert woken == [due.ORDERS.name, INSTANT, due.ORDERS.name, due.ORDERS.name]


@pytest.mark.dialects
def test_two_web_processes_make_one_order_of_one_key(store: Store) -> None:
    key = Key("k", fingerprint(ORDER))

    async def work(first: Intake) -> list[Receipt]:
        async with intake(store) as second:
            both = [entrance.place("ttd", request(), key) for entrance in (first, second)]
            return list(await asyncio.gather(*both))

    receipts = run(store, work)
    assert receipts[0].order_id == receipts[1].order_id
    assert sorted(receipt.replayed for receipt in receipts) == [False, True]
    assert count(store, orders) == 1


def test_a_key_that_another_process_used_for_another_payload_is_refused(store: Store) -> None:
    run(store, lambda entrance: entrance.place("ttd", request(), Key("k", "one")))
    with pytest.raises(KeyReused):
        run(store, lambda entrance: entrance.place("ttd", request(), Key("k", "other")))
    with pytest.raises(KeyReused):
        run(store, lambda entrance: entrance.replay("ttd", Key("k", "other")))
    run(store, lambda entrance: entrance.place("skd", request(), Key("k", "other")))
    assert count(store, orders) == 2


def test_a_key_whose_first_request_still_runs_is_in_use_and_free_afterwards(store: Store) -> None:
    async def work(entrance: Intake) -> Receipt | None:
        first = asyncio.create_task(entrance.place("ttd", request(), Key("k", "f")))
        await asyncio.sleep(0)  # it has begun, and nothing can answer it before this returns to the loop
        with pytest.raises(KeyInUse):
            await entrance.place("ttd", request(), Key("k", "f"))
        await first
        return await entrance.replay("ttd", Key("k", "f"))

    replayed = run(store, work)
    assert replayed is not None
    assert replayed.replayed


def test_a_replay_tells_the_look_up_of_its_day(store: Store) -> None:
    posted = {"recipients": [{"nationalIdentityNumber": "16069412345"}, {"organizationNumber": "910150804"}]}
    key = Key("k", "f")
    first = run(store, lambda entrance: entrance.place("ttd", request(**posted), key))
    with store.write() as connection:
        import_contacts(connection, io.StringIO("identity,name,email\n16069412345,Kari,kari@example.no\n"))
    again = run(store, lambda entrance: entrance.replay("ttd", key))
    assert again.lookup == first.lookup
    assert first.lookup.missing_contact == ("16069412345", "910150804")
    later = run(store, lambda entrance: entrance.place("ttd", request(**posted), None))
    assert (later.lookup.status, later.lookup.missing_contact) == ("PartialSuccess", ("910150804",))


def test_a_person_who_is_reserved_and_has_no_address_counts_once(store: Store) -> None:
    with store.write() as connection:
        import_contacts(connection, io.StringIO("identity,name,email,reserved\n16069412345,Kari,,true\n"))
    posted = {"recipients": [{"nationalIdentityNumber": "16069412345"}, {"nationalIdentityNumber": "16069412345"}]}
    lookup = run(store, lambda entrance: entrance.place("ttd", request(**posted), None)).lookup
    assert (lookup.status, lookup.is_reserved, lookup.missing_contact) == ("Failed", ("16069412345",), ())
    ignoring = request(**posted, ignoreReservation=True)
    lookup = run(store, lambda entrance: entrance.place("ttd", ignoring, None)).lookup
    assert (lookup.status, lookup.is_reserved, lookup.missing_contact) == ("Success", ("16069412345",), ())


def test_without_a_send_time_an_order_is_due_by_the_databases_clock(store: Store) -> None:
    receipt = run(store, lambda entrance: entrance.place("ttd", request(), None))
    with store.read() as connection:
        row = connection.execute(select(orders).where(orders.c.id == receipt.order_id)).one()
    assert row.created == row.requested_send_time == row.due_at == row.last_update
    assert abs(row.created - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": [1, {"c": null, "d": "x"}]}', '{"b":[1,{"d":"x","c":null}],"a":1}', True),
        ('{"a": "\\u00e5"}', '{"a": "å"}', True),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', False),
        ('{"a": null}', "{}", False),
    ],
)
def test_a_fingerprint_is_of_the_meaning(one: str, other: str, *, same: bool) -> None:
    prints = [fingerprint(parse_json(text.encode(), PARAMETER)) for text in (one, other)]
    assert (prints[0] == prints[1]) is same


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=15))  # fmt: skip
def test_any_payload_has_a_fingerprint(value: Any) -> None:
    assert len(fingerprint({"any": value})) == 64


@pytest.mark.dialects
def test_a_group_claims_names_in_one_order_whatever_the_order_of_its_requests(store: Store) -> None:
    """Two processes whose groups have the same names in another order would wait for each other."""
    placements = []
    for name in ("c", "a", "b"):
        chain, chain_id = NewChain(name, [request()]), new_id(datetime.now(UTC))
        rows = [
            order.row(new_id(datetime.now(UTC)), "ttd", "noreply@varsel.example", chain_id) for order in chain.orders
        ]
        receipt = Receipt(chain_id)
        placements.append(Placement(rows, 1, receipt, chain=chain.row(chain_id, "ttd", "", receipt.shipments)))
    place: ColumnElement[str] = literal_column("ctid" if store.dialect.name == "postgresql" else "rowid")
    with store.write() as connection:
        answers = _write(Quotas(None), str, connection, placements)
        stored = connection.scalars(select(chains.c.idempotency_id).order_by(place)).all()
    assert stored == ["a", "b", "c"]
    assert answers == [placement.receipt for placement in placements]


def test_attachments_are_stored_with_their_order_and_cost_others_no_statement(store: Store) -> None:
    said: list[str] = []
    listening = (store.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    file = {"filename": "vedtak.pdf", "mimeType": "application/pdf"}
    address = "https://ttd.blob.core.windows.net/v/1?se=2999-01-01&sp=r&sr=b&sig=x"
    files = [file | {"content": "SGVp"}, file | {"sasUrl": address}]

    async def run() -> None:
        async with intake(store) as entrance:
            await entrance.place("ttd", request(attachments=files), None)
            event.listen(*listening)
            await asyncio.gather(*(entrance.place("ttd", request(), None) for _ in range(3)))

    asyncio.run(run())
    event.remove(*listening)
    assert said
    assert [text for text in said if "attachments" in text] == []
    with store.read() as connection:
        stored = connection.execute(select(attachments).order_by(attachments.c.position)).all()
        counts = select(orders.c.attachments, orders.c.fetches, orders.c.rank.is_(None)).order_by(orders.c.seq)
        assert connection.execute(counts).all() == [(2, 1, True), *[(0, None, False)] * 3]
    assert [(each.content, each.size, each.address) for each in stored] == [(b"Hei", 3, None), (None, None, address)]
