"""Reads that are bounded in bytes: rows have callers' texts, so their number does not bound their size."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Row, Select

ROW = 1_000  # bytes that a row counts as, beside its texts
AT_A_TIME = 10  # rows that PostgreSQL sends at a time: memory has these beside those asked for
STREAMED = {"stream_results": True, "max_row_buffer": AT_A_TIME}


def weight(*texts: str | None) -> int:
    """The bytes that a row with these texts takes up in memory."""
    return ROW + sum(sys.getsizeof(text) for text in texts if text)


def read_within(
    connection: Connection,
    statement: Select[Any],
    room: int,
    weigh: Callable[[Row[Any]], int],
    given: Mapping[str, object] = MappingProxyType({}),
) -> tuple[list[Row[Any]], bool]:
    """The first rows, until together they have `room` bytes or more; and whether these are all.

    A row that is larger than the room is returned alone. `given`: the statement's parameters.
    """
    found: list[Row[Any]] = []
    with connection.execute(statement, given, execution_options=STREAMED) as rows:
        for row in rows:
            if room <= 0:
                return found, False
            found.append(row)
            room -= weigh(row)
    return found, True
