"""Both faces of the Python client as one: what a test does with the synchronous one, it does with the other."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from inspect import isasyncgen, isawaitable
from typing import TYPE_CHECKING, Any, cast

import httpx

from varsel.client import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = ["sync", "async"]


class Awaited:
    """Something of the asynchronous client's, whose methods wait for what they begin; lists are read to their end."""

    def __init__(self, inner: object, runner: asyncio.Runner) -> None:
        self._inner, self._runner = inner, runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._waiting(found) if callable(found) else Awaited(found, self._runner)

    def _waiting(self, method: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            made = method(*given, **named)
            return iter(self._runner.run(_all(made))) if isasyncgen(made) else self._runner.run(_result(made))

        return call


@contextmanager
def client(kind: str, address: str, token: str, **options: Any) -> Iterator[Client]:
    """A client, sync or async; `options` are its own."""
    if kind == "sync":
        with httpx.Client(trust_env=False) as http, Client(address, token, http=http, **options) as opened:
            yield opened
        return
    with asyncio.Runner() as runner:
        connections = httpx.AsyncClient(trust_env=False)
        yield cast("Client", Awaited(AsyncClient(address, token, http=connections, **options), runner))
        runner.run(connections.aclose())


async def _all(entries: Any) -> list[object]:
    return [entry async for entry in entries]


async def _result(made: Any) -> Any:
    return await made if isawaitable(made) else made
