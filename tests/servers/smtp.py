"""A scriptable SMTP server on a real socket, for tests that send mail.

    with ScriptedSMTP({"rcpt": Say(450, "4.2.0 later"), "dot": [Close(), Say(554, "5.7.1 spam")]}) as server:
        ... send to server.url ...
        server.wait_for(lambda: len(server.accepted) == 1)

It answers like a well-behaved relay unless its script says otherwise, and remembers everything it was told.
The script may be replaced (`server.script = {...}`) while the server runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.helpers.waiting import patience
from tests.servers.smtp_script import Action, Phase, Say, Script, Step
from tests.servers.smtp_session import Envelope, HungUp, Reader, Session

if TYPE_CHECKING:
    from types import TracebackType

EXTENSIONS = ("PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")


class ScriptedSMTP:
    """The server, in a thread of its own from `__enter__` to `__exit__`.

    `tls`: "starttls" offers it, "implicit" speaks it from the start; the self-signed certificate (for `cert_name`,
    beside 127.0.0.1 unless `cert_name` is given) lies in `ca_file`. `credentials`: MAIL needs AUTH first.
    `most`: sessions that are let in at once; a further one is turned away in the phase that `turn_away` names.
    `lenient`: takes LF . LF for the end of a message too, like the servers that SMTP smuggling needs.
    """

    def __init__(  # noqa: PLR0913  # every one of them is something a relay may be
        self,
        script: Script | None = None,
        *,
        extensions: Sequence[str] | None = None,
        tls: Literal["starttls", "implicit"] | None = None,
        cert_name: str | None = None,
        credentials: tuple[str, str] | None = None,
        lenient: bool = False,
        most: int | None = None,
        turn_away: tuple[Phase, Action] | None = None,
        port: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.messages: list[Envelope] = []
        self.commands: list[tuple[int, str]] = []  # session, line
        self.pieces: list[bytes] = []  # as they came from the network, without TLS
        self.sessions = 0  # opened so far
        self.open = 0  # open now
        self.ended: set[int] = set()  # sessions
        self.peak = 0  # most that were open at once
        self.host = host
        self.port = port
        self.extensions = EXTENSIONS if extensions is None else tuple(extensions)
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
        return f"{scheme}://{user}{self.host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        return Path(self._folder.name) / "cert.pem"

    def verbs(self, session: int | None = None) -> list[str]:
        """The commands without their arguments, of one session or of all in order of arrival."""
        return [line.split(" ")[0].upper() for of, line in list(self.commands) if session in (None, of)]

    def count(self, phase: Phase) -> int:
        """How often sessions have come to a phase; with Hang, it tells that one hangs there."""
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
            lambda: asyncio.StreamReaderProtocol(Reader(self.pieces), self._accept),
            self.host,
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
        assert isinstance(reader, Reader)
        task = asyncio.get_running_loop().create_task(self._session(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _let_go(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    # What sessions call

    def action(self, phase: Phase, session: int, argument: str) -> Action | None:
        """Count the step, and return the script's action."""
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

    async def _session(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        self.open += 1
        self.peak = max(self.peak, self.open)
        session = Session(self, self.sessions, reader, writer)
        try:
            await session.run()
        except (OSError, asyncio.IncompleteReadError, HungUp):
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
