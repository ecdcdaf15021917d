"""The HTTP server ends when it is told, and asks nobody meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from api import server
from tests.helpers.ports import free_port
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.datastructures import State
    from starlette.requests import Request

DAY = 86_400.0  # seconds


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As before, behind a server that has used them."""
    monkeypatch.setattr(server, "DATE_EVERY", DAY)
    monkeypatch.setattr(AppStatus, "should_exit", False)  # the signal sets it, for all streams of this process
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn sends it on when it has ended
    yield
    signal.signal(signal.SIGTERM, before)


def run(act: Callable[[str, State], None], delay: float = 0.0) -> None:
    """Run a server, and `act` on its address and its application's state beside it; it ends, or the test fails."""
    app, port, ended, late = Starlette(routes=[Route("/", hello)]), free_port(), threading.Event(), list[bool]()

    def act_and_wait() -> None:
        act(f"http://127.0.0.1:{port}/", app.state)
        if not ended.wait(patience()) and web._loop:  # noqa: SLF001 so that the test ends
            late.append(True)
            web._loop.call_soon_threadsafe(web._told.set)  # noqa: SLF001

    config = uvicorn.Config(app, port=port, log_config=None)
    web = server.Server(config, threading.Thread(target=act_and_wait).start, None, server.Ending(delay, app.state))
    web.run()
    ended.set()
    assert not late


async def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def ask(address: str) -> int:
    return httpx.get(address, timeout=patience(), trust_env=False).status_code


def end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_ends_the_server_at_any_moment() -> None:
    def act(address: str, _state: State) -> None:
        ask(address)
        end()

    run(act)


def test_requests_are_taken_until_the_delay_is_over_and_a_second_signal_ends_it() -> None:
    answers: list[int] = []

    def act(address: str, state: State) -> None:
        ask(address)
        end()
        wait_for(lambda: getattr(state, "ending", False))
        answers.extend(ask(address) for _ in range(2))  # by a connection each
        end()

    run(act, DAY)
    assert answers == [200, 200]
