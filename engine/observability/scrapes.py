"""Scrapes of a worker or scheduler by Prometheus: a server with few and short connections."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from engine.settings.hosts import FOREIGN, is_own

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.settings import Settings

MOST = 16  # connections at once: a scraper needs one
LONGEST = 10.0  # seconds of a connection, whatever it sends meanwhile


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
        """Log no scrape."""


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each connection in a thread, one request each; the oldest ends when there are too many."""

    daemon_threads = True

    def __init__(self, host: str, port: int, longest: float) -> None:
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self._longest = longest
        self._open: dict[socket.socket, float] = {}  # when each began, the oldest first
        super().__init__((host, port), _Quiet)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open[request] = time.monotonic()
        if len(self._open) > MOST:
            self._hang_up(next(iter(self._open)))
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called every half second."""
        for request, began in list(self._open.items()):
            if time.monotonic() - began > self._longest:
                self._hang_up(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""

    def _hang_up(self, request: socket.socket) -> None:
        self._open.pop(request, None)
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)


def serve(config: Settings, port: int, longest: float = LONGEST) -> WSGIServer:
    """Answer on the port of VARSEL_METRICS_HOST, in a thread; OSError when the port cannot be opened."""
    server = _Server(config.metrics_host, port, longest)
    counted = make_wsgi_app()

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if is_own(environ.get("HTTP_HOST", ""), config):
            return counted(environ, start_response)  # type: ignore[no-any-return]  # prometheus_client types no app
        start_response("421 Misdirected Request", [("Content-Type", "text/plain; charset=utf-8")])
        return [FOREIGN.encode()]

    server.set_app(answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
