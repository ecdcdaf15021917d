"""`python -m bench.stamps PORT FILE [DELAY]`: a relay that takes every mail, and writes when, and for whom.

It answers what comes in one write after DELAY seconds. A line of the file is a mail: the Unix time of its 250, and the
recipient's address.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from io import BufferedWriter

END = b"\r\n.\r\n"  # of a message (RFC 5321, 4.1.1.4)
EXTENSIONS = b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


class Session(asyncio.Protocol):
    """A connection, which may carry many mails."""

    def __init__(self, stamps: BufferedWriter, delay: float) -> None:
        self._stamps = stamps
        self._delay = delay
        self._received = b""
        self._recipient = b""
        self._in_message = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        received, place, replies, taken = self._received + data, 0, [], []
        while (end := received.find(END if self._in_message else b"\r\n", place)) >= 0:
            if self._in_message:
                self._in_message = False
                replies.append(b"250 taken\r\n")
                taken.append(self._recipient)
                place = end + len(END)
            else:
                replies.append(self._reply(received[place:end]))
                place = end + 2
        self._received = received[place:]
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._answer, replies, taken)
        else:
            self._answer(replies, taken)

    def _answer(self, replies: Sequence[bytes], taken: Sequence[bytes]) -> None:
        for recipient in taken:
            self._stamps.write(b"%.4f %b\n" % (time.time(), recipient))
        self._transport.write(b"".join(replies))
        self._stamps.flush()

    def _reply(self, command: bytes) -> bytes:
        match command[:4].upper():
            case b"EHLO":
                return EXTENSIONS
            case b"RCPT":
                self._recipient = command.partition(b"<")[2].partition(b">")[0]
            case b"DATA":
                self._in_message = True
                return b"354 go ahead\r\n"
            case b"QUIT":
                return b"221 bye\r\n"
        return b"250 ok\r\n"


async def serve(port: int, file: Path, delay: float) -> None:
    """Take mails until the process is ended."""
    with file.open("ab") as stamps:
        server = await asyncio.get_running_loop().create_server(lambda: Session(stamps, delay), "127.0.0.1", port)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else 0.0))
