"""Outbound HTTP, guarded: a caller's address must not reach what only this machine or its network may reach (SSRF)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpcore
import httpx

from engine.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Resolver = Callable[[str, int], Awaitable[list[str]]]

PORTS = (443, 8443)
CONNECT_WITHIN, ANSWER_WITHIN = 5.0, 15.0  # seconds: for the connection, and in all
LONGEST_ANSWER = 16 * 1024  # bytes that are read of a body
CONNECTIONS = 100

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "64:ff9b::/96",  # NAT64 leads to IPv4, RFC 6052
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "100::/64",  # discard, RFC 6666
        "2001::/23",  # protocol assignments with Teredo, RFC 2928
        "2002::/16",  # 6to4 leads to IPv4, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
        "5f00::/16",  # SRv6, RFC 9602
        "fec0::/10",  # site-local, RFC 3879
    )
)
_LINK_LOCAL = (ipaddress.ip_network("169.254.0.0/16"), ipaddress.ip_network("fe80::/10"))
_ODD_NUMBER = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+))*\.?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; of the body at most LONGEST_ANSWER bytes."""

    status: int
    body: bytes
    complete: bool  # False: the body was longer


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, and why: for the log, never with more than the address's host."""

    reason: str


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides where outbound calls may go. `allow_private` (development): also plain http, any port, loopback."""

    allow_private: bool

    def check_url(self, url: str) -> None:
        """Refuse an address by its looks; what its name resolves to is checked at every call."""
        try:
            parts = urlsplit(url)
            port, host = parts.port, parts.hostname or ""
        except ValueError:
            raise Refused("it is not a well-formed URL") from None
        if parts.scheme not in (("https", "http") if self.allow_private else ("https",)):
            raise Refused("only https is let out")
        if not host or parts.username is not None or parts.password is not None:
            raise Refused("it must have a host and no user or password")
        if not self.allow_private and port not in (None, *PORTS):
            raise Refused(f"only the ports {PORTS} are let out")
        try:
            self.check_address(ipaddress.ip_address(host))
        except ValueError:
            if _ODD_NUMBER.fullmatch(host):
                raise Refused("the host is a number in an unusual form") from None

    def check_address(self, address: Address) -> None:
        """Refuse everything that is not a public unicast address."""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if self.allow_private and not any(address in network for network in _LINK_LOCAL):
            return
        public = address.is_global and not address.is_multicast and not address.is_reserved
        if not public or any(address in network for network in _NOT_PUBLIC):
            raise Refused(f"{address} is not a public address")


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, by the system's resolver."""
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
            self._guard.check_address(ipaddress.ip_address(address.partition("%")[0]))
        failure: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectError("the host has no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class Outbound:
    """Makes guarded calls: no redirects, no proxies, no cookies; bounded in time and size."""

    def __init__(self, guard: Guard, resolver: Resolver = resolve, certificates: str | None = None) -> None:
        self._guard = guard
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(verify=certificates or True, trust_env=False),
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=30,
            network_backend=_GuardedNetwork(guard, resolver),
        )

    async def get(self, url: str) -> Answer | Failure:
        """GET an address. Whatever goes wrong out there is a Failure, not an exception."""
        try:
            self._guard.check_url(url)
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._call("GET", url)
        except (Refused, OSError, UnicodeError, ValueError) as error:
            return Failure(str(error) or type(error).__name__)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            return Failure(f"{type(error).__name__} {error}".strip())

    async def _call(self, method: str, url: str) -> Answer:
        headers = [("Host", urlsplit(url).netloc), ("Accept", "application/json"), ("User-Agent", "Varsel")]
        timeouts = {"connect": CONNECT_WITHIN, "read": ANSWER_WITHIN, "write": ANSWER_WITHIN, "pool": ANSWER_WITHIN}
        async with self._pool.stream(method, url, headers=headers, extensions={"timeout": timeouts}) as answer:
            body = b""
            async for chunk in answer.aiter_stream():
                body += chunk
                if len(body) > LONGEST_ANSWER:
                    return Answer(answer.status, body[:LONGEST_ANSWER], complete=False)
        return Answer(answer.status, body, complete=True)

    async def close(self) -> None:
        """Give up all connections."""
        await self._pool.aclose()
