"""Free ports for servers that need to be told one."""

from __future__ import annotations

import errno
import socket


def free_port() -> int:
    """One that the kernel gives to nobody else while this process lives.

    It stays bound: whoever sets SO_REUSEADDR, as servers do, may listen there; whoever connects before is refused.
    """
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", 0))
    port: int = bound.getsockname()[1]
    bound.detach()  # open until the process ends
    return port


def has_ipv6() -> bool:
    """Whether this machine has an address of IPv6 of its own."""
    with socket.socket(socket.AF_INET6) as probe:
        return probe.connect_ex(("::1", 9)) != errno.EADDRNOTAVAIL
