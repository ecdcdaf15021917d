"""Ports of this machine, taken before whoever is to listen there runs."""

from __future__ import annotations

import os
import socket

from engine.errors import Misconfigured

FIRST = 3  # the first descriptor that a supervisor hands over: sd_listen_fds(3)


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


def handed_over() -> socket.socket | None:
    """The TCP socket at which systemd listens for this process; None: none. Misconfigured if it cannot be used.

    It stays open while the process is replaced: who connects meanwhile waits, and is not refused. The variables that
    tell of it are removed, so that no child takes it for its own.
    """
    whose, number = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if whose != str(os.getpid()):
        return None
    if number != "1":
        raise Misconfigured(f"{number} sockets are handed over; `web` listens at one")
    os.set_inheritable(FIRST, False)
    taken = socket.socket(fileno=FIRST)
    if taken.family not in (socket.AF_INET, socket.AF_INET6):
        raise Misconfigured("the socket that is handed over is not one of TCP")
    return taken


def _address(host: str) -> tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Misconfigured(f"{host!r} is no address of this machine ({error})") from None
    family, *_, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    return family, address
