"""Reads for requests: on the readers' slots, for as long as the client is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from api.hang_ups import unless_gone

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from starlette.requests import Request

P = ParamSpec("P")
R = TypeVar("R")


async def read(
    request: Request, party: str, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
) -> R:
    """Call `act(connection, …)` on a view, in the share of `party`; ClientDisconnect when the client hangs up first."""
    return await unless_gone(request, request.app.state.readers.read(party, act, *args, **kwargs))
