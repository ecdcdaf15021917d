"""Connections that are kept for the next call to the same place, each made to an address that was checked."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING

import httpcore

from engine.errors import Refused

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Iterable

    from engine.outbound.guard import Guard

    Resolver = Callable[[str, int], Awaitable[list[str]]]

log = logging.getLogger(__name__)

IDLE = timedelta(seconds=4)  # an unused connection is kept: less than the 5 s of common servers, lest both ends differ
MOST_IDLE = 200  # connections that are kept, of all places together


class Connections:
    """Lends connections (httpcore's, HTTP/1.1), one call each at a time.

    httpcore's own pool looks at every connection and every waiting call whenever one of them changes: with hundreds
    of calls at once that costs more than the calls. Here a call looks at its own place's idle connections only.
    """

    def __init__(self, guard: Guard, tls: ssl.SSLContext, resolver: Resolver) -> None:
        self._tls = tls
        self._network = _GuardedNetwork(guard, resolver)
        self._idle: OrderedDict[httpcore.AsyncHTTPConnection, str] = OrderedDict()
        self._by_place: dict[str, list[httpcore.AsyncHTTPConnection]] = {}

    async def take(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        """A connection to this place: an idle one that is still good, or one that connects with its first call."""
        while kept := self._by_place.get(str(origin)):
            connection = kept[-1]
            self._forget(connection)
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin, self._tls, keepalive_expiry=IDLE.total_seconds(), network_backend=self._network
        )

    async def give_back(self, origin: httpcore.Origin, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection whose call has ended well; close any other."""
        if not connection.is_idle():
            await connection.aclose()
            return
        self._idle[connection] = place = str(origin)
        self._by_place.setdefault(place, []).append(connection)
        if len(self._idle) > MOST_IDLE:
            oldest = next(iter(self._idle))
            self._forget(oldest)
            await oldest.aclose()

    async def close(self) -> None:
        """Close what is idle; what is lent is closed when it is given back."""
        while self._idle:
            connection = next(iter(self._idle))
            self._forget(connection)
            await connection.aclose()

    def _forget(self, connection: httpcore.AsyncHTTPConnection) -> None:
        place = self._idle.pop(connection)
        kept = self._by_place[place]
        kept.remove(connection)
        if not kept:
            del self._by_place[place]


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, by the system's resolver; OSError or UnicodeError when there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves, checks every address, and connects to one that was checked: a second look-up has no say."""

    def __init__(self, guard: Guard, resolver: Resolver) -> None:
        self._guard = guard
        self._resolver = resolver
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolver(host, port)
        for address in addresses:
            try:
                self._guard.check_address(ipaddress.ip_address(address))
            except Refused as refusal:  # whoever named the host must not learn from us what our network calls it
                log.warning("%s is not called: %s", host, refusal)
                raise Refused("its host does not have a public address") from None
        failure: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectError("the host has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
