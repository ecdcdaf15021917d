"""Where e-mails go slowly, in words: the workers' tellings, put together."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.dialects import after
from engine.db.tables import ALIVE, processes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

FEW = 10.0  # e-mails; fewer are shown with a digit behind the point


@dataclass(frozen=True, slots=True)
class Slowness:
    """A relay or domain to which e-mails go slowly: since when, why, and how many from all workers."""

    kind: str
    name: str
    since: datetime
    said: str  # the reply that asked for it; empty: it is a limit of the operator's
    rate: float | None  # a second
    connections: int | None  # at once

    @property
    def text(self) -> str:
        """A sentence without its full stop."""
        who = f"The relay {self.name}" if self.kind == "relay" else self.name
        if self.said:
            return f"{who} is approached slowly, with {self._pace}, because it answered: {self.said}"
        return f"{who} gets {self._pace} at most, as the file of limits says"

    @property
    def _pace(self) -> str:
        parts = [_a_time(self.rate)] if self.rate is not None else []
        if self.connections is not None:
            parts.append(f"{self.connections} at once")
        return " and ".join(parts)


def _a_time(rate: float) -> str:
    """How many e-mails a second, or an hour where a second has less than one."""
    rate, time = (rate * 3600, "an hour") if rate < 1 else (rate, "a second")
    number = f"{rate:,.0f}" if rate >= FEW else f"{rate:.1f}".removesuffix(".0")
    return f"{number} e-mail{'' if number == '1' else 's'} {time}"


def slowness(connection: Connection) -> Sequence[Slowness]:
    """All that living workers tell: relays first, then the domains in the order of their beginning."""
    told = select(processes.c.slowed).where(processes.c.slowed.is_not(None), processes.c.seen > after(-ALIVE))
    found: dict[tuple[str, str], Slowness] = {}
    for text in connection.scalars(told):
        for each in json.loads(text):
            new = Slowness(**each | {"since": datetime.fromisoformat(each["since"])})
            known = found.get((new.kind, new.name))
            found[new.kind, new.name] = _both(known, new) if known else new
    return sorted(found.values(), key=lambda each: (each.kind != "relay", each.since))


def _both(one: Slowness, other: Slowness) -> Slowness:
    """What two workers tell: each has a pace of its own, and they share a limit."""
    since = min(one.since, other.since)
    if bool(one.said) != bool(other.said):
        return replace(one if one.said else other, since=since)
    rate = _sum(one.rate, other.rate) if one.said else one.rate
    return replace(one, since=since, rate=rate)


def _sum(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else one + other
