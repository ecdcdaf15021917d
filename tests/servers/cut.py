"""A way to an HTTP server that can be cut: the request arrives, its answer does not."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Cut:
    """Hands connections on to `address`; `cut()` closes the next one when the server answers. Use it as a context."""

    def __init__(self, address: str) -> None:
        self._to = urlsplit(address).hostname, urlsplit(address).port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self.answers = 0  # of the server, those that were cut among them
        self._cuts = 0

    def cut(self, times: int = 1) -> None:
        self._cuts = times

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._to) as server, suppress(OSError):
            threading.Thread(target=self._hand_on, args=(client, server), daemon=True).start()
            while answer := server.recv(65_536):
                self.answers += 1
                if self._cuts:
                    self._cuts -= 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(answer)

    def _hand_on(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while asked := client.recv(65_536):
                server.sendall(asked)
            server.shutdown(socket.SHUT_WR)
