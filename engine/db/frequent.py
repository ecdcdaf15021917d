"""Rows with a value that very many rows may have, read in the order of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

AnySelect = TypeVar("AnySelect", bound="Select[Any]")


def having(chosen: AnySelect, column: ColumnElement[Any], value: object) -> AnySelect:
    """Those of the chosen rows whose column has this value; `column`: the first of an index, in whose order they are.

    Not `=`: if a value is frequent, and few of its rows are asked for, PostgreSQL expects to meet them soon on a way
    through the whole table, or through an index in whose order they are asked for. Those of what is new stand at the
    end of both, behind all others: ten million, for an order to a million.
    """
    return chosen.where(column.between(value, value)).order_by(column)
