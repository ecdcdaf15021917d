"""Where e-mails go slowly, in words: the workers' tellings, put together."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.living import LIVES
from engine.db.tables import processes
from engine.text.language import _, decimal, ngettext

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
        who = _("The relay %(name)s", name=self.name) if self.kind == "relay" else self.name
        if self.said:
            return _(
                "%(who)s is approached slowly, with %(pace)s, because it answered: %(said)s",
                who=who,
                pace=self._pace,
                said=self.said,
            )
        return _("%(who)s gets %(pace)s at most, as the file of limits says", who=who, pace=self._pace)

    @property
    def _pace(self) -> str:
        parts = [_a_time(self.rate)] if self.rate is not None else []
        if self.connections is not None:
            parts.append(_("%(count)s at once", count=self.connections))
        return _("%(one)s and %(other)s", one=parts[0], other=parts[1]) if parts[1:] else "".join(parts)


def _a_time(rate: float) -> str:
    """How many e-mails a second, or an hour where a second has less than one."""
    many = rate * 3600 if rate < 1 else rate
    digits = 0 if many >= FEW or round(many, 1) == round(many) else 1
    count, amount = decimal(many, digits), 1 if round(many, digits) == 1 else 2
    if rate < 1:
        return ngettext("%(count)s e-mail an hour", "%(count)s e-mails an hour", amount, count=count)
    return ngettext("%(count)s e-mail a second", "%(count)s e-mails a second", amount, count=count)


def slowness(connection: Connection) -> Sequence[Slowness]:
    """All that living workers tell: relays first, then the domains in the order of their beginning."""
    told = select(processes.c.slowed).where(processes.c.slowed.is_not(None), LIVES)
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
