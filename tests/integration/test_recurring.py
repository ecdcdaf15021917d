"""Recurring orders: each run is an order of its own, made once by however many clocks."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from engine.db.store import Store
from engine.db.tables import orders, recurring_orders, senders
from engine.errors import Conflict, Invalid, NotFound
from engine.models import new_id
from engine.orders import recurring, runs
from engine.orders.identities import Identities, Identity
from engine.orders.quotas import Quotas
from engine.orders.recurring_request import parse_recurring
from engine.orders.rules import parse_order
from engine.orders.runs import Making
from engine.templating.catalogue import find
from engine.templating.own import Own
from tests.helpers.rows import now
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, at, order
from tests.unit.test_timing import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from sqlalchemy import Row

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PATH = f"{API}/recurring-orders"
FIND = partial(find, Own(None))
YEARLY = "0 0 1 1 *"  # for tests whose runs must not become due again meanwhile


def test_of_an_order_that_is_given_twice_one_is_checked_and_made() -> None:
    """As everywhere, names count in any case, and the last of several."""
    value = asked(order=order(subject=None, body=None, template={"name": "notice"})) | {
        "Order": order("ola@example.no")
    }
    new = parse_recurring(parse_order, value, LIMITS, datetime(2026, 11, 28, 18, tzinfo=UTC))
    assert [each["emailAddress"] for each in new.order.recipients] == ["ola@example.no"]
    assert new.order.template is None


def asked(**members: Any) -> dict[str, Any]:
    """A valid recurring order, of every minute."""
    return {"name": "minutely", "cron": "* * * * *", "zone": "Europe/Oslo", "order": order()} | members


def stored(store: Store, missed_by: timedelta = timedelta(0), **members: Any) -> UUID:
    """A recurring order whose next run was due that long ago."""
    new = parse_recurring(parse_order, asked(**members), LIMITS, now())
    with store.write() as connection:
        found, _ = recurring.store(connection, "ttd", "noreply@varsel.example", new, new_id(now()))
        connection.execute(
            update(recurring_orders).where(recurring_orders.c.id == found.id).values(next_at=now() - missed_by)
        )
    return found.id


def tick(store: Store, quotas: Quotas | None = None) -> int:
    with store.write() as connection:
        return runs.make_due(connection, Making(FIND, quotas or Quotas(None)))[0]


def row(store: Store, its_id: UUID) -> Row[Any]:
    with store.read() as connection:
        return connection.execute(select(recurring_orders).where(recurring_orders.c.id == its_id)).one()


def made(store: Store) -> list[Row[Any]]:
    with store.read() as connection:
        return list(connection.execute(select(orders).order_by(orders.c.seq)))


@pytest.mark.dialects
def test_clocks_that_run_at_once_make_each_run_once(store: Store) -> None:
    for number in range(25):
        stored(store, name=str(number))
    with ThreadPoolExecutor(4) as clocks:
        assert sum(clocks.map(tick, [store] * 12)) == 25
    assert len({order.id for order in made(store)}) == 25
    assert {(order.state, order.requested_send_time == order.due_at) for order in made(store)} == {("Registered", True)}


def test_a_creator_with_many_runs_leaves_others_their_turn(store: Store) -> None:
    for number in range(15):
        stored(store, DAY, name=str(number), cron=YEARLY)
    skd = stored(store, name="of skd", cron=YEARLY)
    with store.write() as connection:
        connection.execute(update(recurring_orders).where(recurring_orders.c.id == skd).values(creator="skd"))
    assert tick(store) == 10
    assert row(store, skd).made == 1
    assert [tick(store), tick(store)] == [6, 0]


@pytest.mark.parametrize("text", ["{", "{}", '{"order": {}, "has_identity": false}', "[]", None])
def test_a_row_that_cannot_be_read_stops_no_other(store: Store, text: str | None) -> None:
    """None: one that the database does not take, since it lacks what an order has."""
    broken, other = stored(store, name="broken"), stored(store, name="other")
    if text is None:
        made_of = json.loads(row(store, broken).order_row)
        del made_of["order"]["priority"]
        text = json.dumps(made_of)
    with store.write() as connection:
        connection.execute(update(recurring_orders).where(recurring_orders.c.id == broken).values(order_row=text))
    assert tick(store) == 1
    assert row(store, other).made == 1
    assert "cannot be read" in row(store, broken).last_fault
    assert row(store, broken).next_at > now()


@pytest.mark.parametrize(("missed", "count"), [("Once", 1), ("Skip", 0)])
def test_runs_that_nobody_made_in_time_are_made_once_or_not_at_all(store: Store, missed: str, count: int) -> None:
    its_id = stored(store, 3 * DAY, missed=missed, cron=YEARLY)
    assert [tick(store), tick(store)] == [count, 0]
    after = row(store, its_id)
    assert now() < after.next_at <= now() + 366 * DAY
    assert (after.made, after.last_fault is None) == (count, count == 1)
    assert all(now() - MINUTE < order.requested_send_time <= now() for order in made(store))


def test_it_ends_after_so_many_runs_or_at_its_time(store: Store) -> None:
    twice, until = stored(store, runs=2), stored(store, name="until", until=at(MINUTE))
    with store.write() as connection:
        connection.execute(update(recurring_orders).where(recurring_orders.c.id == until).values(until=now()))
    assert tick(store) == 2
    assert (row(store, twice).runs_left, row(store, until).next_at) == (1, None)
    with store.write() as connection:
        connection.execute(update(recurring_orders).where(recurring_orders.c.id == twice).values(next_at=now()))
    assert tick(store) == 1
    assert (row(store, twice).runs_left, row(store, twice).next_at, row(store, twice).made) == (0, None, 2)
    assert row(store, twice).last_order == made(store)[-1].id


def test_a_run_counts_in_its_creators_quota(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "quotas.toml"
    file.write_text("[default]\nper_day = 1\n")
    first, second = stored(store), stored(store, name="second")
    assert tick(store, Quotas(file)) == 1
    faults = {row(store, first).last_fault, row(store, second).last_fault}
    assert None in faults
    assert any(fault and "quota" in fault for fault in faults)
    assert all(row(store, each).next_at > now() for each in (first, second))


def test_a_name_has_one_recurring_order_and_others_do_not_see_it(store: Store) -> None:
    its_id = stored(store)
    assert stored(store) == its_id
    with pytest.raises(Conflict):
        stored(store, cron="0 9 * * *")
    with store.write() as connection:
        with pytest.raises(NotFound):
            recurring.remove(connection, "/org/skd", "skd", its_id)
        recurring.remove(connection, "/org/ttd", "ttd", its_id)
        assert recurring.find_all(connection, "ttd") == []


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"name": " "}, "Name"),
        ({"cron": "* * * *"}, "Cron"),
        ({"cron": "0 0 30 2 *"}, "Cron"),
        ({"until": "2026-11-28T18:00:00Z"}, "Cron"),
        ({"until": "2030-11-28T18:00:00"}, "Until"),
        ({"zone": "Norway"}, "Zone"),
        ({"zone": "localtime"}, "Zone"),
        ({"zone": "Factory"}, "Zone"),
        ({"runs": 0}, "Runs"),
        ({"order": order(requestedSendTime="2030-01-01T00:00:00Z")}, "Order.RequestedSendTime"),
        ({"order": order(expiresAt="2030-01-01T00:00:00Z")}, "Order.ExpiresAt"),
        ({"order": order(attachments=[{"filename": "a.txt", "mimeType": "text/plain", "content": "SGVp"}])},
         "Order.Attachments"),
        ({"order": order("nobody")}, "Order.Recipients[0].EmailAddress"),
        ({"order": order(subject="Hei", body=None, template={"name": "notice"})}, "Order.Template"),
        ({"order": order(recipients=[], recipientsFollow=True)}, "Order.RecipientsFollow"),
        ({"ORDER": order(recipients=[], recipientsFollow=True)}, "Order.RecipientsFollow"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(members: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_recurring(parse_order, asked(**members), LIMITS, datetime(2026, 11, 28, 18, tzinfo=UTC))
    assert list(refused.value.errors) == [field]


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client() as client:
        yield client


def test_the_clock_makes_its_runs_and_they_are_sent(client: httpx.Client, installation: Installation) -> None:
    posted = asked(name="sent", runs=1, order=order("recurring@when.example"))
    answer = client.post(PATH, json=posted)
    assert answer.status_code == 201
    [next_run] = answer.json()["nextRuns"]
    assert client.post(PATH, json=posted).status_code == 200
    place = f"{PATH}/{answer.json()['id']}"
    database = installation.environment()["VARSEL_DATABASE_URL"]
    due_now(database, answer.json()["id"])
    ended: Any = wait_for(lambda: client.get(place).json().get("lastOrderId") and client.get(place).json())
    assert "nextRuns" not in ended
    assert next_run > ended["lastRun"]
    assert wait_for(lambda: len(installation.messages("recurring@when.example"))) == 1
    assert client.get(f"{API}/orders/{ended['lastOrderId']}").status_code == 200
    assert ended in client.get(PATH).json()["recurringOrders"]
    assert [client.delete(place).status_code, client.get(place).status_code] == [204, 404]


def due_now(database: str, its_id: str) -> None:
    """Nobody waits for the next minute."""
    with closing(Store(database)) as store, store.write() as connection:
        its = update(recurring_orders).where(recurring_orders.c.id == UUID(its_id))
        connection.execute(its.values(next_at=now()))


def test_a_run_whose_sender_was_removed_is_not_made(store: Store) -> None:
    identity = Identity("post@nav.example", "NAV", None)
    limits = replace(LIMITS, identities=Identities({identity.address: identity}, identity))
    new = parse_recurring(parse_order, asked(), limits, now())
    with store.write() as connection:
        its = {"creator": "ttd", "address": identity.address, "compared": identity.address, "name": "NAV"}
        connection.execute(senders.insert().values(its | {"is_default": True, "created": now(), "who": "anna"}))
        found, _ = recurring.store(connection, "ttd", "noreply@varsel.example", new, new_id(now()))
        connection.execute(update(recurring_orders).values(next_at=now()))
    assert tick(store) == 1
    assert [order.sender for order in made(store)] == [identity.address]
    with store.write() as connection:
        connection.execute(senders.delete())
        connection.execute(update(recurring_orders).values(next_at=now()))
    assert tick(store) == 0
    assert row(store, found.id).last_fault == "not made: its sender identity was removed"


def test_each_run_has_the_newest_version_of_its_template_and_its_recipients_values(
    client: httpx.Client, installation: Installation
) -> None:
    def posted(name: str, **values: object) -> httpx.Response:
        to = {"emailAddress": "filled@when.example", "values": values}
        its = {"template": {"name": "notice"}, "recipients": [to], "sendersReference": "filled"}
        return client.post(PATH, json=asked(name=name, order=its))

    lacking = posted("lacking")
    assert lacking.status_code == 400
    assert "Order.Recipients[0].Values.title" in lacking.json()["errors"]
    answer = posted("filled", title="Ukens sak", paragraphs=["Hei!"])
    assert answer.status_code == 201
    due_now(installation.environment()["VARSEL_DATABASE_URL"], answer.json()["id"])
    [mail] = wait_for(lambda: installation.messages("filled@when.example"))
    assert mail["subject"] == "Ukens sak"
    assert client.delete(f"{PATH}/{answer.json()['id']}").status_code == 204


def test_a_run_whose_template_is_gone_says_so_and_the_next_one_is_tried(store: Store) -> None:
    its = {"template": {"name": "mine"}, "recipients": [{"emailAddress": "a@example.no"}]}
    its_id = stored(store, order=its)
    assert tick(store) == 0
    after = row(store, its_id)
    assert after.last_fault == "not made: Template: There is no template mine."
    assert after.next_at > now()
