"""A list's conditions, and its parts: which rows stand together, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import true

from engine.admin.filters import first_id, first_number
from engine.db.frequent import Alike

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection


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
    asks_elsewhere: bool = False  # whether another table is looked into for each row
    cut: bool = False  # whether there are more that match, which are older
    alike: Alike | None = None  # in a value that may be frequent
    by: list[ColumnElement[bool]] = field(default_factory=list)
    rest: list[ColumnElement[bool]] = field(default_factory=list)
    either: list[tuple[ColumnElement[bool], ColumnElement[bool]]] = field(default_factory=list)
    """Conditions in two forms: one checks a row, the other has an index find all rows, in no order."""

    @classmethod
    def newest(cls, key: Column[Any]) -> Self:
        """A list in the order of its keys, the newest first."""
        return cls([Part([key])])

    def reversed(self) -> Narrowed:
        """The same rows, the last of them first."""
        return replace(self, parts=self.parts[::-1], newest_first=not self.newest_first)

    @property
    def walked(self) -> Alike | None:
        """The rows through whose index the list is walked; None: other conditions have their own."""
        return None if self.by or self.sorted else self.alike

    @property
    def indexed(self) -> list[ColumnElement[bool]]:
        """What indexes answer."""
        if self.alike is None:
            return self.by
        column, value = self.alike.column, self.alike.value
        return [column.between(value, value)] if self.walked else [column == value, *self.by]

    @property
    def checks(self) -> list[ColumnElement[bool]]:
        """What each row of a page is checked for."""
        return [*self.rest, *(checks for checks, _ in self.either)]

    @property
    def all(self) -> list[ColumnElement[bool]]:
        """All conditions, for who reads all rows."""
        return [*self.indexed, *self.rest, *(finds for _, finds in self.either)]

    def have(self, connection: Connection, column: Column[Any], value: object) -> None:
        """Narrow it to rows with a value that may be frequent: see engine/db/frequent.py."""
        if connection.dialect.name == "sqlite" or self.alike:
            self.by.append(column == value)
        else:
            self.alike = Alike(column, value, self.parts[0].order[0])

    def find(self, *which: ColumnElement[bool]) -> None:
        """Narrow it to rows that an index finds which has another order."""
        self.by += which
        self.sorted = True


def created_in(found: Narrowed, key: Column[Any], given: Mapping[str, Any]) -> None:
    """Narrow a list by when its rows were created, as their identifiers say."""
    place = found.by if found.newest_first else found.rest
    if since := given.get("since"):
        place.append(key >= first_id(since))
    if until := given.get("until"):
        place.append(key < first_id(until))


def numbered_in(
    connection: Connection, found: Narrowed, key: Column[int], time: Column[datetime], given: Mapping[str, Any]
) -> None:
    """Likewise, where numbers grow with the time."""
    if since := given.get("since"):
        found.by.append(key >= first_number(connection, key.table, time, since))
    if until := given.get("until"):
        found.by.append(key < first_number(connection, key.table, time, until))
