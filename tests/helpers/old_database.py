"""A database that an older Varsel made, with rows of each kind in each state: tests/integration/old_database.json."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import column, func, inspect, select, table

from engine.db.tables import milliseconds
from tests.helpers.steps import migrate

if TYPE_CHECKING:
    from sqlalchemy import Connection

STORED = Path(__file__).parent.parent / "integration" / "old_database.json"
_INSTANTS = range(10**12, 10**13)  # milliseconds of the years 2001 to 2286


def fill(connection: Connection, receiver: str) -> None:
    """Bring an empty database to the older schema, and the rows into it; `receiver`: the URL of who is called.

    Every time is moved by the same: what was a minute ago when the rows were stored is a minute ago now.
    """
    stored = json.loads(STORED.read_text().replace("{receiver}", receiver))
    migrate(connection, stored["revision"])
    later = milliseconds(datetime.now(UTC)) - stored["made"]
    for name, rows in stored["tables"].items():
        columns = inspect(connection).get_columns(name)
        there = table(name, *(column(each["name"], each["type"]) for each in columns))
        for row in rows:
            connection.execute(there.insert().values({key: _moved(value, later) for key, value in row.items()}))
        if connection.dialect.name == "postgresql" and "seq" in there.c:
            newest = select(func.max(there.c.seq)).scalar_subquery()
            connection.execute(select(func.setval(func.pg_get_serial_sequence(name, "seq"), newest)))


def _moved(value: Any, later: int) -> Any:
    return value + later if isinstance(value, int) and value in _INSTANTS else value
