"""Blocks: rows whose numbers follow each other. Some indexes begin with the block, and those who ask name the blocks.

In an index on addresses alone, each new e-mail has a page of its own somewhere in the whole index: at ten million of
them, that page is read, logged as a whole and written for one entry. In an index that begins with the block, all that
is new is in the few pages of the newest block. To find an address, each block is looked into: a few microseconds each.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, bindparam, select

from engine.db.tables import BLOCK, block_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Select, Table


def everywhere(connection: Connection, table: Table) -> ColumnElement[bool]:
    """The condition that holds for all rows: with it, an index that begins with the block is used."""
    return block_of(table).in_(_blocks(connection, table, 0))


def onwards(connection: Connection, table: Table, after: int) -> Iterator[ColumnElement[bool]]:
    """Conditions that hold for the rows after a number, one part after the other.

    The first part is one block, and each has twice as many as the one before. Who needs few rows finds them soon, in
    their order; who finds none asks a few times.
    """
    blocks = _blocks(connection, table, after)
    count = 1
    while blocks:
        yield block_of(table).in_(blocks[:count])
        blocks, count = blocks[count:], 2 * count


def newest_first(connection: Connection, table: Table) -> Iterator[tuple[ColumnElement[bool], ColumnElement[bool]]]:
    """Two conditions that hold for the rows of one block each, from the newest block on.

    The first is for an index that begins with the block, the second for the table in the order of its numbers.
    """
    for block in reversed(_blocks(connection, table, 0)):
        yield block_of(table) == block, table.c.seq.between(block * BLOCK, (block + 1) * BLOCK - 1)


def _blocks(connection: Connection, table: Table, after: int) -> range:
    low, high = connection.execute(_ends(table), {"after": after}).one()
    return range(0) if low is None else range(low, high + 1)


@cache
def _ends(table: Table) -> Select[int | None, int]:
    """The block of the first row after a number, and that of the last."""
    block, seq = block_of(table), table.c.seq
    first = select(block).where(seq > bindparam("after", type_=BigInteger())).order_by(seq).limit(1)
    last = select(block).order_by(seq.desc()).limit(1)
    return select(first.scalar_subquery(), last.scalar_subquery())
