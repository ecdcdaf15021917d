"""The development inbox: a real SMTP server that keeps what it receives, for people and tests to look at.

One process receives, another shows: between them is a folder with a JSON file per message, named by arrival.
"""

from __future__ import annotations

import asyncio
import base64
import email
import json
import signal
import time
from datetime import UTC, datetime
from email import policy
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP

from engine.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session

KEPT = 10_000  # messages; older ones go
LARGEST = 32 * 1024 * 1024  # bytes of one message


class Inbox:
    """The received messages, oldest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self) -> int:
        """How many there are."""
        return len(self._files())

    def messages(self, recipient: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The newest `limit` messages (all, without one) in order of arrival, or those to one recipient."""
        found: list[dict[str, Any]] = []
        for path in reversed(self._files()):
            if limit is not None and len(found) >= limit:
                break
            try:
                kept = json.loads(path.read_bytes())
            except FileNotFoundError:  # cleared meanwhile
                continue
            if recipient is None or recipient.lower() in (address.lower() for address in kept["to"]):
                found.append(_shown(path.stem, kept))
        return found[::-1]

    def clear(self) -> None:
        """Forget all messages."""
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))


class _Keeper:
    """aiosmtpd's handler: writes each message to the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's name
        self._number += 1
        now = datetime.now(UTC)
        content = envelope.original_content or b""
        kept = {
            "received": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "from": envelope.mail_from or "",
            "to": envelope.rcpt_tos,
            "source": base64.b64encode(content).decode("ascii"),
        }
        name = f"{time.time_ns() // 1_000_000:013d}-{self._number % 1_000_000:06d}"
        await asyncio.to_thread(self._keep, name, json.dumps(kept, ensure_ascii=False, default=str))
        return f"250 2.0.0 kept as {name}"

    def _keep(self, name: str, text: str) -> None:
        unfinished = self._folder / f"{name}.tmp"
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")
        unfinished.rename(self._folder / f"{name}.json")
        if self._number % 100 == 0:
            for path in sorted(self._folder.glob("*.json"))[:-KEPT]:
                path.unlink(missing_ok=True)


async def serve(folder: Path, port: int, ready: Callable[[int], None]) -> None:
    """Receive mail on 127.0.0.1 until SIGTERM or SIGINT; `ready` gets the port. Misconfigured when it is taken."""
    loop = asyncio.get_running_loop()
    keeper = _Keeper(folder)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def session() -> SMTP:
        return SMTP(keeper, data_size_limit=LARGEST, enable_SMTPUTF8=True, hostname="inbox.varsel", loop=loop)

    try:
        server = await loop.create_server(session, "127.0.0.1", port)
    except OSError as error:
        raise Misconfigured(f"port {port} cannot be used ({error.strerror}): choose another") from None
    ready(server.sockets[0].getsockname()[1])
    async with server:
        await stop.wait()


def _shown(name: str, kept: dict[str, Any]) -> dict[str, Any]:
    source = base64.b64decode(kept["source"])
    message: EmailMessage = email.message_from_bytes(source, policy=policy.default)
    return {
        "id": name,
        "receivedAt": kept["received"],
        "envelope": {"from": kept["from"], "to": kept["to"]},
        "headers": [[header, str(value)] for header, value in message.items()],
        "subject": str(message["subject"] or ""),
        "text": _part(message, "plain"),
        "html": _part(message, "html"),
        "raw": source.decode("utf-8", "replace"),
    }


def _part(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body((subtype,))
    if part is None:
        return None
    payload = part.get_payload(decode=True)
    charset = part.get_content_charset("utf-8")
    return payload.decode(charset, "replace").replace("\r\n", "\n") if isinstance(payload, bytes) else None
