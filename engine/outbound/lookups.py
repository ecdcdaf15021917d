"""Look-ups of host names; each is bounded, since a stranger's name server can make the system's resolver hang."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Resolver = Callable[[str, int], Awaitable[list[str]]]

LOOK_UP_WITHIN = timedelta(seconds=5)  # the resolver's own limit is longer, and cannot be shortened
LOOKUPS = 60  # at once; one that timed out counts until the resolver returns


class Lookups:
    """Looks names up; each party has a share of the look-ups. TimeoutError after LOOK_UP_WITHIN."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._shares = Shares(LOOKUPS)

    async def addresses(self, party: str, host: str, port: int) -> list[str]:
        """All addresses of a host; raises what the resolver raises, or TimeoutError."""
        async with asyncio.timeout(LOOK_UP_WITHIN.total_seconds()):
            await self._shares.wait(party)
            task = asyncio.ensure_future(self._resolver(host, port))
            task.add_done_callback(lambda _: self._shares.give_back(party))
            return await asyncio.shield(task)


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, by the system's resolver; OSError or UnicodeError when there are none.

    It runs in a thread of its own, for which the process does not wait when it ends: a look-up cannot be interrupted.
    The event loop's own look-ups share few threads with other work (asyncio's with to_thread(), uvloop's with files).
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str] | None, error: Exception | None) -> None:
        if found.done():
            return
        if error:
            found.set_exception(error)
        else:
            found.set_result(addresses or [])

    def look_up() -> None:
        addresses, failure = None, None
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, addresses, failure)

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    return await found
