"""An ASGI application on a real socket, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class Threaded:
    """Serves from `__enter__` to `__exit__`, at a port that is taken at once; `options` are uvicorn's."""

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", **options)
        self._server = uvicorn.Server(config)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        wait_for(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
