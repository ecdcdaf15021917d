"""The sender's domain in the DNS, where receivers check whether a message is genuine."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from engine.doctor.findings import Finding, Level, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.doctor.findings import Place

RESERVED = ("example", "test", "invalid", "localhost", "local")  # RFC 2606, RFC 6762: no mail comes from there


def sender(place: Place) -> Iterator[Finding]:
    """Whether the domain of VARSEL_FROM_ADDRESS can be that of a sender.

    The system's resolver only knows addresses; the reader must check the records that receivers use.
    """
    name, domain = "sender", place.config.from_address.rpartition("@")[2].rstrip(">.").lower()
    if domain.rpartition(".")[2] in RESERVED:
        text = f"{domain} is not a domain on the Internet: receivers refuse mail from it"
        if place.config.smtp_url is None:
            yield ok(name, f"{domain} will do for the development inbox")
        else:
            yield warning(name, text, "Set VARSEL_FROM_ADDRESS to an address of yours.")
        return
    records = f"Its MX, SPF, DKIM and DMARC records must let the relay send for it: `dig TXT {domain} _dmarc.{domain}`."
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(domain, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        yield warning(name, f"{domain} has no address that can be found from here ({error})", records)
    else:
        yield Finding(name, Level.OK, f"{domain} has the addresses {', '.join(sorted(found))}", records)
