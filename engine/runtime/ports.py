"""Ports of this machine, taken before whoever is to listen there runs."""

from __future__ import annotations

import socket

from engine.errors import Misconfigured


def free_port(port: int, option: str, host: str = "127.0.0.1") -> int:
    """The port itself if nobody listens there; for 0, one that is free now."""
    with bound(port, option, host) as probe:
        number: int = probe.getsockname()[1]
        return number


def bound(port: int, option: str, host: str = "127.0.0.1") -> socket.socket:
    """The port, taken but not listened at: only who sets SO_REUSEADDR, as our processes do, can listen there."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except (OSError, OverflowError) as error:
        taken.close()
        raise Misconfigured(f"port {port} cannot be used ({error}): choose another with {option}") from None
    return taken
