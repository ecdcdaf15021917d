"""A pooler in front of PostgreSQL that lets nobody in, with a different message each time."""

from __future__ import annotations

import socketserver
import threading
from itertools import count
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODES = b"SFATAL\0C08006\0"


class ClosedDoor:
    """Use it as a context; `knocks` is how many have come."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = count(1)
        self.knocks = 0
        door = self

        class Answer(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.recv(4096)
                door.knocks = next(door._numbers)
                body = _CODES + b"Mserver login failed, client %d\0\0" % door.knocks
                self.request.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer)
        self.url = f"postgresql://varsel:x@127.0.0.1:{self._server.server_address[1]}/varsel?sslmode=disable"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
