"""Reads for requests: on the readers' slots, for as long as the client is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from starlette.requests import Request

P = ParamSpec("P")
R = TypeVar("R")

SOON = 0.05  # seconds after which it is worth looking whether the client is still there


async def read(
    request: Request, party: str, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Call `act(connection, …)` on a view, in the share of `party`; ClientDisconnect when the client hangs up first."""
    work: asyncio.Task[R] = asyncio.ensure_future(request.app.state.readers.read(party, act, *args, **kwargs))
    try:
        await asyncio.wait({work}, timeout=SOON)
        if not work.done():
            gone = asyncio.create_task(_hung_up(request))
            try:
                await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        work.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
