"""The development inbox: a real SMTP server that keeps what it receives, for people and tests to look at.

One process receives and another shows; they share a folder with a JSON file per message, named by arrival.
"""

from __future__ import annotations

import asyncio
import base64
import email
import json
import re
import signal
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import policy
from typing import IO, TYPE_CHECKING

from engine.db.records import Attachment
from engine.errors import NotFound
from engine.runtime.extras import demand
from engine.runtime.file_locks import take

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Container, Sequence
    from email.message import EmailMessage
    from pathlib import Path

    from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT = 10_000  # messages; older ones go
LARGEST = 32 * 1024 * 1024  # bytes of one message
LOCK = "inbox.lock"  # in the folder: who receives there
_ID = re.compile("[0-9]{16}")  # microseconds since 1970, one more when that is taken
_REFUSED_ONCE = re.compile(r"\+([45][0-9]{2})@")  # as in kari+550@example.no: to try out failures
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it arrived. Its texts fit into JSON and pages, whatever its bytes were, but are not escaped."""

    id: str
    received_at: datetime
    sender: str  # of the envelope; empty for a bounce
    recipients: tuple[str, ...]  # of the envelope
    headers: tuple[tuple[str, str], ...]  # decoded, in order; none when the parser cannot make sense of them
    text: str | None  # the plain part, line ends as LF
    html: str | None
    raw: str

    @property
    def attachments(self) -> Sequence[Attachment]:
        """The files and images that came with it; it is parsed for each call."""
        try:
            parts = email.message_from_string(self.raw, policy=policy.default).walk()
            return [_attachment(part) for part in parts if part.get_filename()]
        except Exception:  # noqa: BLE001 on malformed mail the parser raises whatever its bugs happen to raise
            return ()

    def header(self, name: str) -> str:
        """The first header of that name; empty without one."""
        return next((value for given, value in self.headers if given.lower() == name.lower()), "")


class Inbox:
    """The received messages. Blocks while it reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self) -> int:
        """How many there are."""
        return len(_names(self._folder))

    def ids(self) -> Sequence[str]:
        """The ids of all messages, in order of arrival."""
        return _names(self._folder)

    def messages(
        self, recipient: str | None = None, limit: int | None = None, known: Container[str] = ()
    ) -> list[Message]:
        """The newest `limit` messages (all, without one) in order of arrival, or those to one recipient.

        `known`: without those that have these ids. A message may appear after one that arrived later.
        """
        found: list[Message] = []
        for name in reversed(_names(self._folder)):
            if limit is not None and len(found) >= limit:
                break
            if name in known:
                continue
            try:
                message = self._read(name, recipient)
            except FileNotFoundError:  # cleared meanwhile
                continue
            if message:
                found.append(message)
        return found[::-1]

    def message(self, name: str) -> Message:
        """One message by its id; NotFound when there is none."""
        try:
            message = self._read(name) if _ID.fullmatch(name) else None
        except FileNotFoundError:
            message = None
        if message is None:
            raise NotFound("the inbox has no such message")
        return message

    def clear(self) -> None:
        """Forget all messages."""
        for name in _names(self._folder):
            _file(self._folder, name).unlink(missing_ok=True)

    def _read(self, name: str, recipient: str | None = None) -> Message | None:
        """None: it went to others."""
        kept = json.loads(_file(self._folder, name).read_bytes())
        if recipient is not None and recipient.lower() not in (address.lower() for address in kept["to"]):
            return None
        source = base64.b64decode(kept["source"])
        headers, text, html = _parse(source)
        received = _EPOCH + timedelta(microseconds=int(name))
        return Message(name, received, kept["from"], tuple(kept["to"]), headers, text, html, _decode(source, "utf-8"))


class _Keeper:
    """aiosmtpd's handler: writes each message to the folder."""

    def __init__(self, folder: Path) -> None:
        for unfinished in folder.glob("*.tmp"):
            unfinished.unlink()
        self._folder = folder
        self._names = deque(_names(folder))
        self._refused: set[str] = set()  # addresses whose first attempt was

    async def handle_EHLO(  # noqa: N802 aiosmtpd's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, offers: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*offers[:-1], "250-PIPELINING", offers[-1]]  # aiosmtpd reads commands one by one, however they come

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        wanted = _REFUSED_ONCE.search(address)
        if wanted and address not in self._refused:
            if len(self._refused) >= KEPT:
                self._refused.clear()
            self._refused.add(address)
            return f"{wanted[1]} {wanted[1][0]}.1.1 the development inbox refuses the first attempt to such an address"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's name
        previous = int(self._names[-1]) if self._names else 0  # the clock may stand still, or be set back
        name = f"{max(time.time_ns() // 1000, previous + 1):016d}"
        self._names.append(name)
        kept = {
            "from": _printable(envelope.mail_from or ""),
            "to": [_printable(address) for address in envelope.rcpt_tos],
            "source": base64.b64encode(envelope.original_content or b"").decode("ascii"),
        }
        try:
            await asyncio.to_thread(self._keep, name, json.dumps(kept))
        except OSError as error:
            return f"452 4.3.1 the message cannot be kept: {error.strerror}"
        return f"250 2.0.0 kept as {name}"

    def _keep(self, name: str, text: str) -> None:
        unfinished = self._folder / f"{name}.tmp"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.rename(_file(self._folder, name))
        while len(self._names) > KEPT:
            _file(self._folder, self._names.popleft()).unlink(missing_ok=True)


def demand_receiver() -> None:
    """Raise Misconfigured if no receiver of mail is installed."""
    demand(
        "aiosmtpd", "embedded", "the development inbox needs an extra; install it, or set VARSEL_SMTP_URL to a relay"
    )


async def serve(folder: Path, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Receive mail until SIGTERM or SIGINT; `ready` is called when it can. Misconfigured when another one receives."""
    demand_receiver()
    with _occupied(folder):
        await _receive(folder, listener, ready)


def _occupied(folder: Path) -> IO[str]:
    """The lock on the folder, which is made if missing: two receivers would remove each other's unfinished files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return take(folder / LOCK, f"{folder} is in use by another inbox")


async def _receive(folder: Path, listener: socket.socket, ready: Callable[[], None]) -> None:
    from aiosmtpd.smtp import SMTP  # noqa: PLC0415 whoever only reads an inbox needs no aiosmtpd, an extra

    loop = asyncio.get_running_loop()
    keeper = _Keeper(folder)
    stop = asyncio.Event()

    def session() -> SMTP:
        return SMTP(keeper, data_size_limit=LARGEST, enable_SMTPUTF8=True, hostname="inbox.varsel", loop=loop)

    server = await loop.create_server(session, sock=listener)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        ready()
        await stop.wait()
    finally:
        server.close()  # not waiting for clients to hang up: theirs are connections that are kept open for reuse
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.json") if _ID.fullmatch(path.stem))


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def _parse(source: bytes) -> tuple[tuple[tuple[str, str], ...], str | None, str | None]:
    """Headers, plain part and HTML part, without parts that the parser cannot read: the raw text has them."""
    try:
        message: EmailMessage = email.message_from_bytes(source, policy=policy.default)
        headers = tuple((name, _printable(str(value))) for name, value in message.items())
        return headers, _part(message, "plain"), _part(message, "html")
    except Exception:  # noqa: BLE001 on malformed mail the parser raises whatever its bugs happen to raise
        return (), None, None


def _attachment(part: EmailMessage) -> Attachment:
    content = part.get_payload(decode=True)
    named = str(part.get("Content-ID", "")).strip("<> ") or None
    name = _printable(part.get_filename() or "")
    return Attachment(name, part.get_content_type(), named, content if isinstance(content, bytes) else b"")


def _part(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body((subtype,))
    payload = part.get_payload(decode=True) if part else None
    if part is None or not isinstance(payload, bytes):
        return None
    return _decode(payload, part.get_content_charset("utf-8")).replace("\r\n", "\n")


def _decode(data: bytes, charset: str) -> str:
    try:
        return _printable(data.decode(charset, "replace"))
    except (LookupError, UnicodeError):  # no such charset, or one that is none for text
        return data.decode("utf-8", "replace")


def _printable(text: str) -> str:
    """Replace surrogates, which no answer could encode: they stand for bytes that were not UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
