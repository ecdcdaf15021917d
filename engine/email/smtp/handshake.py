"""How a session begins: connecting, greeting, TLS, EHLO, signing in.

aiosmtplib reads EHLO's offers and signs in; all its commands pass through `execute_command`. Its own protocol is not
used: it takes `2500` for 250 and whatever follows a reply for the next reply, and with each packet it parses a reply
again from its first line.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiosmtplib

from engine.email.smtp.protocol import Protocol
from engine.email.smtp.replies import CLOSING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ssl import SSLContext

    from engine.email.smtp.route import Route

READY = 220  # to greet, and to begin TLS (RFC 5321, 4.2; RFC 3207, 4)


@dataclass(frozen=True, slots=True)
class Handshake:
    """A connection that is ready for messages."""

    protocol: Protocol
    greeting: str
    offers: Mapping[str, str]  # what EHLO offered, in lower case, with its parameters

    @classmethod
    async def over(cls, route: Route) -> Handshake:
        """Connect until messages may follow; raises WIRE_ERRORS, or ValueError for an unusable host name."""
        protocol = Protocol()
        context, within = (route.tls, route.connect_timeout) if route.scheme == "smtps" else (None, None)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: protocol, route.host, route.port, ssl=context, ssl_handshake_timeout=within
            )
            return await cls._by(protocol, route)
        except BaseException:
            protocol.abort()
            raise

    @classmethod
    async def _by(cls, protocol: Protocol, route: Route) -> Handshake:
        greeting = await protocol.reply()
        if greeting.code != READY:
            raise aiosmtplib.SMTPConnectResponseError(greeting.code, greeting.message)
        if not protocol.connected:
            raise aiosmtplib.SMTPServerDisconnected("the relay hung up after its greeting")
        client = _Client(protocol, route)
        if route.scheme == "smtp+starttls" and route.tls:
            await client.begin_tls(route.tls, route.connect_timeout)
            client = _Client(protocol, route)  # asks again what was offered in clear (RFC 3207, 4.2)
        if route.user:
            await client.login(route.user, route.password)
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
        return cls(protocol, greeting.message, client.esmtp_extensions)


class _Client(aiosmtplib.SMTP):
    """aiosmtplib's EHLO and AUTH over Varsel's protocol."""

    def __init__(self, protocol: Protocol, route: Route) -> None:
        super().__init__(hostname=route.host, local_hostname=route.local_hostname, timeout=None)
        self.connection = protocol

    @property
    def is_connected(self) -> bool:
        return self.connection.connected

    def get_transport_info(self, key: str) -> Any:
        return self.connection.info(key)

    async def execute_command(self, *args: bytes, timeout: object = None) -> aiosmtplib.SMTPResponse:  # noqa: ARG002, ASYNC109  # as aiosmtplib has it; time is the session's
        response = await self.connection.command(*args)
        if response.code == CLOSING:
            self.connection.abort()
        return response

    async def begin_tls(self, context: SSLContext, within: float) -> None:
        """Say STARTTLS where it is offered, and go on in TLS."""
        await self.ehlo()
        if not self.supports_extension("starttls"):
            raise aiosmtplib.SMTPException("SMTP STARTTLS extension not supported by server.")
        response = await self.execute_command(b"STARTTLS")
        if response.code != READY:
            raise aiosmtplib.SMTPResponseException(response.code, response.message)
        await self.connection.start_tls(context, self.hostname or "", within)
