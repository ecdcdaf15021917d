"""The audit log: who did what to what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.store import Now
from engine.tables import audit_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


def note(connection: Connection, who: str, action: str, target: str, detail: Mapping[str, Any] | None = None) -> None:
    """Write a line, in the transaction of the act itself. `target`: such as subscriptions/12."""
    line = {"at": Now(), "who": who, "action": action, "target": target, "detail": json.dumps(detail or {})}
    connection.execute(audit_log.insert().values(line))
