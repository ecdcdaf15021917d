"""A scriptable SMTP server on a real socket, for tests of whatever sends mail.

    with ScriptedSMTP({"rcpt": Say(450, "4.2.0 later"), "dot": [Close(), Say(554, "5.7.1 spam")]}) as server:
        ... send to server.url ...
        server.wait_for(lambda: len(server.accepted) == 1)

It answers like a well-behaved relay unless its script says otherwise, and remembers everything it was told.
The script may be replaced (`server.script = {...}`) while the server runs.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import ipaddress
import ssl
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.helpers.waiting import patience

if TYPE_CHECKING:
    from types import TracebackType

Phase = Literal["connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "dot", "rset", "noop", "quit"]

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
EXTENSIONS = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True)
class Say:
    """Answer with this code and text (a line per newline); with `close`, hang up behind it."""

    code: int
    text: str
    close: bool = False


@dataclass(frozen=True)
class Raw:
    """Answer with exactly these bytes; with `close`, hang up behind them."""

    data: bytes
    close: bool = False


@dataclass(frozen=True)
class Close:
    """Hang up without an answer."""


@dataclass(frozen=True)
class Hang:
    """Say nothing until `server.release()`, then go on as `then` says (None: as a well-behaved relay)."""

    then: Say | Raw | Close | None = None


@dataclass(frozen=True)
class Slow:
    """Wait for so many seconds, then go on as a well-behaved relay."""

    seconds: float


@dataclass(frozen=True)
class Pour:
    """Send `first` and then `again` without end, each in a packet of its own, until the client hangs up."""

    first: bytes
    again: bytes


Action = Say | Raw | Close | Hang | Slow | Pour


@dataclass(frozen=True)
class Step:
    """Where a session is: what a script function decides by."""

    phase: Phase
    n: int  # how often any session was in this phase before
    session: int  # counted from 1
    argument: str  # of the command: "FROM:<a@example.no>"; empty at connect and dot


# None, or a phase that is not there: behave. A list is used up, one action each time. A function decides.
Script = Callable[[Step], Action | None] | Mapping[Phase, Action | Sequence[Action]]


@dataclass
class Envelope:
    """A message that came in completely, final dot included."""

    session: int
    mail_from: str
    options: list[str] = field(default_factory=list)  # of MAIL: "SIZE=2300", "SMTPUTF8"
    rcpt_tos: list[str] = field(default_factory=list)
    data: bytes = b""  # as it was before dot-stuffing
    accepted: bool = False  # answered with 250: the server has taken it over

    @property
    def message_id(self) -> str:
        return str(message_from_bytes(self.data.partition(b"\r\n\r\n")[0], policy=default)["Message-ID"])


class ScriptedSMTP:
    """The server, in a thread of its own from `__enter__` to `__exit__`.

    `tls`: "starttls" offers it, "implicit" speaks it from the start; the self-signed certificate (for `cert_name`,
    beside 127.0.0.1 unless `cert_name` is given) lies in `ca_file`. `credentials`: MAIL needs AUTH first.
    `most`: so many sessions at once are let in; a further one is turned away, as `turn_away` says, in its phase.
    `lenient`: takes LF . LF for the end of a message too, like the servers that SMTP smuggling needs.
    """

    def __init__(  # noqa: PLR0913  # every one of them is something a relay may be
        self,
        script: Script | None = None,
        *,
        extensions: Sequence[str] = EXTENSIONS,
        tls: Literal["starttls", "implicit"] | None = None,
        cert_name: str | None = None,
        credentials: tuple[str, str] | None = None,
        lenient: bool = False,
        most: int | None = None,
        turn_away: tuple[Phase, Action] | None = None,
        port: int = 0,
    ) -> None:
        self.messages: list[Envelope] = []
        self.commands: list[tuple[int, str]] = []  # session, line
        self.sessions = 0  # opened so far
        self.open = 0  # open now
        self.ended: set[int] = set()  # sessions
        self.peak = 0  # most that were open at once
        self.port = port
        self.extensions = tuple(extensions)
        self.credentials = credentials
        self.lenient = lenient
        self.most = most
        self.turn_away = turn_away or ("connect", Say(421, "4.7.0 too many connections from you", close=True))
        self.turned_away = 0  # sessions
        self.tls = tls
        self._cert_name = cert_name
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._folder = tempfile.TemporaryDirectory()
        self.context = self._certify() if tls else None
        self.script = script or {}

    # What tests read and do

    @property
    def script(self) -> Script:
        return self._script

    @script.setter
    def script(self, script: Script) -> None:
        self._script = script
        if callable(script):
            self._decide = script
            return
        plan = {phase: deque(plan) if isinstance(plan, Sequence) else plan for phase, plan in script.items()}

        def decide(step: Step) -> Action | None:
            action = plan.get(step.phase)
            if isinstance(action, deque):
                return action.popleft() if action else None
            return action

        self._decide = decide

    @property
    def accepted(self) -> list[Envelope]:
        return [envelope for envelope in self.messages if envelope.accepted]

    @property
    def url(self) -> str:
        scheme = {"starttls": "smtp+starttls", "implicit": "smtps", None: "smtp"}[self.tls]
        user = ":".join(quote(part, safe="") for part in self.credentials) + "@" if self.credentials else ""
        return f"{scheme}://{user}127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        return Path(self._folder.name) / "cert.pem"

    def verbs(self, session: int | None = None) -> list[str]:
        """The commands without their arguments, of one session or of all in order of arrival."""
        return [line.split(" ")[0].upper() for of, line in list(self.commands) if session in (None, of)]

    def count(self, phase: Phase) -> int:
        """How often sessions have come to a phase: with Hang, how to know that one hangs there."""
        return self._counts[phase]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return as soon as the condition holds; AssertionError when it never does."""
        with self._changed:
            assert self._changed.wait_for(condition, patience()), "what the test waits for did not happen"

    def release(self) -> None:
        """Let every session that hangs now go on."""
        self._loop.call_soon_threadsafe(self._let_go)

    # The thread

    def __enter__(self) -> Self:
        started: threading.Event = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        assert started.wait(patience()), "the server did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(patience())
        self._folder.cleanup()

    async def _serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await self._loop.create_server(
            lambda: asyncio.StreamReaderProtocol(_Reader(), self._accept),
            "127.0.0.1",
            self.port,
            ssl=self.context if self.tls == "implicit" else None,
            backlog=1000,
        )
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stopping.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, _Reader)
        task = asyncio.get_running_loop().create_task(self._session(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _let_go(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    # What sessions call

    def action(self, phase: Phase, session: int, argument: str) -> Action | None:
        """Count the step, and return what the script wants done."""
        step = Step(phase, self._counts[phase], session, argument)
        self._counts[phase] += 1
        self.wake()
        return self._decide(step)

    def wake(self) -> None:
        """Let wait_for() look at its condition again."""
        with self._changed:
            self._changed.notify_all()

    async def released(self) -> None:
        """Return at the next release()."""
        await self._released.wait()

    async def _session(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.open += 1
        self.peak = max(self.peak, self.open)
        session = _Session(self, self.sessions, reader, writer)
        try:
            await session.run()
        except (OSError, asyncio.IncompleteReadError, _HungUp):
            pass  # the client's or the script's way to end it
        finally:
            self.open -= 1
            self.ended.add(session.number)
            writer.transport.abort() if session.rude else writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self.wake()

    # TLS

    def _certify(self) -> ssl.SSLContext:
        """Make a self-signed certificate, and the context that shows it."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.example")])
        names: list[x509.GeneralName] = [x509.DNSName(self._cert_name or "localhost")]
        if self._cert_name is None:
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, SHA256())
        )
        key_file = Path(self._folder.name) / "key.pem"
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key_file)
        return context


class _Reader(asyncio.StreamReader):
    """A stream that also says when its other end has gone away, though nobody reads."""

    def __init__(self) -> None:
        super().__init__(limit=64_000_000)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.gone.set()


class _HungUp(Exception):
    """The session is over."""


class _Session:
    """One client's conversation; commands that came pipelined are answered one after the other."""

    def __init__(self, server: ScriptedSMTP, number: int, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.number = number
        self.reader = reader
        self.writer = writer
        self.rude = False
        self.too_many = server.most is not None and server.open > server.most
        self.secure = server.tls == "implicit"
        self.known = server.credentials is None
        self.yes = False  # the last scriptable answer was one, and is sent
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
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self._answer("data", argument, "503 5.5.1 RCPT first")
        elif await self._answer("data", argument):
            envelope, self.envelope = self.envelope, None
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
        raise _HungUp

    async def _content(self) -> bytes:
        """Read up to the final dot and take the stuffing out; only CRLF ends a line, unless the server is lenient."""
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
            raise _HungUp
        if isinstance(action, Pour):
            await self._pour(action)
        if isinstance(action, Raw):
            data, close = action.data, action.close
        elif isinstance(action, Say):
            data, close = _wire("\n".join(f"{action.code} {line}" for line in action.text.split("\n"))), action.close
        else:
            data, close = _wire(usual or REPLIES[phase]), False
        self.writer.write(data)
        await self.writer.drain()
        self.yes = data[:1] in (b"2", b"3")
        if close:
            raise _HungUp
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
        raise _HungUp

    async def _hang(self) -> None:
        """Wait until released, or until the client has gone away."""
        released = asyncio.ensure_future(self.server.released())
        gone = asyncio.ensure_future(self.reader.gone.wait())
        try:
            await asyncio.wait((released, gone), return_when=asyncio.FIRST_COMPLETED)
            if not released.done():
                raise _HungUp
        finally:
            released.cancel()
            gone.cancel()


def _wire(reply: str) -> bytes:
    """Return a reply as it is sent: `250-` before every line but the last (RFC 5321, 4.2.1)."""
    *lines, last = reply.split("\n")
    return "".join(f"{line[:3]}-{line[4:]}\r\n" for line in lines).encode() + f"{last}\r\n".encode()
