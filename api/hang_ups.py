"""Clients that hang up: what was begun for them is given up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.requests import Request

R = TypeVar("R")

SOON = 0.05  # seconds after which it is worth looking whether the client is still there


async def unless_gone(request: Request, work: Coroutine[Any, Any, R]) -> R:
    """Do some work; if the client hangs up, cancel it and raise ClientDisconnect. The body must have been read."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=SOON)
        if not task.done():
            gone = asyncio.create_task(_hung_up(request))
            try:
                await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
