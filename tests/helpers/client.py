"""A client of servers on this machine: plain HTTP, no proxy, and the tests' patience."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from tests.helpers.waiting import patience

_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to read the authorities anew takes 30 ms for each client


def connect(url: str = "", **options: Any) -> httpx.Client:
    """A client; `options` are httpx's."""
    return httpx.Client(base_url=url, verify=_UNUSED, trust_env=False, timeout=patience(), **options)


def ask(method: str, url: str, **options: Any) -> httpx.Response:
    """One request."""
    with connect() as client:
        return client.request(method, url, **options)
