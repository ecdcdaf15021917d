"""What operators have paused: lanes, creators, recipients' domains. A subscription carries its own pause.

Nothing is claimed from a paused lane. A row of a paused creator or domain is paused when it becomes due: the claim that
finds it removes its due time and records which pause stopped it. The row leaves the index of due work, so a paused
backlog costs other rows nothing. When a pause ends, its rows become due again unless another pause stops them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.tables import pauses
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

LANE, CREATOR, DOMAIN = KINDS = ("lane", "creator", "domain")


@dataclass(frozen=True, slots=True)
class Pauses:
    """What is paused, by kind."""

    lanes: frozenset[str] = frozenset()
    creators: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()  # as `addresses.compared`

    def cause(self, creator: str, address: str = "") -> str | None:
        """The pause that stops an order of this creator, or its e-mail to this address; None if there is none."""
        if creator in self.creators:
            return f"{CREATOR}:{creator}"
        domain = domain_of(address)
        return f"{DOMAIN}:{domain}" if domain in self.domains else None

    def without(self, kind: str, values: Collection[str]) -> Pauses:
        """The pauses that remain when these values of a kind are taken out."""
        of = f"{kind}s"
        return replace(self, **{of: getattr(self, of) - frozenset(values)})


_NONE = Pauses()
_PAUSED = select(pauses.c.kind, pauses.c.value)
_LOCKED = _PAUSED.with_for_update(read=True, key_share=True)


def in_force(connection: Connection, *, lock: bool = False) -> Pauses:
    """What is paused now. With `lock`, no pause ends before the transaction does."""
    found = connection.execute(_LOCKED if lock else _PAUSED).all()
    if not found:
        return _NONE
    of = {kind: frozenset(row.value for row in found if row.kind == kind) for kind in KINDS}
    return Pauses(of[LANE], of[CREATOR], of[DOMAIN])
