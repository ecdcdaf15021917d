"""The metrics port of a worker or scheduler: few and short connections, only under known host names."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from engine.observability.scrapes import LONGEST, MOST, serve
from engine.settings import Settings
from tests.helpers.client import ask
from tests.helpers.waiting import wait_for
from tests.servers.web import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@contextmanager
def scraped(longest: float = LONGEST) -> Iterator[int]:
    """A metrics port."""
    server = serve(Settings(base_url="https://notify.example.org"), 0, longest)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def scrape(port: int, host: str = "") -> httpx.Response:
    headers = {"Host": host} if host else {}
    return ask("GET", f"http://127.0.0.1:{port}/metrics", headers=headers)


def test_a_scrape_is_answered_beside_connections_that_say_nothing() -> None:
    with scraped() as port, ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3 * MOST)]
        assert "varsel_build_info" in scrape(port).text
        silent[0].settimeout(60)
        assert silent[0].recv(1) == b""  # it made room


def test_a_connection_that_drips_ends() -> None:
    with scraped(longest=0.1) as port, Client(port) as client:
        client.send(b"GET / HTTP/1.1\r\n")
        wait_for(lambda: client.push(b"X: y\r\n") == 0)


def test_counts_are_told_under_names_of_ours() -> None:
    with scraped() as port:
        statuses = [
            scrape(port, host).status_code for host in ("", "worker-1:9100", "notify.example.org", "evil.example")
        ]
        assert statuses == [200, 200, 200, 421]
