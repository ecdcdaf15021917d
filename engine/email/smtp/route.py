"""How to reach the relay: VARSEL_SMTP_URL taken apart, and what is prepared once for all connections."""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from engine.runtime.authorities import with_file
from engine.settings.relays import PORTS

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach the relay; times in seconds."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None
    local_hostname: str
    connect_timeout: float
    data_timeout: float
    pipelining: bool  # False: not even where it is offered

    @classmethod
    def of(
        cls,
        url: str,
        ca_file: Path | None,
        connect_timeout: timedelta,
        data_timeout: timedelta,
        *,
        pipelining: bool = True,
    ) -> Route:
        """Take the address apart; what takes time (TLS context, own name) is prepared once, here."""
        parts = urlsplit(url)
        return cls(
            scheme=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=None if parts.scheme == "smtp" else with_file(ssl.create_default_context(), ca_file, "smtp_ca_file"),
            local_hostname=_local_hostname(),
            connect_timeout=connect_timeout.total_seconds(),
            data_timeout=data_timeout.total_seconds(),
            pipelining=pipelining,
        )


def _local_hostname() -> str:
    """Return the name for EHLO: the machine's, or an address literal if it has none (RFC 5321, 4.1.4)."""
    name = socket.getfqdn()
    return name if re.fullmatch(r"[A-Za-z0-9.-]+", name) and "." in name else "[127.0.0.1]"
