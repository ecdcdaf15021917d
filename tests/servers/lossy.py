"""A proxy to a PostgreSQL that loses the answer to a commit: it is done, and the client does not learn of it.

with Lossy(url) as way:
    store = Store(way.url)
    way.lose(b"INSERT INTO emails")  # the answer to the next commit of a transaction that says so
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from tests.helpers.waiting import patience

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = ".s.PGSQL.5432"
_DONE = b"C\0\0\0\x0bCOMMIT\0"  # CommandComplete (PostgreSQL's protocol, 55.7)


class Lossy:
    """A proxy on a unix socket of its own; use it as a context."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = f"{parse_qs(parts.query)['host'][0]}/{_NAME}"
        self._folder = tempfile.TemporaryDirectory()
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path}?host={self._folder.name}"
        self._lost = threading.Event()
        self._text = b""

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(self._folder.name) / _NAME))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._folder.cleanup()

    def lose(self, text: bytes) -> None:
        """Lose the answer to the next commit of a transaction that has a statement with this text."""
        self._lost.clear()
        self._text = text

    def await_loss(self) -> None:
        """AssertionError when no answer was lost."""
        assert self._lost.wait(patience())

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            _Pair(self, client, server)

    def is_meant(self, said: bytes) -> bool:
        """Whether this belongs to the transaction whose answer is to be lost."""
        return bool(self._text) and self._text in said

    def told(self) -> None:
        """An answer was lost."""
        self._text = b""
        self._lost.set()


class _Pair:
    """One connection: what the client says, and what the server answers."""

    def __init__(self, way: Lossy, client: socket.socket, server: socket.socket) -> None:
        self._way = way
        self._meant = False
        threading.Thread(target=self._pump, args=(client, server, self._hear), daemon=True).start()
        threading.Thread(target=self._pump, args=(server, client, self._answer), daemon=True).start()

    def _pump(self, its: socket.socket, other: socket.socket, let_through: Callable[[bytes], bool]) -> None:
        with contextlib.suppress(OSError):
            while (data := its.recv(1 << 20)) and let_through(data):
                other.sendall(data)
        for end in (its, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        its.close()

    def _hear(self, said: bytes) -> bool:
        self._meant = self._meant or self._way.is_meant(said)
        return True

    def _answer(self, data: bytes) -> bool:
        if self._meant and _DONE in data:
            self._way.told()
            return False
        return True
