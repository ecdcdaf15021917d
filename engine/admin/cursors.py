"""Cursors of lists: where a row stands, as text. The number of its values says to which part of a list it belongs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

from sqlalchemy import Uuid

from engine.admin.filters import number
from engine.db.tables import EPOCH, MILLISECOND, Instant, milliseconds
from engine.errors import Invalid
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column

    from engine.admin.narrowed import Part

Value: TypeAlias = datetime | UUID | int  # of a column that lists stand by
_NO_CURSOR = {"cursor": [_("Not a cursor of this list; begin at its newest page.")]}


def written(position: Sequence[Value]) -> str:
    """The cursor of a row that stands there."""
    return ".".join(_shown(value) for value in position)


def read(parts: Sequence[Part], cursor: str) -> tuple[int, tuple[Value, ...]]:
    """Which of the parts it belongs to, and the position there; Invalid."""
    texts = cursor.split(".")
    for place, part in enumerate(parts):
        if len(part.order) == len(texts):
            try:
                return place, tuple(_read(column, text) for column, text in zip(part.order, texts, strict=True))
            except (ValueError, OverflowError):
                break
    raise Invalid(_NO_CURSOR)


def _shown(value: Value) -> str:
    if isinstance(value, datetime):
        return str(milliseconds(value))
    return value.hex if isinstance(value, UUID) else str(value)


def _read(column: Column[object], text: str) -> Value:
    if isinstance(column.type, Uuid):
        return UUID(text)
    value = number(text)
    return EPOCH + value * MILLISECOND if isinstance(column.type, Instant) else value
