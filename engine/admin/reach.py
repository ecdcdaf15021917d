"""What pauses of creators and domains reach, as a condition: the rows that claims judge by `Pauses.cause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import false, or_

from engine.admin.filters import to_address

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Subquery

    from engine.queue.pauses import Pauses

LOOKED_AT = 5_000  # rows of a lane that are asked: nothing of it has an index


def reached(pauses: Pauses, rows: Subquery) -> ColumnElement[bool]:
    """Whether one of these pauses stops a row of engine/admin/soonest.py; lanes are not looked at."""
    domains = sorted(pauses.domains) if "address" in rows.c else []
    to = (to_address(rows.c.address, f"@{domain}") for domain in domains)
    return or_(false(), rows.c.creator.in_(sorted(pauses.creators)), *to)
