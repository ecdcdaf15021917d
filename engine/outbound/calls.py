"""Calls to others' servers, bounded in time and size; a failure of the other side is a value."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING

import anyio
import h11
import httpcore
import httpx

from engine.errors import Refused
from engine.outbound.connections import Connections, Place
from engine.outbound.exchange import Excessive
from engine.outbound.lookups import Lookups, resolve
from engine.runtime.authorities import with_file
from engine.runtime.clock import Clock

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engine.outbound.guard import Guard
    from engine.outbound.lookups import Resolver

ANSWER_WITHIN = timedelta(seconds=15)  # for the whole call: look-up, connection, request, answer
LONGEST_DATE = 64  # characters
LONGEST_WAIT = timedelta(hours=24)  # that the other side may ask for
CONNECTIONS = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer; its body only as far as engine/outbound/exchange.py reads it."""

    status: int
    body: bytes | bytearray
    complete: bool  # False: the body was longer
    retry_after: timedelta | None = None  # how long the other side wants to be left alone
    headers: Sequence[tuple[bytes, bytes]] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer; the text may name parts of this network."""

    reason: str


class Barred(Failure):
    """The guard does not let anybody call there."""


class Withdrawn(Failure):
    """Not sent: the caller no longer wanted it when it was asked, directly before."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A request to be made on behalf of `party`, if `still` is true when the connection is there."""

    method: str
    url: str
    body: bytes | None
    headers: Sequence[tuple[str, str]]
    party: str
    still: Callable[[], bool] = lambda: True
    whole: int | None = None  # see Connection.exchange


class Outbound:
    """Makes guarded calls: no redirects, no proxies, no cookies; bounded in time and size.

    `within` bounds a whole call, and `connections` how many calls are made at once: more than the receivers that may
    hang. Certificates in `ca_file` are trusted beside the usual ones. `clock` is for a Retry-After with a date.
    """

    def __init__(  # noqa: PLR0913 what bounds a call
        self,
        guard: Guard,
        resolver: Resolver = resolve,
        *,
        within: timedelta = ANSWER_WITHIN,
        connections: int = CONNECTIONS,
        ca_file: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._guard = guard
        self._clock = clock or Clock()
        self._within = within.total_seconds()
        self._slots = asyncio.Semaphore(connections)
        self._connections = Connections(guard, _tls(ca_file), Lookups(resolver))

    async def get(self, url: str, headers: Sequence[tuple[str, str]] = (), *, party: str = "") -> Answer | Failure:
        """GET an address, on behalf of `party`. A failure of the other side is a Failure, not an exception."""
        return await self._guarded(_Call("GET", url, None, (("Accept", "application/json"), *headers), party))

    async def fetch(self, url: str, most: int, *, party: str) -> Answer | Failure:
        """GET a file of up to `most` bytes, likewise; if it is longer, or the status is not 200, its body is left.

        Barred: the guard does not let the call go there.
        """
        return await self._guarded(_Call("GET", url, None, (("Accept", "*/*"),), party, whole=most))

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Sequence[tuple[str, str]],
        *,
        party: str = "",
        still: Callable[[], bool] = lambda: True,
    ) -> Answer | Failure:
        """POST to an address, likewise; a header that cannot be sent, such as one with a line end, is a Failure.

        Withdrawn: `still` was false when it was asked, directly before the request would have been sent.
        """
        length = ("Content-Length", str(len(body)))
        return await self._guarded(_Call("POST", url, body, (*headers, length), party, still))

    async def _guarded(self, call: _Call) -> Answer | Failure:
        try:
            self._guard.check_url(call.url)
            async with self._slots:  # the time of a call begins when it has a slot
                with anyio.fail_after(self._within):
                    return await self._make(call)
        except TimeoutError:
            return Failure(f"no answer within {self._within:g} s")
        except Refused as error:
            return Barred(str(error))
        except (Excessive, OSError, UnicodeError) as error:
            return Failure(str(error) or type(error).__name__)
        except (httpcore.TimeoutException, httpcore.NetworkError, h11.ProtocolError) as error:
            text = f"{type(error).__name__} {error}".strip()  # may echo an address, which can be a secret
            return Failure(text if call.whole is None else "its answer breaks HTTP, or ends early")

    async def close(self) -> None:
        """Close idle connections."""
        await self._connections.close()

    async def _make(self, call: _Call) -> Answer | Withdrawn:
        url = httpx.URL(call.url)
        tls = url.scheme == "https"
        place = Place(tls, url.raw_host.decode("ascii"), url.port or (443 if tls else 80))
        headers = [
            (b"Host", url.netloc),
            *((name.encode("ascii"), value.encode("ascii")) for name, value in call.headers),
            (b"Accept-Encoding", b"identity"),  # nothing is decompressed, so that a small answer cannot become large
            (b"User-Agent", b"Varsel"),
        ]
        request = h11.Request(method=call.method, target=url.raw_path, headers=headers)
        connection = await self._connections.take(place, call.party)
        try:
            if not call.still():
                return Withdrawn("not sent: this worker has no lease on it any more")
            received = await connection.exchange(request, call.body, call.whole)
        finally:
            with anyio.CancelScope(shield=True):
                await self._connections.give_back(place, connection)
        told = received.headers
        return Answer(received.status, received.body, received.complete, _retry_after(told, self._clock), told)


@cache
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """The trusted authorities; reading them all takes 30 ms."""
    return with_file(httpx.create_ssl_context(trust_env=False), ca_file, "attachment_ca_file")


def _retry_after(headers: Sequence[tuple[bytes, bytes]], clock: Clock) -> timedelta | None:
    """The Retry-After header (RFC 9110, 10.2.3), seconds or a date; None when it is missing or cannot be read."""
    text = next((value.decode("latin-1").strip() for name, value in headers if name.lower() == b"retry-after"), "")
    if text.isascii() and text.isdigit():
        delay = timedelta(seconds=min(int(text[:9]), LONGEST_WAIT.total_seconds()))
    else:
        try:
            moment = parsedate_to_datetime(text[:LONGEST_DATE])
            delay = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - clock.now()
        except (ValueError, OverflowError):
            return None
    return max(timedelta(0), min(delay, LONGEST_WAIT))
