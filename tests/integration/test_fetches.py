"""Attachments that are fetched before their e-mails are made, on both databases."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from engine.db.dialects import Now
from engine.db.tables import audit_log, events, orders
from engine.models import EXPIRY, EmailState, OrderState
from engine.orders import calls, fetches
from engine.orders.contacts import ContactTable
from engine.orders.fetches import Fetches, NeverFetched
from engine.orders.outcomes import Next
from engine.outbound import Guard, Outbound
from tests.helpers.attachments import LARGEST, SECRET, fetching, files_of, place_with
from tests.helpers.outbound import LENIENT, closing
from tests.helpers.processing import batch, checks, made, the_order, told
from tests.helpers.waiting import LONG, SHORT, wait_for
from tests.servers.http import Action, Close, Hang, Pour, Raw, Receiver, Reset, Say

if TYPE_CHECKING:
    from engine.db.store import Store

MINUTE = timedelta(minutes=1)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def fetch(store: Store, within: timedelta = LONG, guard: Guard = LENIENT) -> None:
    """Fetch what is due, once."""

    async def run() -> None:
        async with closing(Outbound(guard, within=within)) as outbound:
            await fetching(store, outbound).run()

    asyncio.run(run())


def due_now(store: Store, seq: int) -> None:
    with store.write() as connection:
        connection.execute(update(orders).where(orders.c.seq == seq).values(due_at=Now()))


def test_each_file_is_fetched_once_for_all_recipients_and_its_address_is_erased(store: Store) -> None:
    to = '[{"emailAddress":"kari@example.no"},{"emailAddress":"ola@example.no"}]'
    with Receiver(Say(200, b"one"), Say(200, b"two")) as receiver:
        seq = place_with(store, f"{receiver.url}/1", b"inline", f"{receiver.url}/2", recipients=to)
        batch(store)  # nobody else takes it
        assert made(store, seq) == []
        fetch(store)
        targets = [request.target for request in receiver.requests]
    assert targets == [f"/{place}?sig={SECRET}" for place in (1, 2)]
    assert [(file.content, file.size, file.address) for file in files_of(store, seq)] == [
        (b"one", 3, None), (b"inline", 6, None), (b"two", 3, None),
    ]  # fmt: skip
    assert [email.state for email in made(store, seq)] == [EmailState.NEW] * 2
    assert the_order(store, seq).state == OrderState.PROCESSED
    fetch(store)  # nothing is left to do
    assert len(made(store, seq)) == 2


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Say(404), EmailState.FAILED_INVALID_SAS_URL),
        (Say(403, headers=(("x-ms-error-code", "AuthenticationFailed"),)), EmailState.FAILED_INVALID_SAS_URL),
        (Say(403, headers=(("x-ms-error-code", "MalwareDetected"),)), EmailState.FAILED_QUARANTINED),
        (Say(302, headers=(("Location", "{elsewhere}"),)), EmailState.FAILED_INVALID_SAS_URL),
        (Say(206, b"a part"), EmailState.FAILED_INVALID_SAS_URL),
        (Say(200, b"\x1f\x8b", headers=(("Content-Encoding", "gzip"),)), EmailState.FAILED_INVALID_SAS_URL),
        (Say(200, bytes(LARGEST + 1)), EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Pour(CHUNKED, b"64\r\n" + bytes(100) + b"\r\n"), EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Pour(CHUNKED, b"1\r\na\r\n"), EmailState.FAILED_PAYLOAD_TOO_LARGE),
    ],
    ids=str,
)
def test_what_is_not_to_be_had_fails_the_emails_and_says_why(
    store: Store, caplog: pytest.LogCaptureFixture, action: Action, state: EmailState
) -> None:
    caplog.set_level("DEBUG")
    with Receiver(Say(200)) as elsewhere:
        if isinstance(action, Say):
            headers = tuple((name, value.format(elsewhere=elsewhere.url)) for name, value in action.headers)
            action = Say(action.status, action.body, headers)
        with Receiver(action) as receiver:
            seq = place_with(store, f"{receiver.url}/in/vedtak.txt")
            fetch(store)
        assert elsewhere.requests == []
    [email] = made(store, seq)
    order = the_order(store, seq)
    assert (email.state, email.due_at, order.state, order.due_at) == (state, None, OrderState.COMPLETED, None)
    assert told(store, order.id) == ["order.completed", f"email.{state.lower()}"]
    [file] = files_of(store, seq)
    assert (file.content, file.address) == (None, None)
    assert file.answer.startswith("127.0.0.1: ")
    with store.read() as connection:
        texts = [*connection.scalars(select(events.c.text)), *connection.scalars(select(audit_log.c.detail))]
    assert all(SECRET not in text and "vedtak" not in text for text in (*texts, caplog.text, file.answer))


def test_an_address_that_the_guard_refuses_fails_the_emails(store: Store) -> None:
    with Receiver(Say(200), tls_name="127.0.0.1") as receiver:
        seq = place_with(store, receiver.url)
        fetch(store, guard=Guard(allow_private=False))
        assert receiver.requests == []
    assert [email.state for email in made(store, seq)] == [EmailState.FAILED_INVALID_SAS_URL]


def test_of_several_files_all_together_are_bounded(store: Store) -> None:
    with Receiver(Say(200, bytes(LARGEST // 2)), Say(200, bytes(LARGEST // 2))) as receiver:
        whole = place_with(store, receiver.url, receiver.url)
        fetch(store)
        above = place_with(store, receiver.url, b"x", receiver.url)
        fetch(store)
    assert [email.state for email in made(store, whole)] == [EmailState.NEW]
    assert [email.state for email in made(store, above)] == [EmailState.FAILED_PAYLOAD_TOO_LARGE]


@pytest.mark.parametrize(
    "action",
    [
        *(Say(500), Say(503), Say(408), Say(429), Reset(), Close(), Hang()),
        Raw(b"HTTP/1.0 200 OK\r\n\r\nhalf of it"),
        Raw(f"GARBAGE {SECRET}\r\n\r\n".encode()),
    ],
    ids=str,
)
def test_what_may_pass_is_tried_again(store: Store, action: Action) -> None:
    with Receiver(action) as receiver:
        seq = place_with(store, f"{receiver.url}/vedtak.txt")
        fetch(store, SHORT)
        order = the_order(store, seq)
        assert (order.state, order.attempts, order.unresolved) == (OrderState.PROCESSING, 1, 0)
        assert order.due_at > order.last_update
        [file] = files_of(store, seq)
        assert file.address
        assert SECRET not in file.answer
        receiver.act(Say(200, b"there"))
        due_now(store, seq)
        fetch(store)
    [file] = files_of(store, seq)
    assert (file.content, file.answer) == (b"there", None)
    assert [email.state for email in made(store, seq)] == [EmailState.NEW]


def test_a_server_is_left_alone_for_as_long_as_it_asks(store: Store) -> None:
    with Receiver(Say(503, headers=(("Retry-After", "7200"),))) as receiver:
        seq = place_with(store, receiver.url)
        fetch(store)
    order = the_order(store, seq)
    assert order.due_at - order.last_update >= timedelta(hours=2)


def test_after_two_days_the_emails_have_expired(store: Store) -> None:
    with Receiver(Say(503)) as receiver:
        late = place_with(store, receiver.url, due_in=-EXPIRY)
        almost = place_with(store, receiver.url, due_in=MINUTE - EXPIRY, attempts=20)
        due_now(store, almost)
        fetch(store)
    assert [email.state for email in made(store, late)] == [EmailState.FAILED_TTL]
    order = the_order(store, almost)
    assert order.due_at < order.requested_send_time + EXPIRY + 10 * MINUTE  # and not an hour after the last try


def test_a_condition_is_asked_before_anything_is_fetched_and_not_again(store: Store) -> None:
    with Receiver(Say(200, b'{"sendNotification": true}')) as endpoint, Receiver(Say(503), Say(200, b"one")) as files:
        seq = place_with(store, files.url, condition_endpoint=endpoint.url)

        async def run() -> None:
            async with closing(Outbound(LENIENT)) as outbound:
                await fetching(store, outbound).run()
                assert files.requests == []
                await checks(store, outbound).run()
                assert made(store, seq) == []
                await fetching(store, outbound).run()
                due_now(store, seq)
                await checks(store, outbound).run()
                await fetching(store, outbound).run()

        asyncio.run(run())
        assert (len(endpoint.requests), len(files.requests)) == (1, 2)
    assert [email.state for email in made(store, seq)] == [EmailState.NEW]
    assert the_order(store, seq).condition_answer == "sendNotification is true"


def test_an_order_that_a_condition_stops_fetches_nothing(store: Store) -> None:
    with Receiver(Say(200, b'{"sendNotification": false}')) as endpoint, Receiver(Say(200)) as files:
        seq = place_with(store, files.url, condition_endpoint=endpoint.url)

        async def run() -> None:
            async with closing(Outbound(LENIENT)) as outbound:
                await checks(store, outbound).run()
                await fetching(store, outbound).run()

        asyncio.run(run())
        assert files.requests == []
    assert the_order(store, seq).state == OrderState.SEND_CONDITION_NOT_MET


def test_what_a_worker_had_stored_before_it_was_lost_is_not_fetched_again(store: Store) -> None:
    with Receiver(Say(200, b"one"), Hang(), Say(200, b"two")) as receiver:
        seq = place_with(store, f"{receiver.url}/1", f"{receiver.url}/2")

        async def lose() -> None:
            async with closing(Outbound(LENIENT)) as outbound:
                running = asyncio.create_task(fetching(store, outbound).run())
                await asyncio.to_thread(wait_for, lambda: files_of(store, seq)[0].content and receiver.hanging)
                running.cancel()
                await asyncio.wait([running])

        asyncio.run(lose())
        due_now(store, seq)  # its lease has ended
        fetch(store)
        assert [request.target.partition("?")[0] for request in receiver.requests] == ["/1", "/2", "/2"]
    assert [file.content for file in files_of(store, seq)] == [b"one", b"two"]
    assert len(made(store, seq)) == 1


def test_a_worker_that_has_lost_its_lease_forgets_no_address(store: Store) -> None:
    seq = place_with(store, "http://127.0.0.1:1/")
    [file] = files_of(store, seq)

    async def made_late() -> None:
        async with closing(Outbound(LENIENT)) as outbound:
            work = Fetches(ContactTable(), outbound, str, LARGEST, store.clock.now)
            with store.write() as connection:
                [order] = work.claim(connection, LONG).rows
            with store.write() as connection:
                connection.execute(update(orders).where(orders.c.seq == seq).values(claim=orders.c.claim + 1))
            late = NeverFetched(order, Next.FAIL, "late", EmailState.FAILED_INVALID_SAS_URL, file.seq)
            with store.write() as connection:
                work.record(connection, [late])

    asyncio.run(made_late())
    assert (files_of(store, seq), made(store, seq)) == ([file], [])


def test_a_worker_that_stops_waits_for_no_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "GRACE", 0.01)
    with Receiver(Hang()) as hanging:
        seq = place_with(store, hanging.url)

        async def run() -> None:
            async with closing(Outbound(LENIENT)) as outbound:
                runner = fetching(store, outbound)
                running = asyncio.create_task(runner.run())
                await asyncio.to_thread(hanging.wait_for, lambda: hanging.hanging == 1)
                runner.stop()
                await running

        asyncio.run(run())
    order = the_order(store, seq)
    assert (order.state, order.unresolved, order.attempts) == (OrderState.REGISTERED, 0, 0)


def test_a_creator_whose_servers_hang_leaves_room_for_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetches, "FETCHES", 3)
    with Receiver(Hang()) as hanging, Receiver(Say(200, b"one")) as receiver:
        for _ in range(5):
            place_with(store, hanging.url, creator="evil")

        async def run() -> int:
            async with closing(Outbound(LENIENT)) as outbound:
                runner = fetching(store, outbound)
                running = asyncio.create_task(runner.run())
                await asyncio.to_thread(hanging.wait_for, lambda: hanging.hanging == 2)
                good = place_with(store, receiver.url, creator="good")
                await runner.run()  # a wake-up
                await asyncio.to_thread(wait_for, lambda: made(store, good))
                hanging.hang_up()
                runner.stop()
                await running
                return good

        good = asyncio.run(run())
    assert [email.state for email in made(store, good)] == [EmailState.NEW]
