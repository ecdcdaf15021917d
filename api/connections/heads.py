"""The head of a request: how large it may be, and what it says of the body behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from httptools import HttpRequestParser

    from api.connections.bounds import Bounds

Field = tuple[bytes, bytes]
_FRAMING = (b"content-length", b"transfer-encoding")


def fault(url: bytes, headers: Sequence[Field], parser: HttpRequestParser, bounds: Bounds) -> int | None:
    """The status that a head is refused with; None: it is taken."""
    if len(url) > bounds.line:
        return 414
    total, hosts, coded = 0, 0, False
    for name, value in headers:
        size = len(name) + len(value)
        if size > bounds.line:
            return 431
        total += size
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding":
            coded = True
    if len(headers) > bounds.fields or total > bounds.head:
        return 431
    if hosts != 1 or coded:
        codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
        return _framing_fault(hosts, codings, old=parser.get_http_version() == "1.0")
    return None


def framing(headers: Sequence[Field]) -> bytes:
    """The fields that say how long the body is, as they stand in a head."""
    return b"".join(b"%b: %b\r\n" % field for field in headers if field[0] in _FRAMING)


def _framing_fault(hosts: int, codings: Sequence[bytes], *, old: bool) -> int | None:
    if hosts > 1 or (not hosts and not old):  # RFC 9112, 3.2
        return 400
    if codings and (old or any(coding != b"chunked" for coding in codings)):  # RFC 9112, 6.1
        return 400
    return None
