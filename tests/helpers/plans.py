"""How a database answers what it was asked: the plans of the statements that a block has sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection


def plans(connection: Connection, ask: Callable[[], object]) -> Sequence[tuple[str, str]]:
    """Each statement that `ask` sends, with its plan, as where there are many rows."""
    asked: list[tuple[str, Any]] = []
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # as it does by itself where there are many rows

    def hear(_connection: object, _cursor: object, said: str, given: Any, *_: object) -> None:
        asked.append((said, given))

    event.listen(connection, "before_cursor_execute", hear)
    ask()
    event.remove(connection, "before_cursor_execute", hear)
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return [(said, _plan(connection, f"{explain} {said}", given)) for said, given in asked]


def scans(plan: str, *tables: str) -> Sequence[str]:
    """The tables of these that a plan walks through as a whole."""
    of_sqlite = [table for table in tables if f"SCAN {table}\n" in plan or f"SEARCH {table}\n" in plan]
    return of_sqlite + [table for table in tables if f"Seq Scan on {table}" in plan]


def _plan(connection: Connection, explain: str, given: Any) -> str:
    return "".join(f"{row[-1]}\n" for row in connection.exec_driver_sql(explain, given))
