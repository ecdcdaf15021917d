"""A database of the previous release goes on under this one: rows that wait, failed, are paused or dead."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, select

from engine.admin import details
from engine.admin.actions import find, perform
from engine.admin.lists import page
from engine.admin.pausing import resume, resume_subscription
from engine.admin.resources import AUDIT, DELIVERIES, EMAILS, JOBS, ORDERS, SUBSCRIPTIONS, Resource
from engine.db.migrations import Fit, fit, upgrade
from engine.db.store import Store
from engine.db.tables import EMAIL_OPEN, deliveries, emails, events, jobs, orders, subscriptions
from engine.models import GONE, DeliveryState, EmailState, JobState, OrderState
from engine.text.addresses import wire_address
from tests.helpers.old_database import fill
from tests.helpers.waiting import LEASE, wait_for
from tests.servers.http import Receiver, Say
from tests.servers.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.dialects

YES = Say(200, b'{"sendNotification": true}')  # what is pushed needs the status alone
ITSELF = {"due-order", "lost-order", "condition", "waiting-mail", "lost-mail", "bounced", "mail-released"}
ITSELF |= {"order-released"}  # whose pause had ended, and whose job waited
LATER = {"deferred", "condition-again"}
OF_CREATOR = {"mail-of-creator", "order-of-creator"}
OF_DOMAINS = {"kari@Slow.Example", "both@slow.example", "anna@blåbær.no"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The receiver of all calls."""
    with Receiver(YES) as running:
        yield running


@pytest.fixture
def old(empty_url: str, receiver: Receiver) -> Iterator[Store]:
    """The database of the previous release."""
    with closing(Store(empty_url)) as store:
        with store.write() as connection:
            fill(connection, receiver.url)
        yield store


def everything(connection: Connection, resource: Resource, **given: str) -> list[dict[str, Any]]:
    return page(connection, resource, given).items


def seq_of(store: Store, name: str) -> int:
    """The subscription of that endpoint."""
    with store.read() as connection:
        seq: int = connection.scalars(select(subscriptions.c.seq).where(subscriptions.c.endpoint.endswith(name))).one()
    return seq


def test_lists_and_details_of_an_old_database_tell_what_they_told(old: Store) -> None:
    upgrade(old)
    with old.read() as connection:
        assert fit(connection) is Fit.CURRENT
        held = {row["address"] for row in everything(connection, EMAILS, state="held")}
        assert held == {"mail-of-creator@example.no", "kari@Slow.Example", "both@slow.example"}
        due = {row["address"] for row in everything(connection, EMAILS, state="due")}
        assert due >= {"mail-released@example.no", "anna@blåbær.no"}, "released, and to be held by the next claim"
        assert [row["creator"] for row in everything(connection, ORDERS, state="held")] == ["skd"]
        [set_aside] = everything(connection, ORDERS, state="SetAside")
        assert details.order(connection, set_aside["id"])["history"][0]["action"] == "set-aside"
        [deferred] = everything(connection, EMAILS, state="retrying")
        attempts = details.email(connection, deferred["id"])["timeline"]
        assert [(each["outcome"], each["code"]) for each in attempts] == [("deferred", 450)] * 2
        reasons = {row["paused_reason"] for row in everything(connection, SUBSCRIPTIONS, state="paused")}
        assert reasons == {"Paused by an operator: their weekend", GONE}
        [dead] = everything(connection, DELIVERIES, state="Dead")
        attempts = details.delivery(connection, dead["seq"])["timeline"]
        assert [each["outcome"] for each in attempts] == ["deferred", "rejected"]
        failing = connection.execute(select(subscriptions).where(subscriptions.c.endpoint.endswith("failing"))).one()
        assert (failing.failures, failing.open_until is not None) == (7, True)
        listed = {(row["state"], row["resource"], row["action"]) for row in everything(connection, JOBS)}
        assert listed == {
            ("Done", "emails", "retry_now"),
            ("Stopped", "orders", "cancel"),
            ("Waiting", "orders", "release"),
            ("Waiting", "emails", "release"),
            ("Waiting", "emails", "retry"),
        }
        assert {row["target"] for row in everything(connection, AUDIT)} >= {
            "creator/skd",
            "domain/slow.example",
            "jobs/1",
        }


def test_what_a_pause_held_back_in_an_old_database_says_which_one(old: Store) -> None:
    upgrade(old)
    with old.read() as connection:
        causes = dict(connection.execute(select(emails.c.address, emails.c.paused_by).where(EMAIL_OPEN)).all())
        of_orders = connection.execute(select(orders.c.paused_by, orders.c.due_at).where(orders.c.creator != "ttd"))
        assert [tuple(row) for row in of_orders if row.paused_by] == [("creator:skd", None)]
    assert {address: cause for address, cause in causes.items() if cause} == {
        "mail-of-creator@example.no": "creator:skd",
        "both@slow.example": "creator:skd",
        "kari@Slow.Example": "domain:slow.example",
    }


def test_everything_in_an_old_database_goes_on(
    old: Store, receiver: Receiver, database: str, empty_url: str, tmp_path: Path
) -> None:
    folder = tmp_path
    settings: dict[str, Any] = {"lease": LEASE, "allow_private_endpoints": "true", "worker_processes": 1}
    if database == "postgresql":
        settings["database_url"] = empty_url
    else:
        folder = Path(empty_url.removeprefix("sqlite:///")).parent

    with Site(folder, **settings) as site:

        def got(*expected: set[str]) -> bool:
            """Whether each of these, and nobody else, has got a message."""
            named = (name if "@" in name else f"{name}@example.no" for each in expected for name in each)
            wanted = {wire_address(address)[0] for address in named}
            to = Counter(address for mail in site.relay.accepted for address in mail.rcpt_tos)
            assert set(to.values()) <= {1}
            assert set(to) <= wanted, "what is paused is not sent"
            return set(to) == wanted

        def pushed(name: str) -> int:
            return sum(each.target == f"/{name}" for each in receiver.answered)

        wait_for(lambda: got(ITSELF))
        wait_for(lambda: pushed("fine") == pushed("new") == 1)
        site.ledger.hurry()
        wait_for(lambda: got(ITSELF, LATER))
        wait_for(lambda: (pushed("failing"), pushed("dead")) == (6, 1))
        assert pushed("gone") == pushed("stopped") == pushed("many-1") == 0, "what is paused is not pushed"

        with old.write() as connection:
            for name in ("gone", "stopped"):
                resume_subscription(connection, "ola", seq_of(old, name))
            dead = connection.execute(
                select(deliveries.c.seq).where(deliveries.c.state == DeliveryState.DEAD)
            ).scalar_one()
            perform(connection, "ola", find("deliveries", "retry"), dead)
        wait_for(lambda: (pushed("gone"), pushed("stopped"), pushed("dead")) == (2, 1, 2))
        with old.write() as connection:
            resume(connection, "ola", "lane", "fan_outs")
        wait_for(lambda: pushed("many-1") == pushed("many-2") == 2)

        with old.write() as connection:
            resume(connection, "ola", "creator", "skd")
        wait_for(lambda: got(ITSELF, LATER, OF_CREATOR))
        with old.write() as connection:
            resume(connection, "ola", "domain", "slow.example")
            resume(connection, "ola", "domain", "blåbær.no")
        wait_for(lambda: got(ITSELF, LATER, OF_CREATOR, OF_DOMAINS))

        with old.write() as connection:
            by_state = dict(connection.execute(select(orders.c.state, orders.c.id)).all())
            perform(connection, "ola", find("orders", "retry"), by_state[OrderState.SET_ASIDE])
            perform(connection, "ola", find("orders", "send_now"), by_state[OrderState.REGISTERED])
        wait_for(lambda: got(ITSELF, LATER, OF_CREATOR, OF_DOMAINS, {"set-aside", "later-order"}))
        site.settle()

    with old.read() as connection:
        assert set(connection.scalars(select(orders.c.state))) == {OrderState.COMPLETED}
        assert set(connection.scalars(select(emails.c.state))) == {EmailState.SUCCEEDED}
        assert set(connection.scalars(select(deliveries.c.state))) == {DeliveryState.DELIVERED}
        assert set(connection.scalars(select(jobs.c.state))) == {JobState.DONE, JobState.STOPPED}
        told = connection.scalars(select(events.c.text).where(events.c.type == "no.varsel.order.completed")).all()
        assert len({json.loads(each)["subject"] for each in told}) == 18
