"""What one caller's large bodies and orders cost other callers, on both databases."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route

from api import chains, channels, events, orders
from api.app import ERRORS
from api.bodies import LEAST, ROOM, SMALL, LargeBodies, Taken, work_on
from api.subscriptions import LARGEST, PATH
from engine.auth.tokens import DevelopmentKey, Verifier
from engine.db.readers import SLOTS, Readers
from engine.errors import Overrun
from engine.orders import reading
from engine.orders.contacts import ContactTable
from engine.orders.identities import Senders
from engine.orders.intake import Intake
from engine.orders.quotas import Quotas
from engine.orders.rules import Limits
from engine.outbound import Guard
from engine.resources import SCOPE_PUBLISH
from engine.settings import Settings
from engine.subscriptions.request import MOST_TYPES
from engine.subscriptions.rules import LONGEST_SUBJECT, LONGEST_TYPE, LONGEST_URL
from tests.helpers.entrances import no_template
from tests.helpers.rows import add_order
from tests.helpers.waiting import patience, wait_for
from tests.servers.installation import API, ORDERING, order
from tests.servers.web import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import Message

    from api.openapi import Operation
    from engine.db.store import Store
    from tests.servers.installation import Installation

HOUR = timedelta(hours=1)
LARGE = 21_981_016  # bytes, of an order
ORDERS = [each for part in (orders, channels, chains) for each in part.OPERATIONS if each.request]
EVENTS = [each for each in events.OPERATIONS if each.method == "POST"]


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until this is true."""
    while not condition():  # noqa: ASYNC110 it is looked at after each of their steps
        await asyncio.sleep(0)


async def nothing() -> Message:
    """The first message of a client that waits for 100 Continue."""
    return await asyncio.Future()


def test_large_bodies_are_worked_on_one_at_a_time_and_parties_take_turns() -> None:
    at_work: list[str] = []
    done: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def work(name: str) -> None:
        at_work.append(name)
        begun.set()
        assert go_on.wait(patience())
        assert at_work == [name]
        at_work.remove(name)
        done.append(name)

    async def run() -> None:
        app = Starlette()
        app.state.large_bodies = LargeBodies(LARGE)
        request = Request({"type": "http", "app": app}, receive=nothing)
        tasks = []
        for name in ("ttd", "ttd", "ttd", "nav"):
            tasks.append(asyncio.create_task(work_on(request, name, SMALL + 1, work, name)))
            await asyncio.sleep(0)
        assert await asyncio.to_thread(begun.wait, patience())  # the event loop goes on meanwhile
        assert await work_on(request, "ttd", SMALL, lambda: "small") == "small"
        go_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert done == ["ttd", "ttd", "nav", "ttd"]


@pytest.mark.parametrize("operation", [*ORDERS, *EVENTS], ids=lambda each: each.path)
def test_a_large_body_waits_for_its_turn_and_small_ones_go_on(
    operation: Operation, store: Store, tmp_path: Path
) -> None:
    key = DevelopmentKey(tmp_path)
    scope = f"{SCOPE_PUBLISH} {ORDERING}"
    headers = {
        "Authorization": f"Bearer {key.bearer('ttd', scope, HOUR)}",
        "PlatformAccessToken": key.platform_token("ttd", "app", HOUR),
        "Content-Type": "application/cloudevents+json" if operation.path.endswith("/events") else "application/json",
    }
    app = Starlette(routes=[Route("/", operation.handler, methods=["POST"])], exception_handlers=ERRORS)
    app.state.settings = Settings(jwks=(str(key.jwks),), platform_keys=key.platform)
    app.state.verifier = Verifier(app.state.settings)
    app.state.store = store
    app.state.large_bodies = LargeBodies(LARGE)

    async def run() -> None:
        readers = Readers(store.engine.url.render_as_string(hide_password=False))
        app.state.senders = Senders(readers, required=False)
        await app.state.senders.of("ttd")
        await store.now()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://varsel", headers=headers
        ) as client:
            async with app.state.large_bodies.turns.slot("another"):
                large = asyncio.create_task(client.post("/", content=b"{" + b" " * SMALL))
                for _ in range(50):
                    await asyncio.sleep(0)  # the other one goes on as far as it can
                    assert (await client.post("/", content=b"{")).status_code == 400
                assert not large.done()
            assert (await large).status_code == 400
        await readers.close()

    asyncio.run(run())


@contextmanager
def begun(installation: Installation, org: str) -> Iterator[Client]:
    """An order of LARGE bytes that never arrives completely."""
    token = installation.key.bearer(org, "altinn:notifications.create", HOUR)
    fields = f"Host: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    head = f"POST {API}/orders/email HTTP/1.1\r\n{fields}Content-Length: {LARGE}\r\n\r\n"
    with Client(int(installation.address.rpartition(":")[2])) as client:
        client.send(head.encode())
        yield client


def refused(client: Client) -> bool:
    """Whether the body is not requested, since there is no room for it."""
    line = client.line()
    if b" 100 " in line:
        client.line()
        return False
    assert b" 503 " in line, line
    return True


def test_of_large_bodies_each_party_has_its_share_of_the_room(installation: Installation) -> None:
    with ExitStack() as stack:
        greedy = [stack.enter_context(begun(installation, "ttd")) for _ in range(2 * ROOM)]
        taken = [refused(client) for client in greedy].count(False)
        assert taken == ROOM * 3 // 4
        assert not refused(stack.enter_context(begun(installation, "nav")))
        with installation.client() as client:  # a small one needs no room
            assert client.post(f"{API}/orders/email", json=order()).status_code == 202
    with ExitStack() as stack:  # what hung up has no room any more
        wait_for(lambda: not refused(stack.enter_context(begun(installation, "ttd"))))


def test_a_large_body_that_says_no_size_has_room_as_it_grows() -> None:
    async def taken(large: LargeBodies, size: int) -> int:
        """The room that it has in the end, in bytes, rounded up to thousands."""
        app = Starlette()
        app.state.large_bodies = large
        chunks: list[Message] = [{"type": "http.request", "body": b" " * SMALL, "more_body": True}] * (size // SMALL)
        sending = iter([*chunks, {"type": "http.request"}])

        async def receive() -> Message:
            return next(sending)

        async with Taken(Request({"type": "http", "app": app, "headers": []}, receive=receive), "ttd", LARGE) as body:
            assert len(body) == size
            return next(used for used in range(0, ROOM * LARGE, 1000) if large.room.fits("nav", ROOM * LARGE - used))

    large = LargeBodies(LARGE)
    assert asyncio.run(taken(large, SMALL)) == 0
    for size in (2 * SMALL, 20 * SMALL, 100 * SMALL):
        assert size <= asyncio.run(taken(large, size)) <= max(2 * size, LEAST) + 1000
    with pytest.raises(HTTPException):
        asyncio.run(taken(large, 2 * LARGE))
    large.room.take("ttd", 5 * LARGE)
    with pytest.raises(Overrun):
        asyncio.run(taken(large, LARGE))
    assert large.room.fits("nav", 3 * LARGE)


def test_a_large_body_that_nobody_waits_for_gives_up_its_turn_and_its_room() -> None:
    async def run() -> None:
        app = Starlette()
        app.state.large_bodies = large = LargeBodies(LARGE)
        left = asyncio.Event()
        came = [{"type": "http.request", "body": b" " * LARGE}]

        async def receive() -> Message:
            if came:
                return came.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        request = Request({"type": "http", "app": app, "headers": []}, receive=receive)

        async def handle() -> None:
            async with Taken(request, "ttd", LARGE) as body:
                await work_on(request, "ttd", len(body), pytest.fail, "worked on for nobody")

        async with large.turns.slot("another"):
            handling = asyncio.create_task(handle())
            await until(lambda: not large.room.fits("nav", ROOM * LARGE))
            left.set()
            with pytest.raises(ClientDisconnect):
                await handling
            assert large.room.fits("nav", ROOM * LARGE)
        async with large.turns.slot("ttd"):
            pass

    asyncio.run(run())


def test_nothing_of_a_payload_waits_but_the_order(store: Store, tmp_path: Path) -> None:
    key = DevelopmentKey(tmp_path)
    app = Starlette(routes=[Route("/", orders.post, methods=["POST"])], exception_handlers=ERRORS)
    state = app.state
    state.settings = Settings(jwks=(str(key.jwks),), platform_keys=key.platform)
    state.verifier, state.store = Verifier(state.settings), store
    state.limits = Limits(10, Guard(allow_private=False), "varsel@example.no", bulk_above=5)
    state.large_bodies = LargeBodies(LARGE)
    bearer = key.bearer("ttd", "altinn:notifications.create", HOUR)
    headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": "k", "Content-Type": "application/json"}
    zeros = 100_000

    async def run() -> None:
        readers = Readers(store.engine.url.render_as_string(hide_password=False))
        state.senders = Senders(readers, required=False)
        state.intake = Intake(
            store, readers, ContactTable(), Quotas(None), "noreply@varsel.example", lambda _: None, str, no_template
        )
        content = json.dumps({"subject": "s", "body": "b", "recipients": [], "x": [0] * zeros}).encode()
        turns, room, go_on = state.large_bodies.turns, state.large_bodies.room, threading.Event()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://varsel", headers=headers
        ) as client:
            holding = [asyncio.create_task(readers.read("ttd", lambda _: go_on.wait(patience()))) for _ in range(SLOTS)]
            posted = asyncio.create_task(client.post("/", content=content))
            await until(lambda: turns.full)
            await until(lambda: not turns.full)
            assert not room.fits("nav", ROOM * LARGE)
            assert not [found for found in gc.get_objects() if type(found) is list and len(found) == zeros]
            assert not posted.done()
            go_on.set()
            assert (await posted).status_code == 400
            await asyncio.gather(*holding)
        await state.intake.close()
        await readers.close()

    asyncio.run(run())


def test_a_subscription_is_no_larger_than_its_texts_can_be(installation: Installation) -> None:
    texts = 3 * LONGEST_URL + 2 * LONGEST_SUBJECT + MOST_TYPES * LONGEST_TYPE
    assert 6 * texts < LARGEST  # each character as a JSON escape
    with installation.client(scope="") as client:
        answer = client.post(PATH, content=b" " * (LARGEST + 1), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_orders_of_one_reference_are_all_listed_however_large(installation: Installation) -> None:
    large = order(sendersReference="large", body="x" * (reading.LARGEST // 3), requestedSendTime="2100-01-01T00:00:00Z")
    with installation.client() as client:
        ids = [client.post(f"{API}/orders/email", json=large).json()["orderId"] for _ in range(5)]
        found = client.get(f"{API}/orders", params={"sendersReference": "large"}).json()
        none = client.get(f"{API}/orders", params={"sendersReference": "none"}).json()
    assert (found["count"], [each["id"] for each in found["orders"]]) == (5, ids)
    assert none == {"count": 0, "orders": []}


def test_orders_of_one_reference_are_read_some_at_a_time(store: Store) -> None:
    with store.write() as connection:
        seqs = [add_order(connection, senders_reference="r", body="x" * (reading.LARGEST // 3)) for _ in range(5)]
    with store.read() as connection:
        pages = [[row.seq for row in reading.find_by_reference(connection, "ttd", "r")]]
        while pages[-1]:
            pages.append([row.seq for row in reading.find_by_reference(connection, "ttd", "r", pages[-1][-1])])
    assert [len(page) for page in pages] == [3, 2, 0]
    assert [seq for page in pages for seq in page] == seqs
