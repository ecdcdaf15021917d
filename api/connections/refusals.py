"""What is answered to what never becomes a request, and how it is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.problems import document

if TYPE_CHECKING:
    from collections.abc import Iterable

_DETAILS = {
    400: "This is not a request of HTTP/1.1, or it breaks a rule, such as one without Host.",
    408: "The request took too long to come in.",
    414: "The target of the request is too long.",
    431: "The head of the request has too many bytes or too many fields.",
    503: "All connections are in use; try again.",
}
REASONS = {400: "malformed", 408: "too_slow", 414: "too_large", 431: "too_large", 503: "full"}  # of the metric


def answer(status: int, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a whole answer, with these header fields besides; it is the connection's last."""
    body = document(status, _DETAILS[status])
    fields = [
        *fields,
        (b"content-type", b"application/problem+json; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    head = b"".join(b"%b: %b\r\n" % field for field in fields)
    return STATUS_LINE[status] + head + b"\r\n" + body
