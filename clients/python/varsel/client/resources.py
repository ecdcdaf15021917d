"""What the parts of the API, such as `client.orders`, have in common: they carry out plans on a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from varsel.client import plans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from varsel.client.calls import Call
    from varsel.client.connections import AsyncConnection, Connection

T = TypeVar("T")


class Resource:
    """A part of the API."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _send(self, call: Call[T]) -> T:
        return self._connection.run(plans.send(call, self._connection.limits))

    def _iterate(self, call: Call[T]) -> Iterator[object]:
        following: Call[T] | None = call
        while following:
            page = self._connection.run(plans.page(following, self._connection.limits))
            yield from page.entries
            following = page.following


class AsyncResource:
    """A part of the API, with `await`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def _send(self, call: Call[T]) -> T:
        return await self._connection.run(plans.send(call, self._connection.limits))

    async def _iterate(self, call: Call[T]) -> AsyncIterator[object]:
        following: Call[T] | None = call
        while following:
            page = await self._connection.run(plans.page(following, self._connection.limits))
            for entry in page.entries:
                yield entry
            following = page.following
