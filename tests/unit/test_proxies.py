"""Where a request comes from: a trusted proxy's word counts, a client's does not."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from api.proxies import MOST_HOPS, UNKNOWN, client_address
from engine.settings import Settings

PROXY, OUTER, CLIENT = "10.0.0.7", "10.1.2.3", "203.0.113.9"
TRUSTED = "10.0.0.7, 10.1.0.0/16 fd00:1::/32"


def seen(peer: str | None, *forwarded: str, trusted: str = TRUSTED, **headers: str) -> str:
    app = Starlette()
    app.state.settings = Settings.model_validate({"trusted_proxies": trusted})
    fields = [("x-forwarded-for", value) for value in forwarded]
    fields += [(name.replace("_", "-"), value) for name, value in headers.items()]
    scope = {
        "type": "http",
        "app": app,
        "client": (peer, 50_000) if peer else None,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields],
    }
    return client_address(Request(scope))


@pytest.mark.parametrize("trusted", ["", TRUSTED])
def test_without_a_trusted_proxy_in_front_the_peer_is_the_client(trusted: str) -> None:
    assert seen(CLIENT, trusted=trusted) == CLIENT
    assert seen(CLIENT, "192.0.2.1", trusted=trusted) == CLIENT
    assert seen(CLIENT, PROXY, trusted=trusted) == CLIENT
    assert seen("10.0.0.8", "192.0.2.1", trusted=trusted) == "10.0.0.8"


def test_the_rightmost_address_that_is_not_trusted_is_the_clients() -> None:
    assert seen(PROXY, CLIENT) == CLIENT
    assert seen(PROXY, f"192.0.2.1, {CLIENT}") == CLIENT
    assert seen(PROXY, f"192.0.2.1, {PROXY}, {CLIENT}, {OUTER}") == CLIENT
    assert seen(PROXY, f"{CLIENT},{OUTER}\t,  {PROXY}") == CLIENT
    assert seen(PROXY, "192.0.2.1", f"{CLIENT}, {OUTER}") == CLIENT
    assert seen(PROXY, CLIENT, OUTER) == CLIENT


def test_a_proxy_that_says_nothing_speaks_for_itself() -> None:
    assert seen(PROXY) == PROXY
    assert seen(PROXY, "") == PROXY
    assert seen(PROXY, OUTER) == OUTER


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        (f"{CLIENT}:4711", CLIENT),
        ("2001:db8::9", "2001:db8::9"),
        ("2001:DB8:0:0::9", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("[2001:db8::9]:4711", "2001:db8::9"),
        (f"::ffff:{CLIENT}", CLIENT),
        (f"[::ffff:{CLIENT}]:4711", CLIENT),
    ],
)
def test_addresses_are_read_in_each_form_that_proxies_write(entry: str, address: str) -> None:
    assert seen(PROXY, entry) == address
    assert seen("fd00:1::7", entry) == address
    assert seen(f"::ffff:{PROXY}", entry) == address


@pytest.mark.parametrize(
    "garbage",
    [
        "unknown",
        "_hidden",
        "client.example.org",
        "203.0.113.9.1",
        "203.0.113.009",
        "203.0.113.9/24",
        "203.0.113.9:port",
        "203.0.113.9:123456",
        "fe80::1%eth0",
        "[203.0.113.9",
        "[]:80",
        "::1::",
        "0x7f.1",
        "1",
        '"203.0.113.9"',
        "for=203.0.113.9",
        "æøå",
        "<script>",
        "-",
    ],
)
def test_behind_what_is_no_address_nothing_is_believed(garbage: str) -> None:
    assert seen(PROXY, garbage) == PROXY
    assert seen(PROXY, f"{CLIENT}, {garbage}") == PROXY
    assert seen(PROXY, f"{CLIENT}, {garbage}, {OUTER}") == OUTER
    assert seen(PROXY, f"{garbage}, {CLIENT}") == CLIENT


def test_elements_without_anything_in_them_are_none() -> None:
    assert seen(PROXY, f"{CLIENT},") == CLIENT
    assert seen(PROXY, f"{CLIENT}, ,\t") == CLIENT
    assert seen(PROXY, CLIENT, "") == CLIENT
    assert seen(PROXY, f",{CLIENT},,{OUTER}") == CLIENT
    assert seen(PROXY, f"192.0.2.1,,{CLIENT}") == CLIENT


def test_of_many_entries_the_nearest_are_looked_at() -> None:
    assert seen(PROXY, ", ".join(["192.0.2.1"] * 1_000 + [CLIENT])) == CLIENT
    assert seen(PROXY, ", ".join([CLIENT, *["10.1.0.1"] * (MOST_HOPS - 1)])) == CLIENT
    assert seen(PROXY, ", ".join([CLIENT, *["10.1.0.1"] * MOST_HOPS])) == "10.1.0.1"
    assert seen(PROXY, "," * 19_000) == PROXY


def test_other_headers_are_nobodys_word() -> None:
    others = {"forwarded": "for=192.0.2.1", "x_real_ip": "192.0.2.1", "x_client_ip": "192.0.2.1", "via": "1.1 a"}

    assert seen(PROXY, **others) == PROXY
    assert seen(PROXY, CLIENT, **others) == CLIENT


@pytest.mark.parametrize("peer", [None, "", "testclient", "/run/varsel.sock"])
def test_a_peer_without_an_address_is_unknown(peer: str | None) -> None:
    assert seen(peer, CLIENT) == UNKNOWN
