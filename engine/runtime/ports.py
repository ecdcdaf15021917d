"""Ports of this machine, taken before whoever is to listen there runs."""

from __future__ import annotations

import socket

from engine.errors import Misconfigured


def bound(port: int, option: str, host: str = "127.0.0.1") -> socket.socket:
    """The port, taken but not listened at: only who sets SO_REUSEADDR, as our processes do, can listen there.

    Of a name's addresses, the first one of IPv4 is taken, if it has any; :: takes IPv4, too. Misconfigured.
    """
    family, address = _address(host)
    taken = socket.socket(family)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if family == socket.AF_INET6:
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        taken.bind((address[0], port, *address[2:]))
    except (OSError, OverflowError) as error:
        taken.close()
        raise Misconfigured(f"port {port} cannot be used ({error}): choose another with {option}") from None
    return taken


def _address(host: str) -> tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Misconfigured(f"{host!r} is no address of this machine ({error})") from None
    family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, address
