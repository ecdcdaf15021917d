"""The console's live pages, and pages that wait for nobody."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from api.console.live import OF_ONE
from engine.db.store import CONNECTIONS
from tests.helpers.console import HOME, Site
from tests.helpers.waiting import patience

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from engine.db.store import Store


def test_a_page_is_a_stream_to_whoever_asks_for_one(site: Site, keys: dict[str, Any]) -> None:
    async def removes_anna(scope: Scope, receive: Receive, send: Send) -> None:
        """The console; when the stream has shown its first page, its reader is no longer an operator."""

        async def sent(message: Message) -> None:
            await send(message)
            if b"event: page" in message.get("body", b""):
                site.app.state.settings.operators_file.write_text("[operators]\n")

        await site.app(scope, receive, sent)

    async def stream() -> httpx.Response:
        transport = httpx.ASGITransport(removes_anna)
        async with httpx.AsyncClient(transport=transport, base_url=HOME, cookies=cookies) as client:
            return await client.get("/console/overview", headers={"Accept": "text/event-stream"})

    cookies = site.browser("anna").client.cookies
    answer = asyncio.run(stream())
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("event: page")
    assert 'id="lanes"' in answer.text
    assert "<!doctype" not in answer.text
    assert answer.text.rstrip().endswith("event: gone\r\ndata:")
    assert keys


def test_one_live_page_too_many_ends_the_oldest(site: Site) -> None:
    browser = site.browser("kari")

    async def watch() -> str:
        answer = await browser.client.get("/console/emails", headers={"Accept": "text/event-stream"})
        return answer.text

    async def open_many() -> str:
        pages = [asyncio.create_task(watch()) for _ in range(OF_ONE + 1)]
        ended, others = await asyncio.wait(pages, return_when=asyncio.FIRST_COMPLETED, timeout=patience())
        site.app.state.settings.operators_file.write_text("[operators]\n")  # the others end, too
        await asyncio.gather(*others)
        return ended.pop().result()

    assert asyncio.run(open_many()).rstrip().endswith("event: full\r\ndata:")


@pytest.mark.dialects
def test_a_page_waits_for_nobodys_writes(site: Site, store: Store) -> None:
    browser = site.browser("anna")
    go_on = threading.Event()

    async def look() -> int:
        blocked = [asyncio.create_task(store.writing(lambda _: go_on.wait(patience()))) for _ in range(2 * CONNECTIONS)]
        for _ in range(10):
            await asyncio.sleep(0)
        answer = await browser.client.get("/console/emails")
        go_on.set()
        await asyncio.gather(*blocked)
        return answer.status_code

    assert asyncio.run(look()) == 200
