"""Requests as values, and what is read from their answers: nothing here does I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
KEY = "Idempotency-Key"
NAME = "idempotencyId"  # the same in bodies of the second generation
NUMBER, AFTER = "sequenceNumber", "seq"  # of an entry, and the parameter that begins behind it


@dataclass(frozen=True)
class Answer:
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)

    @cached_property
    def body(self) -> object:
        """The JSON of the body, None if there is none; ValueError when it is something else, or a part of it."""
        found: object = json.loads(self.content) if self.content else None
        return found

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, given as such or as a date (RFC 9110, section 10.2.3)."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


class Pages(Protocol):
    """How the pages of a list hang together."""

    def entries(self, body: object) -> Sequence[object]:
        """What a page has."""

    def after(self, call: Call[T], answer: Answer) -> Call[T] | None:
        """The call of the next page; None behind the last one."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """A request, whose answer's body is of that type. Its body is bytes already, so that each attempt sends the same.

    `repeatable`: two of it have the effect of one. `keyed`: because of a key, and 409 may mean that the first attempt
    is still running.
    """

    method: str
    path: str  # below the installation's address
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    repeatable: bool = False
    keyed: bool = False
    pages: Pages | None = None

    def read(self, answer: Answer) -> T_co:
        """What the answer says."""
        return cast("T_co", answer.body)


@dataclass(frozen=True, slots=True)
class Linked:
    """Each page's header `next` leads to the next one; the entries are in a `member` of the body, or are the body.

    Only the link's query counts: the client stays at the address that it was given.
    """

    member: str | None = None

    def entries(self, body: object) -> Sequence[object]:
        return _entries(body, self.member)

    def after(self, call: Call[T], answer: Answer) -> Call[T] | None:
        link = answer.headers.get("next")
        return replace(call, query=parse_qsl(urlsplit(link).query, keep_blank_values=True)) if link else None


@dataclass(frozen=True, slots=True)
class Numbered:
    """Each entry has a number, by which the next page is asked for; an empty page is the last one."""

    member: str | None = None

    def entries(self, body: object) -> Sequence[object]:
        return _entries(body, self.member)

    def after(self, call: Call[T], answer: Answer) -> Call[T] | None:
        entries = self.entries(answer.body)
        if not entries:
            return None
        last = cast("Mapping[str, object]", entries[-1])[NUMBER]
        others = [(name, value) for name, value in call.query if name != AFTER]
        return replace(call, query=[*others, (AFTER, str(last))])


def path_of(template: str, /, **names: str | int | UUID) -> str:
    """A path with names filled in; none of them can lead out of its place."""
    filled = {name: quote(str(value), safe="") for name, value in names.items()}
    if empty := [name for name, value in filled.items() if value in {"", ".", ".."}]:
        raise ValueError(f"{', '.join(empty)}: not a name")
    return template.format_map(filled)


def query_of(values: Mapping[str, object]) -> Sequence[tuple[str, str]]:
    """The query of what is given: None is left out, of a list each entry is a parameter."""
    given = [(name, value) for name, value in values.items() if value is not None]
    lists = [(name, value if isinstance(value, (list, tuple)) else [value]) for name, value in given]
    return [(name, _plain(each)) for name, entries in lists for each in entries]


def headers_of(values: Mapping[str, str | None]) -> Mapping[str, str]:
    """The headers of what is given."""
    return {name: value for name, value in values.items() if value is not None}


def json_of(body: object) -> bytes:
    """JSON; times must have a zone."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def new_key(given: str | None) -> str:
    """The caller's key, or one that nobody else has."""
    return given or str(uuid4())


def named(body: Mapping[str, object]) -> Mapping[str, object]:
    """The body of an order with a name of its own; the caller's, if it has one."""
    return body if body.get(NAME) else {**body, NAME: str(uuid4())}


def _plain(value: object) -> str:
    match value:
        case datetime(tzinfo=None):
            raise ValueError(f"a time without a zone: {value}")
        case datetime():
            return value.isoformat()
        case bool():
            return "true" if value else "false"
        case str() | int() | float() | UUID():
            return str(value)
    raise TypeError(f"JSON has no {type(value).__name__}")


def _entries(body: object, member: str | None) -> Sequence[object]:
    found = body if member is None else cast("Mapping[str, object]", body)[member]
    return cast("Sequence[object]", found)
