"""What creators have used of their quotas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.dialects import now
from engine.db.records import columns, read
from engine.db.tables import EPOCH, quota_use
from engine.orders.budget import Budget
from engine.orders.quotas import QuotaUse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.orders.quotas import Quota, Quotas


@dataclass(frozen=True, slots=True)
class QuotaStanding:
    """A creator's quota in recipients, and what is left of it now; None: it has none of this kind."""

    creator: str
    per_minute: int | None
    left_in_minute: int | None
    per_day: int | None
    left_in_day: int | None
    exceeded: str
    next_order: datetime | None  # when one more to a single recipient has room; None: now


def standings(connection: Connection, quotas: Quotas) -> Sequence[QuotaStanding]:
    """Of the creators that the file names, and of those that have ordered lately, by name."""
    at = now(connection)
    found = read(QuotaUse, connection.execute(select(*columns(QuotaUse, quota_use.c))))
    uses = {name: QuotaUse(name, EPOCH, 0, EPOCH, 0) for name in quotas.names} | {use.creator: use for use in found}
    return [_standing(quota, uses[creator], at) for creator, quota in sorted(quotas.find(uses.keys()).items())]


def _standing(quota: Quota, use: QuotaUse, at: datetime) -> QuotaStanding:
    budget = Budget(quota, use, at)
    left = {allowance.name: allowance.left for allowance in budget.allowances()}
    earliest = budget.earliest()
    return QuotaStanding(
        use.creator,
        quota.per_minute,
        left.get("minute"),
        quota.per_day,
        left.get("day"),
        quota.exceeded,
        earliest if budget.waits(earliest) else None,
    )
