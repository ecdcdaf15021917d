"""The processes that live, and which of the schedulers keep the clock.

None of them leads: each does all of the clock's work, which may be done twice (scheduler/jobs.py). So what matters is
that one of them works.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.db.dialects import after
from engine.db.living import LIVES
from engine.db.tables import processes

if TYPE_CHECKING:
    from sqlalchemy import Connection

SILENT = timedelta(seconds=4)  # since its last heartbeat, for which a scheduler counts as keeping the clock
KEPT, MISSED = "kept", "silent"  # a scheduler's `clock`


def living(connection: Connection) -> list[dict[str, Any]]:
    """Those that live, as rows with `clock` (None: no scheduler); what is gone says nothing any more."""
    chosen = select(processes, (processes.c.seen > after(-SILENT)).label("heard"))
    chosen = chosen.where(LIVES).order_by(processes.c.kind, processes.c.started)
    found = [dict(row._mapping) for row in connection.execute(chosen)]  # noqa: SLF001 SQLAlchemy's documented name
    for each in found:
        heard = each.pop("heard")
        each["clock"] = (KEPT if heard else MISSED) if each["kind"] == "scheduler" else None
    return found
