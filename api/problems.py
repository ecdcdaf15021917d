"""Errors as HTTP answers: problem documents (contract 4.1, events contract 1.4), and one table from error to status."""

from __future__ import annotations

import json
import logging
import math
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.rate_limits import rate_limits
from engine import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

log = logging.getLogger(__name__)

STATUS: dict[type[errors.VarselError], int] = {
    errors.Invalid: 400,
    errors.BadRequest: 400,
    errors.Refused: 400,
    errors.Unauthenticated: 401,
    errors.InvalidToken: 401,
    errors.Forbidden: 403,
    errors.CrossOrigin: 403,
    errors.NotFound: 404,
    errors.NoShipment: 404,
    errors.Conflict: 409,
    errors.KeyInUse: 409,
    errors.KeyReused: 422,
    errors.Unreachable: 422,
    errors.QuotaExceeded: 429,
    errors.Overrun: 503,
    errors.Unavailable: 503,
    errors.Misconfigured: 500,
}
CHALLENGE = {"WWW-Authenticate": "Bearer"}
TITLES = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_REFERENCES = {
    400: "rfc9110#section-15.5.1",
    403: "rfc9110#section-15.5.4",
    404: "rfc9110#section-15.5.5",
    405: "rfc9110#section-15.5.6",
    408: "rfc9110#section-15.5.9",
    409: "rfc9110#section-15.5.10",
    413: "rfc9110#section-15.5.14",
    414: "rfc9110#section-15.5.15",
    415: "rfc9110#section-15.5.16",
    421: "rfc9110#section-15.5.20",
    422: "rfc9110#section-15.5.21",
    429: "rfc6585#section-4",
    431: "rfc6585#section-5",
    500: "rfc9110#section-15.6.1",
    503: "rfc9110#section-15.6.4",
}

CODES: dict[type[Exception], tuple[str, str]] = {  # of the second generation, with their titles (contract 4.1)
    errors.Unreachable: ("NOT-00001", "Missing contact information for recipient(s)"),
    errors.NoShipment: ("NOT-00003", "Shipment not found"),
}
PROBLEM = "application/problem+json; charset=utf-8"


class Problem(BaseModel):
    """A problem document (RFC 9457); `errors` names the broken rules per field."""

    type: str
    title: str
    status: int
    detail: str | None = None
    code: str | None = None
    errors: dict[str, list[str]] | None = None
    traceId: str  # noqa: N815 the contract's spelling


def problem(
    request: Request,
    status: int,
    detail: str | None = None,
    field_errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document (RFC 9457) in the contract's shape."""
    body = document(status, detail, field_errors, _trace_id(request.scope.get("trace"), request.headers))
    return Response(body, status, headers, PROBLEM)


def document(
    status: int,
    detail: str | None = None,
    field_errors: Mapping[str, list[str]] | None = None,
    trace: str | None = None,
    coded: tuple[str, str] | None = None,
) -> bytes:
    """The body of a problem document; `trace` names the request (None: a fresh one), `coded` is code and title."""
    code, title = coded or (None, "One or more validation errors occurred." if field_errors else TITLES[status])
    content = Problem(
        type=f"urn:altinn:error:{code}" if code else f"https://tools.ietf.org/html/{_REFERENCES[status]}",
        title=title,
        status=status,
        detail=detail or None,
        code=code,
        errors=dict(field_errors) if field_errors else None,
        traceId=trace or _trace_id(None, {}),
    )
    return json.dumps(content.model_dump(exclude_none=True), ensure_ascii=False).encode()


async def answer_error(request: Request, error: Exception) -> Response:
    """Translate one of Varsel's own errors; for Starlette's `exception_handlers`."""
    status = STATUS[type(error)]  # type: ignore[index]  # registered for VarselError only
    if isinstance(error, errors.InvalidToken):  # RFC 6750, 3.1
        told = f'Bearer error="invalid_token", error_description="{error}"'
        return Response(status_code=status, headers={"WWW-Authenticate": told})
    if isinstance(error, errors.Unauthenticated):
        return Response(status_code=status, headers=CHALLENGE)
    if isinstance(error, errors.Forbidden):  # RFC 6750, 3.1
        lacks = f'Bearer error="insufficient_scope", error_description="{error}", scope="{error.scope}"'
        return Response(status_code=status, headers={"WWW-Authenticate": lacks} if error.scope else None)
    if isinstance(error, errors.Unavailable):
        seconds = math.ceil(error.retry_after.total_seconds())
        if error.__cause__ is not None:
            log.warning("%s", error.told())
        return problem(request, status, f"{error}; try again.", headers={"Retry-After": str(seconds)})
    if isinstance(error, errors.QuotaExceeded):
        again = {"Retry-After": str(math.ceil(error.retry_after.total_seconds()))}
        return problem(request, status, str(error), headers=again | rate_limits(error.allowances))
    if isinstance(error, errors.Overrun):
        return problem(request, status, str(error), headers={"Retry-After": "2"})
    if isinstance(error, errors.Invalid):
        return problem(request, status, field_errors=error.errors)
    if coded := CODES.get(type(error)):
        trace = _trace_id(request.scope.get("trace"), request.headers)
        return Response(document(status, str(error), trace=trace, coded=coded), status, media_type=PROBLEM)
    return problem(request, status, str(error) or None)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405, 413 …) in the same shape."""
    assert isinstance(error, HTTPException)  # noqa: S101 registered for nothing else
    detail = None if error.detail == HTTPStatus(error.status_code).phrase else error.detail
    return problem(request, error.status_code, detail, headers=error.headers)


async def answer_nobody(_request: Request, _error: Exception) -> Response:
    """The client has hung up: an answer for the counts (events contract 3.5), which nobody reads."""
    return Response(status_code=499)


async def answer_bug(request: Request, error: Exception) -> Response:
    """An unexpected error: logged with its trace id, answered without details."""
    answer = problem(request, 500)
    log.error("unexpected error, answer %s", bytes(answer.body).decode(), exc_info=error)
    return answer


def _trace_id(traced: str | None, headers: Mapping[str, str]) -> str:
    """The request's span; where it has none, the caller's W3C trace with a span of ours, or a fresh one."""
    if traced:
        return traced
    parts = headers.get("traceparent", "").split("-")
    known = len(parts) == 4 and len(parts[1]) == 32 and all(c in "0123456789abcdef" for c in parts[1])  # noqa: PLR2004
    return f"00-{parts[1] if known else secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
