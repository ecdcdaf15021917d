"""Send conditions of real orders, on both databases: when they are asked, what each answer does (contract 6.7)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Row, select, update

from engine.admin import details
from engine.db.dialects import Now
from engine.db.store import Store
from engine.db.tables import emails, orders
from engine.models import OrderState
from tests.helpers.waiting import wait_for
from tests.servers.http import Action, Close, Receiver, Say
from tests.servers.installation import API, Installation, order

if TYPE_CHECKING:
    from collections.abc import Iterator

YES, NO = Say(200, b'{"sendNotification": true}'), Say(200, b'{"sendNotification": false}')
BUSY, VAGUE = Say(503), Say(200, b'{"sendNotification": "false"}')
PROCESSED = (OrderState.PROCESSED, OrderState.COMPLETED)


class Sender:
    """Places an order with a condition, and reads what becomes of it."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        database = installation.settings.get("VARSEL_DATABASE_URL", f"sqlite:///{installation.folder}/varsel.db")
        self.store = Store(database)
        self._client = installation.client()
        self._id = uuid.UUID(int=0)

    def close(self) -> None:
        self.store.close()
        self._client.close()

    def place(self, url: str) -> None:
        posted = order(f"{uuid.uuid4().hex}@example.no", conditionEndpoint=url)
        answer = self._client.post(f"{API}/orders/email", json=posted)
        assert answer.status_code == 202, answer.text
        self._id = uuid.UUID(answer.json()["orderId"])

    def row(self) -> Row[Any]:
        with self.store.read() as connection:
            return connection.execute(select(orders).where(orders.c.id == self._id)).one()

    def reaches(self, *states: OrderState) -> None:
        wait_for(lambda: self.row().state in states)

    def asked_once(self) -> timedelta:
        """Wait for one inconclusive answer; return how long it is until the endpoint is asked again."""
        row = wait_for(lambda: (row := self.row()).attempts == 1 and row.unresolved == 0 and row)
        assert row.state == OrderState.PROCESSING
        with self.store.read() as connection:
            now = connection.scalars(select(Now())).one()
        remaining: timedelta = row.due_at - now
        return remaining

    def hurry(self) -> None:
        """Make the order due now, without waiting a minute."""
        with self.store.write() as connection:
            connection.execute(update(orders).where(orders.c.id == self._id).values(due_at=Now()))

    def history(self) -> list[dict[str, Any]]:
        """Who did what to the order, as the console shows it, the oldest first."""
        with self.store.read() as connection:
            shown: list[dict[str, Any]] = details.order(connection, self._id)["history"]
        return shown[::-1]

    def shown(self) -> tuple[str, int]:
        """The status that the API shows, and how many e-mails came of the order."""
        status = self._client.get(f"{API}/orders/{self._id}/status").json()
        with self.store.read() as connection:
            made = connection.execute(select(emails.c.seq).where(emails.c.order_seq == self.row().seq)).all()
        return status["processingStatus"]["status"], len(made)


@pytest.fixture
def sender(installation: Installation) -> Iterator[Sender]:
    sender = Sender(installation)
    yield sender
    sender.close()


def test_a_condition_that_is_met_lets_the_order_go(sender: Sender) -> None:
    with Receiver(YES) as receiver:
        sender.place(f"{receiver.url}/condition?order=1")
        sender.reaches(*PROCESSED)
    [request] = receiver.requests
    assert (request.method, request.target, request.body) == ("GET", "/condition?order=1", b"")
    assert "authorization" not in request.headers
    assert sender.shown() == ("Completed", 1)


def test_a_condition_that_is_not_met_stops_the_order(sender: Sender) -> None:
    with Receiver(NO) as receiver:
        sender.place(receiver.url)
        sender.reaches(OrderState.SEND_CONDITION_NOT_MET)
    assert len(receiver.requests) == 1
    assert sender.row().due_at is None
    assert sender.shown() == ("SendConditionNotMet", 0)


@pytest.mark.parametrize("vague", [BUSY, VAGUE, Say(204), Close()], ids=["503", "text", "204", "cut"])
def test_an_inconclusive_answer_is_asked_for_once_more_after_a_minute_then_the_order_goes(
    sender: Sender, vague: Action
) -> None:
    with Receiver(vague) as receiver:
        sender.place(receiver.url)
        until = sender.asked_once()
        assert timedelta(seconds=30) < until <= timedelta(seconds=60)
        assert sender.shown() == ("Processing", 0)
        assert len(receiver.requests) == 1
        sender.hurry()
        sender.reaches(*PROCESSED)
    assert len(receiver.requests) == 2
    assert sender.shown() == ("Completed", 1)
    first, second = sender.history()
    assert [line["action"] for line in (first, second)] == ["condition-failed"] * 2
    assert [line["detail"]["then"] for line in (first, second)] == ["asked again in 60 s", "sent anyway"]
    assert all(line["detail"]["reason"] for line in (first, second))


@pytest.mark.parametrize(
    ("second", "status", "made"), [(YES, "Completed", 1), (NO, "SendConditionNotMet", 0)], ids=["yes", "no"]
)
def test_the_second_answer_counts_when_it_is_one(sender: Sender, second: Action, status: str, made: int) -> None:
    with Receiver(BUSY, second) as receiver:
        sender.place(receiver.url)
        sender.asked_once()
        sender.hurry()
        sender.reaches(*PROCESSED, OrderState.SEND_CONDITION_NOT_MET)
    assert sender.shown() == (status, made)
    assert len(receiver.requests) == 2


def test_an_endpoint_that_is_gone_is_inconclusive(sender: Sender) -> None:
    with Receiver(YES) as receiver:
        url = receiver.url
    sender.place(url)
    sender.asked_once()
    sender.hurry()
    sender.reaches(*PROCESSED)
    assert sender.shown() == ("Completed", 1)
