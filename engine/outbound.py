"""Outbound HTTP, guarded: a caller's address must not reach what only this machine or its network may reach (SSRF)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpcore
import httpx

from engine.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    Resolver = Callable[[str, int], Awaitable[list[str]]]

PORTS = (443, 8443)
CONNECT_WITHIN = timedelta(seconds=5)  # for one address of the host, and again for its TLS
ANSWER_WITHIN = timedelta(seconds=15)  # for everything: look-up, connection, request, answer
LONGEST_ANSWER = 16 * 1024  # bytes that are read of a body
CONNECTIONS = 100
IDLE = timedelta(seconds=4)  # an unused connection is kept: less than the 5 s of common servers, lest both ends differ

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NOT_PUBLIC = tuple(  # beside what every Python version's is_global and is_reserved know
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "64:ff9b::/96",  # NAT64 leads to IPv4, RFC 6052
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "100::/64",  # discard, RFC 6666
        "2001::/23",  # protocol assignments with Teredo, RFC 2928
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4 leads to IPv4, RFC 3056
        "3fff::/20",  # documentation, RFC 9637
        "5f00::/16",  # SRv6, RFC 9602
        "fec0::/10",  # site-local, RFC 3879
    )
)
_NEVER = tuple(  # not even in development: where clouds hand out their machines' credentials, and disguises of it
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local, RFC 3927: nearly every cloud
        "fe80::/10",  # link-local, RFC 4291
        "fd00:ec2::/32",  # Amazon's over IPv6
        "100.100.100.200/32",  # Alibaba's
        "64:ff9b::/96",  # NAT64 leads to IPv4, RFC 6052
        "2002::/16",  # 6to4 likewise, RFC 3056
    )
)
_ODD_NUMBER = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+))*\.?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; of the body at most LONGEST_ANSWER bytes."""

    status: int
    body: bytes
    complete: bool  # False: the body was longer


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, and why: for the operator's log; the caller would learn from it what this network is like."""

    reason: str


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides where outbound calls may go. `allow_private` (development): also plain http, any port, loopback."""

    allow_private: bool

    def check_url(self, url: str) -> None:
        """Refuse (Refused) an address by its looks; what its name resolves to is checked at every connection."""
        try:
            parts = httpx.URL(url)  # the parser that also decides where the call goes: no two readings of one address
        except httpx.InvalidURL:
            raise Refused("it is not a well-formed URL") from None
        if parts.scheme not in (("https", "http") if self.allow_private else ("https",)):
            raise Refused("only https is let out")
        host = parts.raw_host.decode("ascii")
        if not host or parts.userinfo:
            raise Refused("it must have a host and no user or password")
        if not self.allow_private and parts.port not in (None, *PORTS):
            raise Refused(f"only the ports {' and '.join(map(str, PORTS))} are let out")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if _ODD_NUMBER.fullmatch(host):
                raise Refused("the host is a number in an unusual form") from None
        else:
            self.check_address(address)

    def check_address(self, address: Address) -> None:
        """Refuse (Refused) everything that is not a public unicast address."""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        public = address.is_global and not address.is_multicast and not address.is_reserved
        if any(address in network for network in _NEVER) or not (
            self.allow_private or (public and not any(address in network for network in _NOT_PUBLIC))
        ):
            raise Refused(f"{address} is not a public address")


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
            self._guard.check_address(ipaddress.ip_address(address))
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
    """Makes guarded calls: no redirects, no proxies, no cookies; bounded in time and size.

    `within` bounds a whole call; `ca_file` names certificates that are trusted beside the well-known ones.
    """

    def __init__(
        self,
        guard: Guard,
        resolver: Resolver = resolve,
        *,
        within: timedelta = ANSWER_WITHIN,
        ca_file: Path | None = None,
    ) -> None:
        self._guard = guard
        self._within = within.total_seconds()
        tls = httpx.create_ssl_context(trust_env=False)
        if ca_file:
            tls.load_verify_locations(ca_file)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=IDLE.total_seconds(),
            network_backend=_GuardedNetwork(guard, resolver),
        )

    async def get(self, url: str) -> Answer | Failure:
        """GET an address. Whatever goes wrong out there is a Failure, not an exception."""
        try:
            self._guard.check_url(url)
            async with asyncio.timeout(self._within):
                return await self._call("GET", httpx.URL(url))
        except TimeoutError:
            return Failure(f"no answer within {self._within:g} s")
        except (Refused, OSError, UnicodeError) as error:
            return Failure(str(error) or type(error).__name__)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            return Failure(f"{type(error).__name__} {error}".strip())

    async def close(self) -> None:
        """Give up all connections."""
        await self._pool.aclose()

    async def _call(self, method: str, url: httpx.URL) -> Answer:
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        headers = [
            (b"Host", url.netloc),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),  # nothing is unpacked here: a small answer cannot grow large
            (b"User-Agent", b"Varsel"),
        ]
        timeouts = {"connect": CONNECT_WITHIN.total_seconds()}
        async with self._pool.stream(method, target, headers=headers, extensions={"timeout": timeouts}) as answer:
            body = b""
            async for chunk in answer.aiter_stream():
                body += chunk
                if len(body) > LONGEST_ANSWER:
                    return Answer(answer.status, body[:LONGEST_ANSWER], complete=False)
        return Answer(answer.status, body, complete=True)
