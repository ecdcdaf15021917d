"""Writes for callers, on both databases: fair slots, and reads that do not wait for writes."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from api import orders
from api.app import ERRORS
from api.bodies import LargeBodies
from engine.auth.tokens import DevelopmentKey, Verifier
from engine.db.readers import Readers
from engine.db.store import CONNECTIONS
from engine.db.writers import WAITING, Writers
from engine.errors import Overrun
from engine.orders.contacts import ContactTable
from engine.orders.identities import Senders
from engine.orders.intake import Intake
from engine.orders.quotas import Quotas
from engine.orders.rules import Limits
from engine.outbound import Guard
from engine.settings import Settings
from tests.helpers.entrances import no_template
from tests.helpers.waiting import patience, wait_for
from tests.servers.installation import API, order

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from engine.db.store import Store

pytestmark = pytest.mark.dialects


def test_who_writes_much_leaves_a_slot_for_others_and_has_so_much_wait_and_no_more(store: Store) -> None:
    begun: list[str] = []
    go_on = threading.Event()

    def write(_connection: Connection, party: str) -> None:
        begun.append(party)
        assert go_on.wait(patience())

    async def run() -> None:
        writers = Writers(store)
        tasks = [asyncio.create_task(writers.write("greedy", write, "greedy")) for _ in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Overrun):
            await writers.write("greedy", write, "greedy")
        tasks.append(asyncio.create_task(writers.write("modest", write, "modest")))
        for _ in range(50):
            await asyncio.sleep(0)  # until it is in a thread
        if store.dialect.name == "postgresql":  # on SQLite, the gate lets one in at a time
            await asyncio.to_thread(wait_for, lambda: "modest" in begun)
        go_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    if store.dialect.name == "postgresql":  # at SQLite's gate, threads come in any order
        assert begun.index("modest") < WAITING // 2
    assert len(begun) == WAITING + 1


def test_an_order_with_a_key_waits_for_nobodys_writes(store: Store, tmp_path: Path) -> None:
    key = DevelopmentKey(tmp_path)
    app = Starlette(
        routes=[Route("/", orders.post, methods=["POST"]), Route("/{id}", orders.put_cancel, methods=["PUT"])],
        exception_handlers=ERRORS,
    )
    state = app.state
    state.settings = Settings(jwks=(str(key.jwks),), platform_keys=key.platform)
    state.verifier, state.base = Verifier(state.settings), f"http://varsel{API}"
    state.store, state.writers = store, Writers(store)
    state.large_bodies, state.limits = (
        LargeBodies(state.settings.max_body_bytes),
        Limits(10, Guard(allow_private=False), "varsel@example.no", bulk_above=5),
    )
    begun, go_on = threading.Semaphore(0), threading.Event()

    def hold(_connection: Connection) -> None:
        begun.release()
        assert go_on.wait(patience())

    async def run() -> list[int]:
        state.readers = Readers(store.engine.url.render_as_string(hide_password=False))
        state.senders = Senders(state.readers, required=False)
        state.intake = Intake(
            store,
            state.readers,
            ContactTable(),
            Quotas(None),
            "noreply@varsel.example",
            lambda _: None,
            str,
            no_template,
        )
        bearer = key.bearer("ttd", "altinn:notifications.create", timedelta(hours=1))
        headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": "k", "Content-Type": "application/json"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://varsel", headers=headers
        ) as client:
            first = await client.post("/", json=order())
            path = f"/{first.json()['orderId']}"
            holding = asyncio.create_task(store.writing(hold))
            await asyncio.to_thread(begun.acquire)
            blocked = [asyncio.create_task(client.put(path)) for _ in range(2 * CONNECTIONS)]
            for _ in range(50):
                await asyncio.sleep(0)
            late = await client.post("/", json=order(requestedSendTime="2001-01-01T00:00:00Z"))
            go_on.set()
            await holding
            answers = await asyncio.gather(*blocked)
        await state.intake.close()
        await state.readers.close()
        return [first.status_code, late.status_code, *{answer.status_code for answer in answers}]

    assert asyncio.run(run()) == [202, 422, 409]
