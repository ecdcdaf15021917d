"""How much a database does to answer: a number that grows with what it reads, whatever the machine does meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

STEPS = 100  # of SQLite's machine, between two of its calls


def effort(connection: Connection, ask: Callable[[], object]) -> int:
    """Of the statements that `ask` sends: SQLite's steps, or the blocks that PostgreSQL reads."""
    return _steps(connection, ask) if connection.dialect.name == "sqlite" else _blocks(connection, ask)


def _steps(connection: Connection, ask: Callable[[], object]) -> int:
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return 0

    driver: Any = connection.connection.driver_connection
    driver.set_progress_handler(count, STEPS)
    try:
        ask()
    finally:
        driver.set_progress_handler(None, 0)
    return calls * STEPS


def _blocks(connection: Connection, ask: Callable[[], object]) -> int:
    asked: list[tuple[str, Any]] = []

    def hear(_connection: object, _cursor: object, said: str, given: Any, *_: object) -> None:
        asked.append((said, given))

    event.listen(connection, "before_cursor_execute", hear)
    ask()
    event.remove(connection, "before_cursor_execute", hear)
    return sum(_read(connection, said, given) for said, given in asked)


def _read(connection: Connection, said: str, given: Any) -> int:
    plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {said}", given).scalar_one()[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
