"""Rows with a value that very many rows may have, read in the order of an index that begins with it.

Where few rows with a frequent value are asked for, PostgreSQL expects to meet them soon on its way through the whole
table, or through the key in whose order they are asked for; it does so for every condition with `=`, since then the
value is no part of an order. Rows of something new stand behind all others, and those of something old before them.
See docs/decisions/0119.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import tuple_

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select

AnySelect = TypeVar("AnySelect", bound="Select[Any]")


def in_index_order(
    chosen: AnySelect, column: ColumnElement[Any], value: object, *key: ColumnElement[Any], newest_first: bool = False
) -> AnySelect:
    """The chosen rows with this value, in the order of column and key; `column`: the first of an index."""
    order = (column, *key)
    return chosen.where(column.between(value, value)).order_by(*(one.desc() if newest_first else one for one in order))


class Stretch(NamedTuple):
    """The conditions on some rows of an index, and their order."""

    where: Sequence[ColumnElement[bool]]
    order: Sequence[ColumnElement[str] | ColumnElement[int]]


@dataclass(frozen=True, slots=True)
class Alike:
    """Rows with one value in a column, as an index on that column and on a key has them."""

    column: ColumnElement[Any]
    value: object
    key: ColumnElement[Any]

    def stretch(
        self, connection: Connection, *, behind: int | None, upto: int | None = None, newest_first: bool = False
    ) -> Stretch:
        """Those behind one key and up to another, in this order (None: no end there)."""
        order = [one.desc() if newest_first else one for one in (self.column, self.key)]
        ends = ((behind, newest_first, False), (upto, not newest_first, True))
        found = [self.bound(at, below=below, itself=itself) for at, below, itself in ends if at is not None]
        if connection.dialect.name == "sqlite":  # it takes this index for `=`, and finds the ends only behind that
            return Stretch([self.column == self.value, *(by_key for _, by_key in found)], order)
        return Stretch([self.column.between(self.value, self.value), *chain.from_iterable(found)], order)

    def bound(self, at: object, *, below: bool, itself: bool) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        """With the row `at` that key or without: as PostgreSQL finds it in the index, and by the key alone.

        By the second, PostgreSQL knows how few rows there are. It takes the first for half of all.
        """
        pair = tuple_(self.value, at, types=[self.column.type, self.key.type])
        places: Any = ((tuple_(self.column, self.key), pair), (self.key, at))
        compare = (operator.le if itself else operator.lt) if below else (operator.ge if itself else operator.gt)
        in_index, by_key = (compare(place, bound) for place, bound in places)
        return in_index, by_key
