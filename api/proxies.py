"""Where a request comes from: the address that the nearest trusted proxy, or a chain of them, has seen.

Only X-Forwarded-For is read: every common proxy appends to it. Many pass on `Forwarded` (RFC 7239) and X-Real-IP as the
client has sent them.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

    from engine.settings.values import Network

    Address = IPv4Address | IPv6Address

MOST_HOPS = 32  # proxies in a row: nobody has so many, and a client can send any number of entries
UNKNOWN = "unknown"

_PORT = re.compile(r":[0-9]{1,5}\Z")
_BRACKETED = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?")  # IPv6, which Azure and others write with a port


def client_address(request: Request) -> str:
    """The client's address; UNKNOWN where none is known.

    Of the addresses from this process back to the client, the first that is no proxy of VARSEL_TRUSTED_PROXIES: no
    trusted proxy vouches for what stands before it.
    """
    if request.client is None or (peer := _read(request.client.host)) is None:
        return UNKNOWN
    trusted: tuple[Network, ...] = request.app.state.settings.trusted_proxies
    entries = ",".join(request.headers.getlist("x-forwarded-for")).rsplit(",", MOST_HOPS)[-MOST_HOPS:]
    named = [named for entry in reversed(entries) if (named := entry.strip(" \t"))]  # RFC 9110, 5.6.1: empty is none
    for entry in named:
        before = _read(entry)
        if before is None or not any(peer in network for network in trusted):
            break
        peer = before
    return str(peer)


def _read(text: str) -> Address | None:
    """An address with or without a port; IPv4 also where it is written as IPv6. None: anything else."""
    found = _BRACKETED.fullmatch(text)
    text = found[1] if found else _PORT.sub("", text) if text.count(":") == 1 else text
    try:
        address = ip_address(text) if "%" not in text else None  # a zone has a meaning only on its own machine
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
