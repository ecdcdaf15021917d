"""A scriptable HTTP server on a real socket, for tests of outbound calls.

    with Receiver(Say(503), Say(200, b'{"sendNotification": true}')) as receiver:
        ... call receiver.url ...
        assert receiver.requests[0].method == "GET"

Each request uses up one action of the script; the last one repeats until `act` sets another script.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import struct
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.helpers.waiting import SHORT, patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

DRIP = SHORT.total_seconds() / 10  # between two bytes of Drip: few of them before a time-out strikes
POURED = 10_000  # bytes that Pour sends at a time


@dataclass(frozen=True)
class Say:
    """Answer with this status and body; `close` announces that it hangs up afterwards."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False


@dataclass(frozen=True)
class Slow:
    """Answer 200 after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Reset:
    """Reset the connection instead of an answer."""


@dataclass(frozen=True)
class Raw:
    """Answer with exactly these bytes, then hang up."""

    data: bytes


@dataclass(frozen=True)
class Close:
    """Hang up without an answer."""


@dataclass(frozen=True)
class Hang:
    """Say nothing until the client goes away."""


@dataclass(frozen=True)
class Drip:
    """Answer 200 and then send one byte after another, without end."""


@dataclass(frozen=True)
class Pour:
    """Send `first` and then `again` without end; with `apart`, each in its own packet."""

    first: bytes
    again: bytes
    apart: bool = False


Action = Say | Slow | Reset | Raw | Close | Hang | Drip | Pour


@dataclass(frozen=True)
class Received:
    """A complete request."""

    method: str
    target: str
    headers: dict[str, str] = field(repr=False)  # names in lower case
    body: bytes = b""
    server_name: str | None = None  # what the client asked TLS for


class Receiver:
    """The server, in a thread of its own from `__enter__` to `__exit__`.

    `tls_name`: speaks TLS with a self-signed certificate for that name, which lies in `ca_file`. `port`: where an
    earlier one was.
    """

    def __init__(self, *script: Action, tls_name: str | None = None, port: int = 0, host: str = "127.0.0.1") -> None:
        self.host = host
        self.requests: list[Received] = []
        self.answered: list[Received] = []  # those that Say and Slow have answered
        self.hanging = 0  # requests that Hang keeps now
        self.hung: list[Received] = []  # those that Hang keeps, or has kept
        self.connections = 0  # opened so far
        self.port = port
        self._script = list(script)
        self._changed = threading.Condition()
        self._folder = tempfile.TemporaryDirectory()
        self._tls = self._certify(tls_name) if tls_name else None
        self._server_names: dict[object, str | None] = {}

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        return Path(self._folder.name) / "cert.pem"

    def act(self, *script: Action) -> None:
        """Follow this script from the next request on."""
        self._loop.call_soon_threadsafe(setattr, self, "_script", list(script))

    def hang_up(self) -> None:
        """Release all requests that Hang keeps, now and later."""
        self._loop.call_soon_threadsafe(self._let_go.set)

    def catch_up(self) -> None:
        """Return when it has read everything that was sent until now, also by clients that are gone."""
        with socket.create_connection((self.host, self.port)) as last:  # connections are accepted in their order
            port = last.getsockname()[1]
            wait_for(lambda: any(each.get_extra_info("peername")[1] == port for each in list(self._writers)))
        asyncio.run_coroutine_threadsafe(_some_rounds(), self._loop).result(patience())

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return as soon as the condition holds; AssertionError when it never does."""
        with self._changed:
            assert self._changed.wait_for(condition, patience()), "what the test waits for did not happen"

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        assert started.wait(patience()), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(patience())
        self._folder.cleanup()

    async def _serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._let_go = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(self._accept, self.host, self.port, ssl=self._tls, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stopping.wait()
        server.close()
        await asyncio.sleep(0)  # for those that were being accepted
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:  # a session that was ended before it began has closed nothing
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        task = self._loop.create_task(self._session(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.transport.abort() if self._tls else writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and what the script does about it; False: hang up."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (entry.partition(":") for entry in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = line.split(" ")
        server_name = self._server_names.get(writer.get_extra_info("ssl_object"))
        action = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        received = Received(method, target, headers, body, server_name)
        with self._changed:
            self.requests.append(received)
            self._changed.notify_all()
        if isinstance(action, Slow):
            await asyncio.sleep(action.seconds)
            action = Say(200)
        if isinstance(action, Hang):
            self.hung.append(received)
            await self._hang(reader)
        elif isinstance(action, Reset):
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif isinstance(action, Drip):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            while not reader.at_eof():
                writer.write(b" ")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(), DRIP)
        elif isinstance(action, Pour):
            writer.write(action.first)
            piece = action.again if action.apart else action.again * (POURED // len(action.again) + 1)
            while True:  # until the client hangs up
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        elif isinstance(action, Raw):
            writer.write(action.data)
            await writer.drain()
        elif isinstance(action, Say):
            length = "" if action.status == 204 else f"Content-Length: {len(action.body)}\r\n"
            more = "".join(f"{name}: {value}\r\n" for name, value in action.headers)
            more += "Connection: close\r\n" if action.close else ""
            writer.write(f"HTTP/1.1 {action.status} Scripted\r\n{length}{more}\r\n".encode("latin-1") + action.body)
            await writer.drain()
            self.answered.append(received)
            return not action.close
        return False

    async def _hang(self, reader: asyncio.StreamReader) -> None:
        """Return when the client has gone away, or at hang_up()."""
        self._count_hanging(1)
        gone, let_go = asyncio.ensure_future(reader.read()), asyncio.ensure_future(self._let_go.wait())
        try:
            await asyncio.wait((gone, let_go), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            let_go.cancel()
            self._count_hanging(-1)

    def _count_hanging(self, more: int) -> None:
        with self._changed:
            self.hanging += more
            self._changed.notify_all()

    def _certify(self, name: str) -> ssl.SSLContext:
        """Make a self-signed certificate, and the context that shows it."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, SHA256())
        )
        key_file = Path(self._folder.name) / "key.pem"
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key_file)
        context.sni_callback = self._note_name
        return context

    def _note_name(self, connection: object, name: str | None, _context: ssl.SSLContext) -> None:
        self._server_names[connection] = name


async def _some_rounds() -> None:
    """Some turns of the event loop, which read what has come: more than a new connection's first request needs."""
    for _ in range(20):
        await asyncio.sleep(0)
