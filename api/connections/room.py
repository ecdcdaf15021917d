"""Room for one more connection: the client that keeps us waiting longest makes it; health checks always find some."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.observability import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.connections.connection import Connection

SPARE = 32  # connections for health checks, when requests at work have all others
HEALTH = frozenset({b"/livez", b"/health", b"/readyz", b"/metrics"})


def finds_room(others: Sequence[Connection], most: int) -> bool:
    """Whether there can be another one of the usual connections, one of which may end for it."""
    usual = [each for each in others if not each.spare]
    return len(usual) < most or _end_longest(usual)


def finds_spare_room(others: Sequence[Connection]) -> bool:
    """Whether there can be another one of SPARE, one of which may end for it."""
    spare = [each for each in others if each.spare]
    return len(spare) < SPARE or _end_longest(spare)


def _end_longest(connections: Sequence[Connection]) -> bool:
    """End the one of them that has kept us waiting longest; False: all are at work."""
    waiting = [each for each in connections if each.keeps_waiting]
    if not waiting:
        return False
    longest = min(waiting, key=_rank)
    metrics.CUT_CONNECTIONS.labels("full").inc()
    longest.connections.discard(longest)
    longest.transport.abort()
    return True


def _rank(connection: Connection) -> tuple[bool, bool, float]:
    """Which ends first: one that never got an answer, then one that rests, then the one that has waited longest."""
    return connection.served, not connection.rests, connection.since
