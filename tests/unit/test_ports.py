"""Ports at which `web` and others are to listen."""

from __future__ import annotations

import socket

import pytest

from engine.errors import Misconfigured
from engine.runtime.ports import bound
from tests.helpers.ports import has_ipv6

ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("0.0.0.0", ["127.0.0.1"]),  # noqa: S104 for a moment
        ("localhost", ["127.0.0.1"]),
        pytest.param("::", ["127.0.0.1", "::1"], marks=ipv6),
        pytest.param("::1", ["::1"], marks=ipv6),
    ],
)
def test_a_port_is_taken_at_addresses_of_both_kinds_and_at_names(host: str, asked: list[str]) -> None:
    with bound(0, "--port", host) as listener:
        port = listener.getsockname()[1]
        listener.listen()
        for address in asked:
            socket.create_connection((address, port)).close()
        with pytest.raises(Misconfigured, match=f"port {port} cannot be used .*: choose another with --port"):
            bound(port, "--port", host)


@pytest.mark.parametrize("host", ["", "nowhere.invalid", "a" * 70, "::1::"])
def test_a_name_that_is_no_address_is_told_to_be_that(host: str) -> None:
    with pytest.raises(Misconfigured, match=f"'{host}' is no address of this machine"):
        bound(0, "--port", host)


def test_a_number_that_is_no_port_is_told_to_be_that() -> None:
    with pytest.raises(Misconfigured, match="port 99999 cannot be used"):
        bound(99999, "--port")
