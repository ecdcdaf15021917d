"""Commands to the relay and its replies: replies are bounded, read once, and only taken when one is due."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from aiosmtplib import SMTPException, SMTPResponse, SMTPResponseException, SMTPServerDisconnected

from engine.email.smtp.replies import Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

LONGEST_REPLY = 16 * 1024  # bytes; RFC 5321, 4.5.3.1.5 has 512 for a line
LONGEST_LINE = 8 * 1024
POURED = 256 * 1024  # bytes of a message that are written at a time
LINE = re.compile(rb"[0-9]{3}[- \r\n]")  # the beginning of each line of a reply (RFC 5321, 4.2)
MOST_LINES = 100  # of one reply; the longest in use, EHLO's, have about twenty
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")  # in a command, one could begin another command

Response: TypeAlias = SMTPResponse  # code and text
WIRE_ERRORS = (SMTPException, OSError)  # OSError: also time-outs and TLS


class Protocol(asyncio.Protocol):
    """A connection to the relay, on asyncio's transport. Each command has one reply, in the commands' order.

    Commands may be said at once (RFC 2920); their replies are read before anything else is said.

    SMTPServerDisconnected: the relay has hung up, or Varsel has. SMTPException: the relay replied out of turn.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None  # None: not yet, or no more
        self.lost = asyncio.Event()  # set when the connection is closed
        self._awaited: deque[asyncio.Future[Response]] = deque()  # replies that have not been read, in their order
        self._writable = asyncio.Event()
        self._writable.set()
        self._received = bytearray()
        self._line_at = 0  # where the incomplete line begins
        self._looked_at = 0  # up to here, all line ends are found
        self._lines = 0  # of the incomplete reply

    @property
    def connected(self) -> bool:
        """False: the relay has hung up, or Varsel has."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def awaited(self) -> int:
        """How many replies have not been read yet."""
        return len(self._awaited)

    @property
    def resting(self) -> bool:
        """Whether all that was said has been written and answered, and nothing came after the last reply."""
        written = self.transport is not None and self.transport.get_write_buffer_size() == 0
        return written and not self._awaited and not self._received

    def info(self, what: str) -> Any:
        """The transport's `get_extra_info`; see asyncio."""
        return self.transport.get_extra_info(what) if self.transport else None

    async def command(self, *words: bytes) -> Response:
        """Say a command; return its reply. ValueError: a word has a control character."""
        self.say(line(*words))
        return await self.reply()

    def say(self, data: bytes, replies: int = 1) -> None:
        """Say something that has so many replies, unless an unasked one has come: it would be taken for the first."""
        if self._received:
            msg = "the relay replied more often than it was asked"
            raise SMTPException(msg)
        if self.transport is None or self.transport.is_closing():
            raise SMTPServerDisconnected("Connection lost")
        loop = asyncio.get_running_loop()
        self._awaited.extend(loop.create_future() for _ in range(replies))
        self.transport.write(data)

    async def pour(self, data: bytes, goes_on: Callable[[], None]) -> bool:
        """Say more of a message, as fast as the relay takes it, without a copy; False: the connection has ended.

        `goes_on` is called whenever the relay can take more.
        """
        view = memoryview(data)
        for start in range(0, len(view), POURED):
            await self._writable.wait()
            if not self.connected:
                return False
            goes_on()
            self.add(view[start : start + POURED])
            await asyncio.sleep(0)  # a relay that takes all at once must not keep others waiting
        return self.connected

    def add(self, data: bytes | memoryview) -> None:
        """Say more of a message, now."""
        if self.transport is not None:
            self.transport.write(data)

    def pause_writing(self) -> None:
        """The relay takes nothing at the moment."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()

    async def reply(self) -> Response:
        """Return the next reply; before anything was said, the greeting."""
        if not self._awaited:
            raise SMTPServerDisconnected("Connection lost")
        try:
            return await self._awaited[0]
        finally:
            self._awaited.popleft()

    async def start_tls(self, context: SSLContext, host: str, within: float) -> None:
        """Go on in TLS; what followed the reply to STARTTLS came in clear and is dropped (RFC 3207, 4.2)."""
        if self.transport is None or self.transport.is_closing():
            raise SMTPServerDisconnected("Connection lost")
        self._received.clear()
        self.transport = await asyncio.get_running_loop().start_tls(
            self.transport, self, context, server_hostname=host, ssl_handshake_timeout=within
        )

    def abort(self) -> None:
        """Hang up at once: with TLS, a silent relay would delay a polite close by half a minute."""
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # TLS or not, asyncio's or uvloop's
        self._awaited.append(asyncio.get_running_loop().create_future())

    def connection_lost(self, exc: Exception | None) -> None:
        error = SMTPServerDisconnected("Connection lost")
        error.__cause__ = exc
        self._fail(error)
        self.transport = None
        self._writable.set()
        self.lost.set()

    def eof_received(self) -> None:
        self._fail(SMTPServerDisconnected("Unexpected EOF received"))

    def data_received(self, data: bytes) -> None:
        """Take in what the relay says; a reply that does not end, or is not due, ends the connection."""
        if not self._awaited:
            self.abort()
        elif self._awaited[-1].done():
            self._received += data[:1]  # enough to see that it spoke again
        else:
            self._received += data
            for awaited in self._awaited:
                if not awaited.done() and not self._look_for_end(awaited):
                    return

    def _look_for_end(self, awaited: asyncio.Future[Response]) -> bool:
        """Read a reply if it is complete; returns whether it is."""
        received = self._received
        while (end := received.find(b"\n", self._looked_at)) >= 0:
            begin, self._line_at = self._line_at, end + 1
            self._looked_at = end + 1
            self._lines += 1
            if not LINE.match(received, begin):
                self._give_up(f"this is no reply: {received[begin:end].decode('utf-8', 'replace')}")
                return False
            if end - begin >= LONGEST_LINE:
                self._give_up("a line of the relay's reply is too long")
                return False
            if received[begin + 3 : begin + 4] != b"-":
                self._line_at = self._looked_at = self._lines = 0
                awaited.set_result(read_reply(bytes(received[: end + 1])))
                del received[: end + 1]
                return True
        self._looked_at = len(received)
        if self._looked_at > LONGEST_REPLY or self._lines >= MOST_LINES:
            self._give_up("the relay's reply does not end")
        return False

    def _give_up(self, why: str) -> None:
        self._fail(SMTPServerDisconnected(why))
        self.abort()

    def _fail(self, error: SMTPException) -> None:
        for awaited in self._awaited:
            if not awaited.done():
                awaited.set_exception(error)
                awaited.exception()  # marks it as seen: perhaps nobody awaits it any more


def line(*words: bytes) -> bytes:
    """Return a command as it is said; ValueError: a word has a control character."""
    if any(CONTROL.search(word) for word in words):
        msg = "a command has a control character"
        raise ValueError(msg)
    return b" ".join(words) + b"\r\n"


def read_reply(lines: bytes) -> Response:
    """Return code and text of a complete reply; the lines of the text are stripped."""
    *_, last = said = lines.removesuffix(b"\n").split(b"\n")
    text = b"\n".join(line[4:].strip(b" \t\r\n") for line in said)
    return Response(int(last[:3]), text.lstrip(b"\n").decode("utf-8", "surrogateescape"))


def last_words(error: Exception) -> Reply:
    """Translate an error of the connection or the system; if the relay replied, its own reply."""
    if isinstance(error, SMTPResponseException):
        return Reply.of(error.code, error.message)
    return Reply.of(None, "no reply in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__)
