"""A session with the relay: transactions, time-outs, QUIT.

Exceptions of the connection, the library and the system end here: they are returned as a Reply without a code.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Self

from engine.email.smtp.envelope import END
from engine.email.smtp.handshake import Handshake
from engine.email.smtp.phases import Phase
from engine.email.smtp.protocol import WIRE_ERRORS, last_words, line
from engine.email.smtp.replies import CLOSING, UNSENT, Reply
from engine.text.addresses import wire_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.email.smtp.envelope import Envelope
    from engine.email.smtp.protocol import Response
    from engine.email.smtp.route import Route

GOODBYE = timedelta(seconds=2)  # for the reply to QUIT, which nobody needs
YES, OK, START = 2, 250, 354  # the first digit of a good reply, and codes (RFC 5321, 4.2)
NO = (4, 5)  # the first digits of refusals
BEFORE_DOT = (Phase.MAIL, Phase.RCPT, Phase.DATA)

OPEN_ERRORS = (*WIRE_ERRORS, ValueError)  # ValueError: host names and challenges that do not decode


class Session:
    """An open connection; one transaction at a time. MAIL, RCPT and DATA go at once where the relay offers PIPELINING.

    One timer watches all its replies: a wait_for() for each would add a quarter to a message's cost.
    """

    def __init__(self, handshake: Handshake, route: Route) -> None:
        self.loop = asyncio.get_running_loop()
        self.greeting = handshake.greeting
        self.offers = handshake.offers
        self.utf8 = "smtputf8" in self.offers
        self.phase = Phase.CONNECT  # the one whose reply is awaited or was the last
        self.stale = False  # it ended before it answered MAIL: the message may go over another session at once
        self.born = self.rested = self.loop.time()
        self.messages = 0
        self._protocol = handshake.protocol
        self._route = route
        self._size = "size" in self.offers
        self._pipelining = route.pipelining and "pipelining" in self.offers
        self._transaction_open = False  # True: the relay remembers a sender, and RSET comes before the next
        self._overdue = False  # the timer ended the session
        self._deadline = inf  # of the awaited reply
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf

    @classmethod
    async def open(cls, route: Route) -> Self | Reply:
        """Connect: greeting, TLS, authentication, EHLO; a Reply says why it failed."""
        try:
            async with asyncio.timeout(route.connect_timeout):
                return cls(await Handshake.over(route), route)
        except OPEN_ERRORS as error:
            return last_words(error)

    async def deliver(self, envelope: Envelope, ours: Callable[[], bool] = lambda: True) -> Reply:
        """Run a transaction and return the reply that ended it; `phase` and `stale` say more about it.

        UNSENT: `ours` was False when it was asked, directly before the message would have been sent.
        """
        self.phase, self.stale = Phase.MAIL, False
        try:
            if self._transaction_open:
                await self._reset()
            response = await self._transaction(envelope, ours)
        except WIRE_ERRORS as error:
            self.stale = self.phase is Phase.MAIL and not self._overdue
            return last_words(TimeoutError() if self._overdue else error)
        if response is None:
            return UNSENT
        self.stale = self.phase is Phase.MAIL and response.code == CLOSING
        return Reply.of(response.code, response.message)

    async def propose(self, sender: str) -> Reply:
        """Return the relay's reply to MAIL with this sender; no message is sent. ValueError if it is no address."""
        address, utf8 = wire_address(sender)
        words = (b"FROM:<%b>" % address.encode(), *((b"SMTPUTF8",) if utf8 else ()))
        try:
            response = await self._command(b"MAIL", *words)
            if response.code // 100 == YES:
                await self._reset()
        except WIRE_ERRORS as error:
            return last_words(TimeoutError() if self._overdue else error)
        return Reply.of(response.code, response.message)

    async def _transaction(self, envelope: Envelope, ours: Callable[[], bool]) -> Response | None:
        """Say MAIL, RCPT, DATA and the message; return the first bad reply, or the last one.

        None: the message was not sent, since it is not `ours` any more.
        """
        if refusal := await self._announce(envelope):
            return refusal
        if not ours():
            return None
        response = await self._hand_over(envelope)
        self._transaction_open = response.code // 100 != YES
        return response

    async def _announce(self, envelope: Envelope) -> Response | None:
        """Say MAIL, RCPT and DATA; return the first bad reply. None: the relay waits for the message."""
        lines = self._lines(envelope)
        if self._pipelining:
            self._say(*lines)
        for phase, said in zip(BEFORE_DOT, lines, strict=True):
            self.phase = phase
            if not self._pipelining:
                self._say(said)
            response = await self._reply()
            if response.code != START if phase is Phase.DATA else response.code // 100 != YES:
                await self._skip_rest(response)
                return response
            self._transaction_open = True
        return None

    def _lines(self, envelope: Envelope) -> tuple[bytes, bytes, bytes]:
        size = (b"SIZE=%d" % envelope.size,) if self._size else ()
        utf8 = (b"SMTPUTF8",) if envelope.utf8 else ()
        mail = line(b"MAIL", b"FROM:<%b>" % envelope.sender, *size, *utf8)
        return mail, line(b"RCPT", b"TO:<%b>" % envelope.recipient), line(b"DATA")

    async def _skip_rest(self, refusal: Response) -> None:
        """Read the replies to what was said behind a refused command; they change nothing.

        A relay without a recipient may want the message nonetheless: it gets an empty one (RFC 2920, 3.1). One that
        refused the sender but took the recipient could deliver that, so the session ends.
        """
        if not self._protocol.awaited or not _is_no(refusal) or refusal.code == CLOSING:
            return
        self._transaction_open = True
        with suppress(*WIRE_ERRORS):  # some relays hang up instead
            *others, data = [await self._reply() for _ in range(self._protocol.awaited)]
            if data.code == START and all(map(_is_no, others)):
                await self._command(b".")
            elif data.code == START:
                self.abort()

    def _say(self, *lines: bytes) -> None:
        """Say commands at once. Their replies have the time of all together: a relay may keep them back to the last."""
        self._expect(self._route.connect_timeout * len(lines))
        self._protocol.say(b"".join(lines), len(lines))

    async def _command(self, *words: bytes) -> Response:
        self._say(line(*words))
        return await self._reply()

    async def _reply(self) -> Response:
        response = await self._protocol.reply()
        if not self._protocol.awaited:
            self._deadline = inf
        return response

    async def _hand_over(self, envelope: Envelope) -> Response:
        more_time = partial(self._expect, self._route.data_timeout)  # for each part (RFC 5321, 4.5.3.2.5)
        more_time()
        self._protocol.say(envelope.data)
        if envelope.shared:
            if not await self._protocol.pour(envelope.shared, more_time):
                return await self._reply()  # it may have said why it hung up
            more_time()
            self._protocol.add(END)
        self.phase = Phase.DOT  # from here on, the relay may have the message
        return await self._reply()

    async def _reset(self) -> None:
        """Make the relay forget a refused transaction; if the refusal had a second reply, this fails."""
        response = await self._command(b"RSET")
        if response.code != OK:
            msg = "the relay did not answer RSET with 250"
            raise ConnectionError(msg)
        self._transaction_open = False

    def in_step(self, reply: Reply) -> bool:
        """Whether the session can go on after this reply: the phase allows it, and no other reply has come."""
        code = reply.code or 0
        proper = code // 100 in NO or (self.phase is Phase.DOT and code // 100 == YES)
        return proper and code != CLOSING and self.connected and self._protocol.resting

    @property
    def connected(self) -> bool:
        """False: the relay has hung up."""
        return self._protocol.connected

    @property
    def certificate(self) -> Mapping[str, Any]:
        """The relay's certificate, verified, as ssl.SSLSocket.getpeercert() has it; empty without TLS."""
        return self._protocol.info("peercert") or {}

    @property
    def closed(self) -> bool:
        """True: the connection is closed."""
        return self._protocol.lost.is_set()

    async def quit(self) -> None:
        """Say QUIT, wait a little for the reply, and close."""
        try:
            self._expect(GOODBYE.total_seconds())
            await self._protocol.command(b"QUIT")
        except WIRE_ERRORS:
            pass  # it has ended already
        finally:
            self.abort()
        await self.gone()

    def abort(self) -> None:
        """Close at once; whoever awaits a reply gets SMTPServerDisconnected."""
        if self._timer:
            self._timer.cancel()
        self._protocol.abort()

    async def gone(self) -> None:
        """Return when an aborted connection is closed, after one turn of the event loop or, with TLS, a few."""
        await self._protocol.lost.wait()

    def _expect(self, seconds: float) -> None:
        """Set the deadline for the reply to what is said next."""
        self._deadline = self.loop.time() + seconds
        if self._deadline < self._timer_at:
            if self._timer:
                self._timer.cancel()
            self._watch()

    def _watch(self) -> None:
        self._timer, self._timer_at = self.loop.call_at(self._deadline, self._look), self._deadline

    def _look(self) -> None:
        """End the session if its reply is overdue; watch on if the deadline lies ahead."""
        self._timer, self._timer_at = None, inf
        if self._deadline <= self.loop.time():
            self._overdue = True
            self.abort()
        elif self._deadline < inf:
            self._watch()


def _is_no(response: Response) -> bool:
    return response.code // 100 in NO
