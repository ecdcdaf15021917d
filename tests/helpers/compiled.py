"""Statements are compiled once in a process of the tests, not once for each of its thousands of databases.

SQLAlchemy keeps what it has compiled by dialect, and each engine has a dialect of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MOST = 5_000  # statements
_COMPILED: LRUCache[object, object] = LRUCache(_MOST)


def share() -> None:
    """Let all engines of a kind use what one of them has compiled."""
    DefaultDialect.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]
    DefaultDialect.__eq__ = _is_alike  # type: ignore[assignment, method-assign]
    event.listen(Engine, "engine_connect", _use)


def _is_alike(one: DefaultDialect, other: object) -> bool:
    same = type(one) is type(other) and isinstance(other, DefaultDialect)
    return same and getattr(one, "server_version_info", None) == getattr(other, "server_version_info", None)


def _use(connection: Connection) -> None:
    connection.execution_options(compiled_cache=_COMPILED)
