"""Reads that end by what they bring along: rows hold callers' texts, and their number says nothing of their bytes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Row, Select

ROW = 1_000  # bytes that a row counts for, beside its texts
AT_A_TIME = 10  # rows that PostgreSQL sends: no more are in memory than were asked for and these


def weight(*texts: str | None) -> int:
    """The bytes that a row with these texts takes up in memory."""
    return ROW + sum(sys.getsizeof(text) for text in texts if text)


def read_within(
    connection: Connection, statement: Select[Any], room: int, weigh: Callable[[Row[Any]], int]
) -> tuple[list[Row[Any]], bool]:
    """The first rows, until they weigh `room` bytes or more together; and whether these are all.

    A row that is larger than the room comes alone.
    """
    found: list[Row[Any]] = []
    with connection.execute(statement.execution_options(stream_results=True, max_row_buffer=AT_A_TIME)) as rows:
        for row in rows:
            if room <= 0:
                return found, False
            found.append(row)
            room -= weigh(row)
    return found, True
