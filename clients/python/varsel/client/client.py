"""The client and its asynchronous twin: an address, tokens, and the parts of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import httpx

from varsel.client.connections import AsyncConnection, Connection
from varsel.client.generated.parts import AsyncParts, Parts
from varsel.client.plans import Limits

if TYPE_CHECKING:
    from varsel.client.connections import AsyncToken, Token

TIMEOUT = 10.0  # seconds: more than an answer takes, also when the installation's database is slow
DEADLINE = 60.0


class Client(Parts):
    """A client of the installation at `address`; close it, or use it as a context.

    `token` and `platform_token` are tokens, or functions that return the one to use now, asked before each attempt.
    `timeout` is what one attempt has to connect and to get each part of the answer, `deadline` what all attempts have
    together, with the pauses between them, in seconds. `http` is your own httpx client, with its proxies and
    certificates; you close it. A client may be shared by threads.
    """

    def __init__(  # noqa: PLR0913 each with a default
        self,
        address: str,
        token: Token = None,
        *,
        platform_token: Token = None,
        timeout: float = TIMEOUT,
        deadline: float = DEADLINE,
        http: httpx.Client | None = None,
    ) -> None:
        self._own = None if http else httpx.Client()
        used = http or self._own
        assert used is not None  # noqa: S101 one of them is there
        super().__init__(Connection(used, address.rstrip("/"), token, platform_token, Limits(timeout, deadline)))

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient(AsyncParts):
    """A client for asyncio, like Client: operations are awaited, lists are read with `async for`."""

    def __init__(  # noqa: PLR0913 each with a default
        self,
        address: str,
        token: AsyncToken = None,
        *,
        platform_token: AsyncToken = None,
        timeout: float = TIMEOUT,
        deadline: float = DEADLINE,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._own = None if http else httpx.AsyncClient()
        used = http or self._own
        assert used is not None  # noqa: S101 one of them is there
        super().__init__(AsyncConnection(used, address.rstrip("/"), token, platform_token, Limits(timeout, deadline)))

    async def close(self) -> None:
        """Close the connections."""
        if self._own:
            await self._own.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
