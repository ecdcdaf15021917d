"""A session with the relay: connecting, transactions, time-outs, goodbye; with protocol.py all that knows aiosmtplib.

Its exceptions, and the system's, end here: what they mean is returned as a Reply without a code.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import unquote, urlsplit

import aiosmtplib

from engine.email.smtp.phases import Phase
from engine.email.smtp.protocol import Protocol
from engine.email.smtp.replies import CLOSING, UNSENT, Reply
from engine.runtime.authorities import with_file
from engine.text.addresses import wire_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GOODBYE = timedelta(seconds=2)  # for the answer to QUIT, which nobody needs
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
YES, GREETING, OK, START = 2, 220, 250, 354  # the first digit of a good reply, and codes (RFC 5321, 4.2)

WIRE_ERRORS = (aiosmtplib.SMTPException, OSError)  # OSError: also time-outs and TLS
OPEN_ERRORS = (*WIRE_ERRORS, ValueError)  # ValueError: host names and challenges that do not decode


@dataclass(frozen=True, slots=True)
class Route:
    """How to get to the relay; times in seconds."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None
    local_hostname: str
    connect_timeout: float
    data_timeout: float

    @classmethod
    def of(cls, url: str, ca_file: Path | None, connect_timeout: timedelta, data_timeout: timedelta) -> Route:
        """Take the address apart; what takes time (TLS context, own name) is found once, here."""
        parts = urlsplit(url)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=None if parts.scheme == "smtp" else with_file(ssl.create_default_context(), ca_file, "smtp_ca_file"),
            local_hostname=_local_hostname(),
            connect_timeout=connect_timeout.total_seconds(),
            data_timeout=data_timeout.total_seconds(),
        )


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message as it goes on the wire."""

    sender: bytes
    recipient: bytes
    utf8: bool  # needs SMTPUTF8 (RFC 6531)
    size: int  # octets before dot-stuffing (RFC 1870)
    data: bytes  # dot-stuffed, with its final dot

    @classmethod
    def of(cls, sender: str, recipient: str, message: bytes) -> Envelope:
        """Prepare a message; ValueError when an address has no form on the wire."""
        (from_address, from_utf8), (to_address, to_utf8) = wire_address(sender), wire_address(recipient)
        if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
            message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)  # a bare CR or LF could smuggle a second message
        if not message.endswith(b"\r\n"):
            message += b"\r\n"
        stuffed = message.replace(b"\r\n.", b"\r\n..")  # RFC 5321, 4.5.2
        data = b"".join((b"." if message.startswith(b".") else b"", stuffed, b".\r\n"))
        return cls(from_address.encode(), to_address.encode(), from_utf8 or to_utf8, len(message), data)


class _Client(aiosmtplib.SMTP):
    """Reads replies by our protocol, and hangs up at once.

    A relay that fell silent behind TLS would hold a polite close for half a minute.
    """

    async def _create_connection(self, timeout: float | None) -> aiosmtplib.SMTPResponse:  # noqa: ASYNC109, ARG002
        loop = asyncio.get_running_loop()
        protocol = Protocol(loop=loop, connection_lost_callback=self._on_connection_lost)
        tls = self.tls_context if self.use_tls else None
        transport, _ = await loop.create_connection(lambda: protocol, self.hostname or "", self.port or 0, ssl=tls)
        self.protocol, self.transport = protocol, transport
        greeting = await protocol.read_response()
        if greeting.code != GREETING:
            raise aiosmtplib.SMTPConnectResponseError(greeting.code, greeting.message)
        return greeting

    def close(self) -> None:
        if self.transport is not None:
            cast("asyncio.WriteTransport", self.transport).abort()  # TLS or not, asyncio's or uvloop's
        super().close()


class Session:
    """An open connection; one transaction at a time.

    One timer watches over all its replies: a wait_for() around each would cost a quarter of what a message does.
    """

    def __init__(self, client: aiosmtplib.SMTP, route: Route) -> None:
        if client.protocol is None:
            msg = "the relay hung up after its greeting"
            raise aiosmtplib.SMTPServerDisconnected(msg)
        self.loop = asyncio.get_running_loop()
        self.utf8 = False  # EHLO offered SMTPUTF8
        self.greeting = ""
        self.offers: Mapping[str, str] = {}  # what EHLO offered, in lower case, with its parameters
        self.phase = Phase.CONNECT  # what was begun last
        self.stale = False  # died before it answered MAIL: the message may go through another session at once
        self.born = self.rested = self.loop.time()
        self.messages = 0
        self._client = client
        self._protocol = client.protocol
        self._route = route
        self._size = False  # EHLO offered SIZE
        self._transaction_open = False  # the relay remembers a sender: RSET before the next
        self._overdue = False  # ended by the timer
        self._deadline = inf  # of the reply that is awaited
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf

    @classmethod
    async def open(cls, route: Route) -> Self | Reply:
        """Connect: greeting, TLS, authentication, EHLO; a Reply says why not."""
        try:
            async with asyncio.timeout(route.connect_timeout):
                return await cls._connect(route)
        except OPEN_ERRORS as error:
            return _last_words(error)

    @classmethod
    async def _connect(cls, route: Route) -> Self:
        client = _Client(
            hostname=route.host,
            port=route.port,
            local_hostname=route.local_hostname,
            timeout=None,  # open() has one; and asyncio.wait_for(), which this would use, can lose a cancellation
            use_tls=route.scheme == "smtps",
            start_tls=False,  # not by its own lights: below, or not at all
            tls_context=route.tls,
        )
        greeting = await client.connect()
        session = cls(client, route)
        session.greeting = greeting.message
        try:
            if route.scheme == "smtp+starttls":
                await client.starttls()
            if route.user:
                await client.login(route.user, route.password)
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except BaseException:
            session.abort()
            raise
        session.offers = client.esmtp_extensions
        session.utf8 = client.supports_extension("SMTPUTF8")
        session._size = client.supports_extension("SIZE")
        return session

    async def deliver(self, envelope: Envelope, ours: Callable[[], bool] = lambda: True) -> Reply:
        """Run a transaction and return the reply that ended it; `phase` and `stale` tell more about it.

        UNSENT: `ours` said no when it was asked, directly before the message would have gone.
        """
        self.phase, self.stale = Phase.MAIL, False
        try:
            if self._transaction_open:
                await self._reset()
            response = await self._transaction(envelope, ours)
        except WIRE_ERRORS as error:
            self.stale = self.phase is Phase.MAIL and not self._overdue
            return _last_words(TimeoutError() if self._overdue else error)
        if response is None:
            return UNSENT
        self.stale = self.phase is Phase.MAIL and response.code == CLOSING
        return Reply.of(response.code, response.message)

    async def propose(self, sender: str) -> Reply:
        """Return the relay's answer to a message from this sender, which is not sent; ValueError for no address."""
        address, utf8 = wire_address(sender)
        words = (b"FROM:<%b>" % address.encode(), *((b"SMTPUTF8",) if utf8 else ()))
        try:
            response = await self._command(b"MAIL", *words)
            if response.code // 100 == YES:
                await self._reset()
        except WIRE_ERRORS as error:
            return _last_words(TimeoutError() if self._overdue else error)
        return Reply.of(response.code, response.message)

    async def _transaction(self, envelope: Envelope, ours: Callable[[], bool]) -> aiosmtplib.SMTPResponse | None:
        """Say MAIL, RCPT, DATA and the message; return the first reply that is not the hoped-for one, or the last.

        None: the message did not go, since it is not `ours` any more.

        The seam for PIPELINING (RFC 2920): where EHLO offers it, MAIL, RCPT and DATA may be written at once.
        """
        size = (b"SIZE=%d" % envelope.size,) if self._size else ()
        utf8 = (b"SMTPUTF8",) if envelope.utf8 else ()
        response = await self._command(b"MAIL", b"FROM:<%b>" % envelope.sender, *size, *utf8)
        if response.code // 100 != YES:
            return response
        self._transaction_open = True
        self.phase = Phase.RCPT
        response = await self._command(b"RCPT", b"TO:<%b>" % envelope.recipient)
        if response.code // 100 != YES:
            return response
        self.phase = Phase.DATA
        response = await self._command(b"DATA")
        if response.code != START:
            return response
        if not ours():
            return None
        response = await self._hand_over(envelope.data)
        self._transaction_open = response.code // 100 != YES
        return response

    async def _command(self, *words: bytes) -> aiosmtplib.SMTPResponse:
        self._expect(self._route.connect_timeout)
        response = await self._client.execute_command(*words, timeout=None)
        self._deadline = inf
        return response

    async def _hand_over(self, data: bytes) -> aiosmtplib.SMTPResponse:
        self._expect(self._route.data_timeout)
        self._protocol.write(data)
        self.phase = Phase.DOT  # from here on the relay may have it
        response = await self._protocol.read_response()
        self._deadline = inf
        return response

    async def _reset(self) -> None:
        """Make the relay forget a refused transaction; a second reply to that would show here."""
        response = await self._command(b"RSET")
        if response.code != OK:
            msg = "the relay did not answer RSET with 250"
            raise aiosmtplib.SMTPException(msg)
        self._transaction_open = False

    def in_step(self, reply: Reply) -> bool:
        """Whether the session can go on behind this reply: the phase allows it, and no other is under way."""
        code = reply.code or 0
        proper = code // 100 in (4, 5) or (self.phase is Phase.DOT and code // 100 == YES)
        return (
            proper
            and code != CLOSING
            and self.connected
            and self._transport().get_write_buffer_size() == 0
            and not self._spare_reply()
        )

    @property
    def connected(self) -> bool:
        """False: the relay has hung up."""
        return self._protocol.is_connected

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The relay's certificate, verified, as ssl.SSLSocket.getpeercert() has it; empty without TLS."""
        return self._transport().get_extra_info("peercert") or {}

    @property
    def closed(self) -> bool:
        """True: nothing of the connection is left."""
        return self._protocol.transport is None

    async def quit(self) -> None:
        """Say QUIT, wait a little for the answer, and close."""
        try:
            self._expect(GOODBYE.total_seconds())
            await self._client.execute_command(b"QUIT", timeout=None)
        except WIRE_ERRORS:
            pass  # gone is gone
        finally:
            self.abort()
        await self.gone()

    def abort(self) -> None:
        """Close at once; who still awaits a reply gets an SMTPServerDisconnected."""
        if self._timer:
            self._timer.cancel()
        self._client.close()

    async def gone(self) -> None:
        """Return when an aborted connection is closed: after a turn of the event loop, with TLS a few."""
        while not self.closed:  # noqa: ASYNC110  # aiosmtplib has no event for it
            await asyncio.sleep(0)

    def _expect(self, seconds: float) -> None:
        """Start the clock for the reply to what is said next."""
        self._deadline = self.loop.time() + seconds
        if self._deadline < self._timer_at:
            if self._timer:
                self._timer.cancel()
            self._watch()

    def _watch(self) -> None:
        self._timer, self._timer_at = self.loop.call_at(self._deadline, self._look), self._deadline

    def _look(self) -> None:
        """End the session if its reply is overdue; watch on if a later one is awaited."""
        self._timer, self._timer_at = None, inf
        if self._deadline <= self.loop.time():
            self._overdue = True
            self.abort()
        elif self._deadline < inf:
            self._watch()

    def _transport(self) -> asyncio.WriteTransport:
        return cast("asyncio.WriteTransport", self._protocol.transport)  # TLS or not, asyncio's or uvloop's

    def _spare_reply(self) -> bool:
        """Whether bytes came behind the last reply: they would be taken for the next one."""
        return bool(self._protocol._buffer)  # noqa: SLF001  # aiosmtplib shows it nowhere else


def _local_hostname() -> str:
    """Return what EHLO says: the machine's name, or the address literal of one without (RFC 5321, 4.1.4)."""
    name = socket.getfqdn()
    return name if re.fullmatch(r"[A-Za-z0-9.-]+", name) and "." in name else "[127.0.0.1]"


def _last_words(error: Exception) -> Reply:
    """Translate what aiosmtplib or the system raised: the relay's own reply where there is one."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return Reply.of(error.code, error.message)
    return Reply.of(None, "no reply in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__)
