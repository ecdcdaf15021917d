"""A relay of a test's server, and messages to send through it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from engine.email.smtp import Outcome, Relay
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.servers.smtp import ScriptedSMTP

SENDER = "noreply@varsel.example"
KARI = "kari@example.no"
MESSAGE = b"Subject: Hei\r\nMessage-ID: <1@varsel.example>\r\n\r\nHei\r\n"


def relay_to(server: ScriptedSMTP, **options: Any) -> Relay:
    defaults: dict[str, Any] = {"connections": 4, "connect_timeout": LONG, "data_timeout": LONG}
    return Relay(server.url, **defaults | options)


def message(number: int) -> bytes:
    return b"Subject: Hei\r\nMessage-ID: <%d@varsel.example>\r\n\r\nHei\r\n" % number


async def with_relay(relay: Relay, work: Callable[[Relay], Awaitable[list[Outcome]]]) -> list[Outcome]:
    try:
        return await work(relay)
    finally:
        await relay.close()


def send_in_turn(relay: Relay, times: int = 1) -> list[Outcome]:
    """Send messages 0, 1, … one after the other."""

    async def work(relay: Relay) -> list[Outcome]:
        return [await relay.send(SENDER, KARI, message(number)) for number in range(times)]

    return asyncio.run(with_relay(relay, work))


def send(relay: Relay, recipient: str = KARI, data: bytes = MESSAGE) -> Outcome:
    async def work(relay: Relay) -> list[Outcome]:
        return [await relay.send(SENDER, recipient, data)]

    return asyncio.run(with_relay(relay, work))[0]
