"""Withdrawing orders while workers have them: one truthful answer per recipient, in a thousand races."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from engine.db.tables import email_attempts, emails, orders
from engine.email.deliverer import Deliverer
from engine.email.smtp import Relay
from engine.errors import Invalid, NotFound
from engine.models import EmailState, OrderState, new_id
from engine.orders import upload_reading, uploads, withdrawing
from engine.orders.contacts import ContactTable
from engine.orders.quotas import Quotas
from engine.orders.withdrawing import Aim, Fate, Left, fates, withdraw
from engine.queue import withdrawals
from engine.queue.calendars import Calendars
from engine.queue.runner import Runner
from engine.queue.withdrawals import Withdrawals
from engine.worker.short_way import ShortWay
from tests.helpers.processing import batch, made, place, the_order, told
from tests.helpers.relaying import deliver, only
from tests.helpers.rows import add_order, now
from tests.helpers.uploads import lines, make_portions, opened, sent, seq_of
from tests.helpers.waiting import LONG, wait_for
from tests.servers.installation import API, Installation, at, order
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Hang, Say, Slow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    import httpx
    from sqlalchemy import Connection

    from engine.db.store import Store

HOUR = timedelta(hours=1)
ROUNDS, AT_ONCE = 500, 100  # on each database
TWO = [{"emailAddress": f"{name}@example.no"} for name in "ab"]


class Worker:
    """Orders and e-mails as a worker process runs them, over one relay."""

    def __init__(self, store: Store, url: str) -> None:
        self.relay = Relay(url, connections=2, connect_timeout=LONG, data_timeout=LONG)
        back = self.back = Withdrawals(store)
        deliverer = Deliverer(store.clock, only(self.relay, 2), withdrawals=back)
        short = ShortWay(deliverer, ContactTable(), lambda: None, withdrawals=back)
        self.orders, self.emails = Runner(store, short, LONG), Runner(store, deliverer, LONG)

    async def run(self) -> None:
        await asyncio.gather(self.orders.run(), self.emails.run())
        await self.emails.run()


def take_back(store: Store, name: UUID, aim: Aim = Aim()) -> Counter[Fate]:  # noqa: B008 it is frozen
    """Withdraw an order until nothing is left to do, as a request does; returns what has become of its recipients."""

    def settled() -> bool:
        with store.write() as connection:
            left = withdraw(connection, "ttd", name, aim, Calendars())
        return not (left.more or left.in_hand)

    wait_for(settled)
    return found(store, name)


def found(store: Store, name: UUID) -> Counter[Fate]:
    with store.read() as connection:
        return Counter(dict(fates(connection, "ttd", name).counts))


def placed(connection: Connection, number: int) -> UUID:
    """An order that is due, to one address or to two."""
    name = new_id(now())
    to = [{"emailAddress": f"{name}-{place}@example.no"} for place in range(1 + number % 2)]
    add_order(connection, due_in=timedelta(seconds=-1), id=name, recipients=json.dumps(to))
    return name


async def race(store: Store, url: str) -> dict[UUID, Counter[Fate]]:
    """Withdraw orders, each third until later, while a worker sends them; returns what was answered."""
    worker = Worker(store, url)
    said: dict[UUID, Counter[Fate]] = {}

    def withdraw_all(names: Sequence[UUID]) -> None:
        for number, name in enumerate(names):
            said[name] = take_back(store, name, Aim(now() + HOUR) if number % 3 == 2 else Aim())

    for begin in range(0, ROUNDS, AT_ONCE):
        with store.write() as connection:
            names = [placed(connection, number) for number in range(begin, begin + AT_ONCE)]
        taking = [asyncio.to_thread(withdraw_all, names[half::2]) for half in range(2)]
        running = asyncio.gather(*taking)
        while not running.done():
            await worker.run()
            await asyncio.sleep(0.05)
        await running
    await worker.run()
    await worker.relay.close()
    return said


@pytest.mark.slow
def test_each_recipient_has_one_answer_and_it_is_true(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawals, "LOOK_EVERY", 0.01)
    with ScriptedSMTP({"data": Slow(0.005)}) as server:  # so that some are withdrawn at this moment
        said = asyncio.run(race(store, server.url))
    arrived = Counter(mail.rcpt_tos[0].partition("-0@")[0].partition("-1@")[0] for mail in server.messages)
    addresses = Counter(mail.rcpt_tos[0] for mail in server.messages)
    assert len(said) == ROUNDS
    assert set(addresses.values()) <= {1}
    for name, answered in said.items():
        assert set(answered) <= {Fate.SENT, Fate.CANCELLED, Fate.RESCHEDULED}, answered
        assert answered[Fate.SENT] == arrived[str(name)]
    everything = sum(said.values(), Counter[Fate]())
    assert all(everything[fate] > 0 for fate in (Fate.SENT, Fate.CANCELLED, Fate.RESCHEDULED)), everything
    with store.read() as connection:
        states = Counter(connection.scalars(select(orders.c.state)))
    assert set(states) <= {OrderState.CANCELLED, OrderState.COMPLETED, OrderState.REGISTERED, OrderState.PROCESSED}


@pytest.mark.parametrize("to", [TWO[:1], TWO], ids=["short way", "usual way"])
def test_an_email_that_the_relay_has_agreed_to_take_can_still_be_withdrawn(
    store: Store, to: list[dict[str, str]]
) -> None:
    seq = place(store, *to)
    name = the_order(store, seq).id

    async def work(server: ScriptedSMTP) -> Counter[Fate]:
        worker = Worker(store, server.url)
        await worker.orders.run() if to == TWO else None
        running = asyncio.create_task(worker.run())
        await asyncio.to_thread(server.wait_for, lambda: server.count("data") == len(to))
        asking = asyncio.create_task(asyncio.to_thread(take_back, store, name))
        await asyncio.to_thread(wait_for, lambda: worker.back.has(seq))
        server.release()
        said = await asking
        await running
        await worker.relay.close()
        return said

    with ScriptedSMTP({"data": Hang()}) as server:
        said = asyncio.run(work(server))
        assert server.accepted == []
    assert said == Counter({Fate.CANCELLED: len(to)})
    assert the_order(store, seq).state == OrderState.CANCELLED
    assert "order.cancelled" in told(store, name)


def test_what_has_left_is_told_apart_from_what_has_not(store: Store) -> None:
    seq = place(store, *TWO, {"emailAddress": "c@example.no"})
    name = the_order(store, seq).id
    batch(store)
    with ScriptedSMTP({"rcpt": [Say(250, "ok"), Say(550, "5.1.1 nobody"), Say(450, "4.2.0 later")]}) as server:
        deliver(store, server.url, lambda deliverer: deliverer.run())
    later = take_back(store, name, Aim(now() + HOUR))
    assert later == Counter({Fate.SENT: 1, Fate.FAILED: 1, Fate.RESCHEDULED: 1})
    [waits] = [email for email in made(store, seq) if email.state == EmailState.NEW]
    assert 0.9 * HOUR < waits.due_at - now() < HOUR
    assert waits.expires_at - waits.due_at == 48 * HOUR
    assert take_back(store, name) == Counter({Fate.SENT: 1, Fate.FAILED: 1, Fate.CANCELLED: 1})
    assert the_order(store, seq).state == OrderState.COMPLETED
    assert take_back(store, name)[Fate.CANCELLED] == 1
    assert take_back(store, name, Aim(now() + HOUR))[Fate.CANCELLED] == 1


def test_an_attempt_in_doubt_stays_in_doubt(store: Store) -> None:
    seq = place(store, *TWO)
    name = the_order(store, seq).id
    batch(store)
    one, other = made(store, seq)
    with store.write() as connection:
        line = {"claim": 1, "at": now(), "duration_ms": 1, "relay": "", "outcome": "in_doubt", "reply": "?"}
        connection.execute(email_attempts.insert().values(email_seq=one.seq, **line))
        lost = {"state": EmailState.SENDING, "unresolved": 1, "due_at": now() - HOUR}  # its worker has died
        connection.execute(update(emails).where(emails.c.seq == other.seq).values(**lost))
    assert take_back(store, name) == Counter({Fate.IN_DOUBT: 2})


@pytest.mark.dialects
def test_while_a_worker_has_it_nobody_says_that_it_was_withdrawn(store: Store) -> None:
    single, several = place(store), place(store, *TWO)
    names = [the_order(store, seq).id for seq in (single, several)]
    batch(store)  # makes e-mails of both
    with store.write() as connection:
        leased = {"state": OrderState.PROCESSING, "unresolved": 1, "due_at": now() + HOUR}
        connection.execute(update(orders).where(orders.c.seq == single).values(**leased))
        connection.execute(emails.delete().where(emails.c.order_seq == single))
        sending = {"state": EmailState.SENDING, "unresolved": 1, "due_at": now() + HOUR}
        connection.execute(update(emails).values(**sending))
        assert all(withdraw(connection, "ttd", name, Aim(), Calendars()).in_hand for name in names)
        assert withdraw(connection, "ttd", names[1], Aim(now() + HOUR), Calendars()) == Left()  # it is for good
    assert [found(store, name) for name in names] == [Counter({Fate.IN_FLIGHT: 1}), Counter({Fate.IN_FLIGHT: 2})]
    with store.write() as connection:  # the workers die
        connection.execute(update(orders).where(orders.c.seq == single).values(due_at=now()))
        connection.execute(update(emails).values(due_at=now()))
    with ScriptedSMTP() as server:
        asyncio.run(Worker(store, server.url).run())
        assert server.messages == []
    assert the_order(store, single).state == OrderState.CANCELLED
    assert found(store, names[1]) == Counter({Fate.IN_DOUBT: 2})


def test_an_order_that_is_put_off_while_a_worker_has_it_waits_for_its_new_time(store: Store) -> None:
    seq = place(store, *TWO)
    with store.write() as connection:
        marked = {"withdrawn_at": now(), "withdrawn_until": now() + HOUR}
        connection.execute(update(orders).values(**marked))
    batch(store)
    waits = the_order(store, seq)
    assert waits.state == OrderState.REGISTERED
    assert 0.9 * HOUR < waits.due_at - now() < HOUR
    assert made(store, seq) == []


def test_a_new_time_must_make_sense(store: Store) -> None:
    name = the_order(store, place(store, due_in=HOUR, expires_at=now() + 2 * HOUR)).id
    with store.write() as connection:
        with pytest.raises(Invalid):
            withdraw(connection, "ttd", name, Aim(now() + 3 * HOUR), Calendars())
        with pytest.raises(NotFound):
            withdraw(connection, "skd", name, Aim(), Calendars())
        withdraw(connection, "ttd", name, Aim(now() + 3 * HOUR, now() + 4 * HOUR), Calendars())
        stored = connection.execute(select(orders)).one()
    assert stored.expires_at - stored.requested_send_time == HOUR
    assert stored.due_at == stored.requested_send_time


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client() as client:
        yield client


def test_an_order_is_put_off_and_withdrawn_over_http(client: httpx.Client) -> None:
    posted = order("a@withdrawn.example", "b@withdrawn.example", requestedSendTime=at(timedelta(minutes=1)))
    path = f"{API}/orders/{client.post(f'{API}/orders/email', json=posted).json()['orderId']}"
    assert client.put(f"{path}/cancel").status_code == 409  # the contract's five minutes
    later: Any = client.put(f"{path}/reschedule", json={"requestedSendTime": at(HOUR)}).json()
    assert (later["status"], later["counts"]) == ("Registered", {"Rescheduled": 2})
    gone: Any = client.put(f"{path}/withdraw").json()
    assert (gone["status"], gone["counts"]) == ("Cancelled", {"Cancelled": 2})
    assert [each["emailAddress"] for each in gone["recipients"]] == ["a@withdrawn.example", "b@withdrawn.example"]
    assert client.put(f"{path}/withdraw").json() == gone


def test_of_an_order_whose_recipients_followed_it_no_further_emails_are_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_reading, "PORTION", 2)
    monkeypatch.setattr("engine.orders.portions.WAITING", 2)
    name = streamed(store, 5)
    batch(store)
    make_portions(store)
    assert len(made(store, seq_of(store, name))) == 2
    assert take_back(store, name) == {Fate.CANCELLED: 5}
    make_portions(store)
    assert len(made(store, seq_of(store, name))) == 2
    assert the_order(store, seq_of(store, name)).state == OrderState.CANCELLED


def test_an_order_whose_recipients_followed_it_is_put_off_with_all_of_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_reading, "PORTION", 2)
    name, until = streamed(store, 5), (now() + HOUR).replace(microsecond=0)
    batch(store)
    with store.write() as connection:
        withdraw(connection, "ttd", name, Aim(until), Calendars())
    assert found(store, name) == {Fate.RESCHEDULED: 5}
    make_portions(store)
    assert found(store, name) == {Fate.RESCHEDULED: 5}
    with store.read() as connection:
        its = emails.c.order_seq == seq_of(store, name)
        assert set(connection.scalars(select(emails.c.due_at).where(its))) == {until}


@pytest.mark.parametrize("count", [1, 2])
def test_an_order_that_is_put_off_again_has_its_new_expiry_and_so_have_its_paused_emails(
    store: Store, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(withdrawing, "BATCH", 1)
    seq, until = place(store, *TWO), (now() + HOUR).replace(microsecond=0)
    name, soon = the_order(store, seq).id, until + HOUR
    batch(store)
    with store.write() as connection:
        first = select(emails.c.seq).limit(count)
        paused = {"paused_by": "domain:example.no", "due_at": None, "rank": None}
        connection.execute(update(emails).where(emails.c.seq.in_(first)).values(**paused))
    take_back(store, name, Aim(until))
    take_back(store, name, Aim(until, soon))
    assert {email.expires_at for email in made(store, seq)} == {soon}


def test_an_order_that_is_put_off_has_its_condition_asked_again_before_its_files_are_fetched(store: Store) -> None:
    seq = place(store, condition_endpoint="https://x.example", attachments=1, fetches=1)
    take_back(store, the_order(store, seq).id, Aim(now() + HOUR))
    with store.read() as connection:
        assert connection.scalar(select(orders.c.fetches)) is None


def test_an_open_order_is_withdrawn(store: Store) -> None:
    name = opened(store)
    sent(store, name, lines("a@example.no", "b@example.no"))
    assert take_back(store, name, Aim(now() + HOUR)) == {Fate.RESCHEDULED: 2}
    assert take_back(store, name) == {Fate.CANCELLED: 2}
    assert the_order(store, seq_of(store, name)).state == OrderState.CANCELLED


def streamed(store: Store, number: int) -> UUID:
    """A closed order to so many who followed it."""
    name = opened(store)
    sent(store, name, lines(*(f"mottaker{each}@example.no" for each in range(number))))
    with store.write() as connection:
        uploads.close(connection, Quotas(None), "ttd", name, valid_only=False)
    return name
