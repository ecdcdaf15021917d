"""The types of the document, before they are words of a language."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

KEY = "Idempotency-Key"


class Basic(Enum):
    """What JSON has; a time is a string that a client may also give as a time of its language."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    TIME = "time"
    ANYTHING = "anything"


@dataclass(frozen=True, slots=True)
class Named:
    """A model."""

    model: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these values."""

    values: tuple[str | int | bool, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array."""

    entry: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object whose members all are of one type."""

    value: Type


@dataclass(frozen=True, slots=True)
class Either:
    """A value of any of these types."""

    choices: tuple[Type, ...]


Type: TypeAlias = "Basic | Named | OneOf | ListOf | MapOf | Either"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object; `text` says what it is for."""

    name: str
    type: Type
    required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Model:
    """An object with `members`, open for more or not, or another name for a type; `is_taken`: requests have it."""

    name: str
    text: str
    is_taken: bool
    members: tuple[Member, ...] = ()
    is_open: bool = False
    alias: Type | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the path, the query or a header."""

    name: str
    place: str
    type: Type
    required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: its media types; its type, if they are JSON (None: bytes)."""

    media: tuple[str, ...]
    type: Type | None
    is_named: bool  # has an idempotencyId


@dataclass(frozen=True, slots=True)
class Paging:
    """How an answer leads to the next one: by the header `next`, or by the last entry's number (`is_numbered`)."""

    entry: Type
    member: str | None
    is_numbered: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the API: its operationId, its part (the tag) and the name of its method in that part."""

    id: str
    part: str
    name: str
    verb: str
    path: str
    summary: str
    text: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    answer: Type | None
    paging: Paging | None

    def placed(self, place: str) -> tuple[Parameter, ...]:
        """Its parameters in one place; those that are required first."""
        return tuple(sorted((each for each in self.parameters if each.place == place), key=lambda it: not it.required))

    @property
    def makes_key(self) -> bool:
        """Whether a header names what it creates, as no member of the body does; a client makes that key."""
        keyed = any(parameter.name == KEY for parameter in self.placed("header"))
        return keyed and not (self.body and self.body.is_named)

    @property
    def is_repeatable(self) -> bool:
        """GET, PUT and DELETE (RFC 9110, section 9.2.2), and what carries a name: an order's own, or an event's."""
        if self.verb != "POST":
            return True
        is_event = self.body is not None and all("cloudevents" in media for media in self.body.media)
        return self.makes_key or is_event or (self.body is not None and self.body.is_named)

    @property
    def iterator(self) -> str:
        """The name of the method that goes through all pages."""
        return "_".join(["iterate", *self.name.split("_")[1:]])


@dataclass(frozen=True, slots=True)
class Api:
    """What the document says."""

    version: str
    models: tuple[Model, ...]
    operations: tuple[Operation, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts, in the document's order."""
        return tuple(dict.fromkeys(operation.part for operation in self.operations))
