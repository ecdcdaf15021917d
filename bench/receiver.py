"""`python -m bench.receiver PORT`: answers every POST with 204, except to /hang, and remembers when it came.

GET /count returns how many came and when (Unix time) the last one came, GET /arrivals the times by path.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

import uvloop

ACCEPTED = b"HTTP/1.1 204 No Content\r\n\r\n"
HANG = "/hang"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Log:
    """The POSTs that came."""

    def __init__(self) -> None:
        self.count = 0
        self.last = 0.0
        self.arrivals: dict[str, list[float]] = {}

    def note(self, path: str) -> None:
        """Note a complete POST."""
        self.count += 1
        self.last = time.time()
        self.arrivals.setdefault(path, []).append(self.last)

    def tell(self, path: str) -> bytes:
        """Answer a GET."""
        told: Any = self.arrivals if path == "/arrivals" else {"count": self.count, "last": self.last}
        body = json.dumps(told).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Receiver(asyncio.Protocol):
    """A connection, which may carry many requests."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n") + 4) > 3:
            head = self._received[:end]
            length = _LENGTH.search(head)
            end += int(length[1]) if length else 0
            if len(self._received) < end:
                return
            self._received = self._received[end:]
            method, path, _ = head.split(b" ", 2)
            self._answer(method, path.decode())

    def _answer(self, method: bytes, path: str) -> None:
        if method == b"GET":
            self._transport.write(self._log.tell(path))
        elif path != HANG:
            self._log.note(path)
            self._transport.write(ACCEPTED)


async def serve(port: int) -> None:
    """Receive until the process is ended."""
    log = Log()
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(log), "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
