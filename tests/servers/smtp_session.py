"""One client's conversation with a ScriptedSMTP."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, SupportsIndex

from tests.servers.smtp_script import Close, Hang, KeepBack, Phase, Pour, Raw, Say, Slow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.servers.smtp import ScriptedSMTP

REPLIES: dict[Phase, str] = {
    "connect": "220 relay.example ESMTP",
    "starttls": "220 2.0.0 ready",
    "auth": "235 2.7.0 welcome",
    "mail": "250 2.1.0 sender ok",
    "rcpt": "250 2.1.5 recipient ok",
    "data": "354 go ahead",
    "dot": "250 2.0.0 queued",
    "rset": "250 2.0.0 forgotten",
    "noop": "250 2.0.0 here",
    "quit": "221 2.0.0 bye",
}


@dataclass
class Envelope:
    """A complete message, final dot included."""

    session: int
    mail_from: str
    options: list[str] = field(default_factory=list)  # of MAIL: "SIZE=2300", "SMTPUTF8"
    rcpt_tos: list[str] = field(default_factory=list)
    data: bytes = b""  # as it was before dot-stuffing
    accepted: bool = False  # answered with 250: the server has taken it over

    @property
    def message_id(self) -> str:
        return str(message_from_bytes(self.data.partition(b"\r\n\r\n")[0], policy=default)["Message-ID"])


class Reader(asyncio.StreamReader):
    """A stream that notices when the other end has gone away, even if nobody reads."""

    def __init__(self, pieces: list[bytes]) -> None:
        super().__init__(limit=64_000_000)
        self.gone = asyncio.Event()
        self._pieces = pieces

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self._pieces.append(bytes(data))
        super().feed_data(data)

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.gone.set()


class HungUp(Exception):
    """The session is over."""


class Session:
    """One client's conversation; pipelined commands are answered one after the other."""

    def __init__(self, server: ScriptedSMTP, number: int, reader: Reader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.number = number
        self.reader = reader
        self.writer = writer
        self.rude = False
        self.too_many = server.most is not None and server.open > server.most
        self.secure = server.tls == "implicit"
        self.known = server.credentials is None
        self.yes = False  # the last scriptable answer was one, and is sent
        self.kept_back = b""  # answers that go with the next one
        self.envelope: Envelope | None = None

    async def run(self) -> None:
        await self._answer("connect")
        while True:
            line = (await self.reader.readuntil(b"\n")).rstrip(b"\r\n").decode("utf-8", "backslashreplace")
            self.server.commands.append((self.number, line))
            verb, _, argument = line.partition(" ")
            handler = getattr(self, f"on_{verb.lower()}", None)
            await (handler(argument) if handler else self._say("500 5.5.2 what?"))

    async def on_ehlo(self, argument: str) -> None:
        lines = ["relay.example", *self.server.extensions]
        if self.server.tls == "starttls" and not self.secure:
            lines.append("STARTTLS")
        if self.server.credentials:
            lines.append("AUTH PLAIN LOGIN")
        self.envelope = None
        await self._answer("ehlo", argument, "\n".join(f"250 {line}" for line in lines))

    async def on_starttls(self, argument: str) -> None:
        if self.server.context and await self._answer("starttls", argument):
            await self.writer.start_tls(self.server.context)
            self.secure = True

    async def on_auth(self, argument: str) -> None:
        method, _, first = argument.partition(" ")
        if method.upper() == "PLAIN":
            _, user, password = base64.b64decode(first).decode().split("\0")
        else:
            user = base64.b64decode(first or await self._ask("VXNlcm5hbWU6")).decode()
            password = base64.b64decode(await self._ask("UGFzc3dvcmQ6")).decode()
        if (user, password) == self.server.credentials:
            self.known = await self._answer("auth", argument)
        else:
            await self._answer("auth", argument, "535 5.7.8 authentication credentials invalid")

    async def on_mail(self, argument: str) -> None:
        if not self.known:
            await self._answer("mail", argument, "530 5.7.0 authentication required")
        elif self.envelope:
            await self._answer("mail", argument, "503 5.5.1 nested MAIL command")
        elif await self._answer("mail", argument):
            path, *options = argument.split(" ")
            self.envelope = Envelope(self.number, path[len("FROM:<") : -1], options)

    async def on_rcpt(self, argument: str) -> None:
        if self.envelope is None:
            await self._answer("rcpt", argument, "503 5.5.1 MAIL first")
        elif await self._answer("rcpt", argument):
            self.envelope.rcpt_tos.append(argument[len("TO:<") :].partition(">")[0])

    async def on_data(self, argument: str) -> None:
        envelope = self.envelope or Envelope(self.number, "")
        usual = None if envelope.rcpt_tos else "503 5.5.1 RCPT first"
        if await self._answer("data", argument, usual):
            self.envelope = None
            envelope.data = await self._content()
            self.server.messages.append(envelope)
            try:
                await self._answer("dot")
            finally:
                envelope.accepted = self.yes
                self.server.wake()

    async def on_rset(self, argument: str) -> None:
        self.envelope = None
        await self._answer("rset", argument)

    async def on_noop(self, argument: str) -> None:
        await self._answer("noop", argument)

    async def on_quit(self, argument: str) -> None:
        await self._answer("quit", argument)
        raise HungUp

    async def _content(self) -> bytes:
        """Read up to the final dot and undo dot-stuffing; only CRLF ends a line, unless the server is lenient."""
        lines: list[bytes] = []
        while True:
            line = await self.reader.readuntil(b"\n")
            starts = self.server.lenient or not lines or lines[-1].endswith(b"\r\n")
            if starts and (line == b".\r\n" or (self.server.lenient and line == b".\n")):
                return b"".join(lines)
            lines.append(line.removeprefix(b".") if starts else line)

    async def _ask(self, challenge: str) -> str:
        await self._say(f"334 {challenge}")
        return (await self.reader.readuntil(b"\n")).decode().strip()

    async def _answer(self, phase: Phase, argument: str = "", usual: str | None = None) -> bool:
        """Do what the script says for this phase, or give the usual answer; True when that was a yes."""
        self.yes = False
        action = self.server.action(phase, self.number, argument)
        if self.too_many and phase == self.server.turn_away[0]:
            action = self.server.turn_away[1]
            self.server.turned_away += 1
        if isinstance(action, Hang):
            await self._hang()
            action = action.then
        if isinstance(action, Slow):
            await asyncio.sleep(action.seconds)
            action = None
        if isinstance(action, Close):
            self.rude = True
            raise HungUp
        if isinstance(action, Pour):
            await self._pour(action)
        if isinstance(action, Raw):
            data, close = action.data, action.close
        elif isinstance(action, Say):
            data, close = _wire("\n".join(f"{action.code} {line}" for line in action.text.split("\n"))), action.close
        else:
            data, close = _wire(usual or REPLIES[phase]), False
        self.kept_back += data
        if not isinstance(action, KeepBack):
            self.writer.write(self.kept_back)
            await self.writer.drain()
            self.kept_back = b""
        self.yes = data[:1] in (b"2", b"3")
        if close:
            raise HungUp
        return self.yes

    async def _say(self, reply: str) -> None:
        self.writer.write(_wire(reply))
        await self.writer.drain()

    async def _pour(self, action: Pour) -> None:
        self.writer.write(action.first)
        while not self.reader.gone.is_set():
            self.writer.write(action.again)
            await self.writer.drain()
            await asyncio.sleep(0)
        raise HungUp

    async def _hang(self) -> None:
        """Wait until released, or until the client has gone away."""
        released = asyncio.ensure_future(self.server.released())
        gone = asyncio.ensure_future(self.reader.gone.wait())
        try:
            await asyncio.wait((released, gone), return_when=asyncio.FIRST_COMPLETED)
            if not released.done():
                raise HungUp
        finally:
            released.cancel()
            gone.cancel()


def _wire(reply: str) -> bytes:
    """Return a reply as it is sent: `250-` before every line but the last (RFC 5321, 4.2.1)."""
    *lines, last = reply.split("\n")
    return "".join(f"{line[:3]}-{line[4:]}\r\n" for line in lines).encode() + f"{last}\r\n".encode()
