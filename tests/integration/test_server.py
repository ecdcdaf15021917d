"""The HTTP server ends when it is told, and asks nobody meanwhile."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import httpx
import uvicorn
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette

from api import server
from tests.helpers.ports import free_port
from tests.helpers.waiting import patience

if TYPE_CHECKING:
    import pytest

DAY = 86_400.0  # seconds


def test_a_signal_ends_the_server_at_any_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DATE_EVERY", DAY)
    monkeypatch.setattr(AppStatus, "should_exit", False)  # the signal sets it, for all streams of this process
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn sends it on when it has ended
    port, ended, late = free_port(), threading.Event(), list[bool]()

    def ask_and_end() -> None:
        httpx.get(f"http://127.0.0.1:{port}/", timeout=patience())
        os.kill(os.getpid(), signal.SIGTERM)
        if not ended.wait(patience()) and web._loop:  # noqa: SLF001 so that the test ends
            late.append(True)
            web._loop.call_soon_threadsafe(web._told.set)  # noqa: SLF001

    config = uvicorn.Config(Starlette(), port=port, log_config=None)
    web = server.Server(config, threading.Thread(target=ask_and_end).start)
    web.run()
    ended.set()
    signal.signal(signal.SIGTERM, before)
    assert not late
