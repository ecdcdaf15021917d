"""What goes wrong: each error is a VarselError, and says whether the installation answered."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from varsel.client.calls import Answer


class VarselError(Exception):
    """What this package raises."""


class Unreachable(VarselError):
    """No answer: nobody listens, the connection broke, or the time was over; its cause is httpx's error.

    An order that was placed with the same idempotency identifier again is placed once, whatever became of this request.
    """


class StillOpen(VarselError, TimeoutError):
    """The order had not ended when the time to wait was over; it goes on."""


class InvalidSignature(VarselError):
    """A request is not from Varsel, or it is too old: answer it with 401."""


class ApiError(VarselError):
    """The installation answered with an error, a problem document (RFC 9457) as far as there is one.

    `errors` names the broken rules by field, `code` and `trace_id` are for logs, `retry_after` is in seconds.
    """

    def __init__(self, answer: Answer) -> None:
        members = _members(answer)
        errors = members.get("errors")
        self.status = answer.status
        self.title = _text(members, "title")
        self.detail = _text(members, "detail") or _challenge(answer)
        self.code = _text(members, "code")
        self.trace_id = _text(members, "traceId")
        self.errors: Mapping[str, Sequence[str]] = errors if isinstance(errors, dict) else {}
        self.retry_after = answer.retry_after
        super().__init__(self._words())

    def __reduce__(self) -> str | tuple[object, ...]:
        return _again, (type(self), self.args, self.__dict__)  # so that processes can hand it on

    def _words(self) -> str:
        fields = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in self.errors.items())
        return ": ".join(filter(None, (str(self.status), self.code, self.title, self.detail, fields)))


class Invalid(ApiError):
    """400, 413, 415 or 422: the request breaks a rule; to send it again does not help."""


class Unauthenticated(ApiError):
    """401: no token, or one that does not verify."""


class Forbidden(ApiError):
    """403: the token lacks a scope, or names nobody who may do this."""


class NotFound(ApiError):
    """404: there is no such thing, or it is somebody else's."""


class Conflict(ApiError):
    """409: it cannot be done in the state that the thing is in."""


class Overrun(ApiError):
    """429: a quota is used up for longer than this request may take; `retry_after` says how long."""


_DESCRIPTION = re.compile(r'error_description="([^"]*)"')
_KINDS: Mapping[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Overrun,
}


def error_of(answer: Answer) -> ApiError:
    """The error that an answer tells of."""
    return _KINDS.get(answer.status, ApiError)(answer)


def _members(answer: Answer) -> Mapping[str, object]:
    """The members of a problem; a JSON string, as some refusals are, is a detail. What a proxy says is left out."""
    try:
        found: object = json.loads(answer.content)
    except ValueError:
        return {}
    if isinstance(found, str):
        return {"detail": found}
    return found if isinstance(found, dict) else {}


def _challenge(answer: Answer) -> str | None:
    """Why a bearer token was refused (RFC 6750, section 3): 401 and 403 have no body."""
    found = _DESCRIPTION.search(answer.headers.get("www-authenticate", ""))
    return found[1] if found else None


def _text(members: Mapping[str, object], name: str) -> str | None:
    found = members.get(name)
    return found if isinstance(found, str) else None


def _again(kind: type[ApiError], args: tuple[object, ...], members: Mapping[str, object]) -> ApiError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(members)
    return error
