"""Connections to checked addresses, kept for the next call to the same place."""

from __future__ import annotations

import ipaddress
import logging
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import anyio
import httpcore

from engine.errors import Refused
from engine.outbound.exchange import Connection

if TYPE_CHECKING:
    import ssl

    from engine.outbound.guard import Guard
    from engine.outbound.lookups import Lookups

log = logging.getLogger(__name__)

CONNECT_WITHIN = timedelta(seconds=5)  # for one address of the host, and again for its TLS
MOST_IDLE = 200  # kept connections, of all places together


@dataclass(frozen=True, slots=True)
class Place:
    """What a connection leads to; `host` in ASCII."""

    tls: bool
    host: str
    port: int


class Connections:
    """Lends connections, each to one call at a time.

    httpcore's own pool looks at every connection and every waiting call whenever one of them changes: with hundreds of
    calls at once, that costs more than the calls. Here, a call looks only at its own place's idle connections.
    """

    def __init__(self, guard: Guard, tls: ssl.SSLContext, lookups: Lookups) -> None:
        self._guard = guard
        self._tls = tls
        self._lookups = lookups
        self._network = httpcore.AnyIOBackend()
        self._idle: OrderedDict[Connection, Place] = OrderedDict()
        self._by_place: dict[Place, list[Connection]] = {}

    async def take(self, place: Place, party: str) -> Connection:
        """A connection to this place: an idle one that is still good, or a new one, looked up on behalf of `party`."""
        while kept := self._by_place.get(place):
            connection = kept[-1]
            self._forget(connection)
            if not connection.expired:
                return connection
            await connection.close()
        return Connection(await self._connect(place, party))

    async def give_back(self, place: Place, connection: Connection) -> None:
        """Keep a connection if its call ended well; else close it."""
        if not connection.reuse():
            await connection.close()
            return
        self._idle[connection] = place
        self._by_place.setdefault(place, []).append(connection)
        if len(self._idle) > MOST_IDLE:
            oldest = next(iter(self._idle))
            self._forget(oldest)
            await oldest.close()

    async def close(self) -> None:
        """Close idle connections; a lent one is closed when it is given back."""
        while self._idle:
            connection = next(iter(self._idle))
            self._forget(connection)
            await connection.close()

    def _forget(self, connection: Connection) -> None:
        place = self._idle.pop(connection)
        kept = self._by_place[place]
        kept.remove(connection)
        if not kept:
            del self._by_place[place]

    async def _connect(self, place: Place, party: str) -> httpcore.AsyncNetworkStream:
        """Resolve, check every address, and connect to one of them; there is no second look-up."""
        addresses = await self._lookups.addresses(party, place.host, place.port)
        for address in addresses:
            try:
                self._guard.check_address(ipaddress.ip_address(address))
            except Refused as refusal:  # the caller who named the host must not learn its address in this network
                log.warning("%s is not called: %s", place.host, refusal)
                raise Refused("its host does not have a public address") from None
        within = CONNECT_WITHIN.total_seconds()
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in addresses:
            try:
                stream = await self._network.connect_tcp(address, place.port, within)
                break
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        else:
            raise failure
        if not place.tls:
            return stream
        try:
            return await stream.start_tls(self._tls, place.host, within)
        except BaseException:  # also when cancelled, so that a handshake that hangs leaves no connection open
            with anyio.CancelScope(shield=True):
                await stream.aclose()
            raise
