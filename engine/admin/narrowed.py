"""A list's conditions, and its parts: which rows stand together, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import true

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, ColumnElement


@dataclass(frozen=True, slots=True)
class Part:
    """Which rows of a list stand together, and in which order. Parts of a list differ in the number of columns."""

    order: Sequence[Column[Any]]
    which: ColumnElement[bool] = field(default_factory=true)


@dataclass(slots=True)
class Narrowed:
    """A list's conditions, and its parts, one behind the other."""

    parts: Sequence[Part]
    newest_first: bool = True
    sorted: bool = False  # what is found by an index that has another order
    by: list[ColumnElement[bool]] = field(default_factory=list)
    rest: list[ColumnElement[bool]] = field(default_factory=list)

    @classmethod
    def newest(cls, key: Column[Any]) -> Self:
        """A list in the order of its keys, the newest first."""
        return cls([Part([key])])

    def find(self, *which: ColumnElement[bool]) -> None:
        """Narrow it to rows that an index finds which has another order."""
        self.by += which
        self.sorted = True
