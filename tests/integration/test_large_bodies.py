"""What one caller's large bodies and large orders cost the others, on both databases."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from api import events, orders
from api.app import ERRORS
from api.auth import SCOPE_PUBLISH
from api.bodies import SMALL, work_on
from api.subscriptions import LARGEST, PATH
from engine.orders import reading
from engine.settings import Settings
from engine.shares import Shares
from engine.subscriptions.request import MOST_TYPES
from engine.subscriptions.rules import LONGEST_SUBJECT, LONGEST_TYPE, LONGEST_URL
from engine.tokens import DevelopmentKey, Verifier
from tests.servers.installation import API, order
from tests.servers.rows import add_order
from tests.servers.waiting import patience

if TYPE_CHECKING:
    from pathlib import Path

    from api.openapi import Operation
    from engine.store import Store
    from tests.servers.installation import Installation

HOUR = timedelta(hours=1)
ORDERS = [each for each in orders.OPERATIONS if each.method == "POST"]
EVENTS = [each for each in events.OPERATIONS if each.method == "POST"]


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
        app.state.large_bodies = Shares(1)
        request = Request({"type": "http", "app": app})
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
    scope = f"{SCOPE_PUBLISH} altinn:notifications.create"
    headers = {
        "Authorization": f"Bearer {key.bearer('ttd', scope, HOUR)}",
        "PlatformAccessToken": key.platform_token("ttd", "app", HOUR),
        "Content-Type": "application/cloudevents+json" if operation.path.endswith("/events") else "application/json",
    }
    app = Starlette(routes=[Route("/", operation.handler, methods=["POST"])], exception_handlers=ERRORS)
    app.state.settings = Settings(jwks=(str(key.jwks),), platform_keys=key.platform)
    app.state.verifier = Verifier(app.state.settings)
    app.state.store = store
    app.state.large_bodies = Shares(1)

    async def run() -> None:
        await store.now()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://varsel", headers=headers
        ) as client:
            async with app.state.large_bodies.slot("another"):
                large = asyncio.create_task(client.post("/", content=b"{" + b" " * SMALL))
                for _ in range(50):
                    await asyncio.sleep(0)  # the other one goes on as far as it can
                    assert (await client.post("/", content=b"{")).status_code == 400
                assert not large.done()
            assert (await large).status_code == 400

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
