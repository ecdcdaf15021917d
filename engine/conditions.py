"""Send conditions: just before an order is sent, its sender's own endpoint may stop it (contract 6.7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING

from engine.outbound import Failure

if TYPE_CHECKING:
    from engine.outbound import Outbound


class Verdict(Enum):
    """What the endpoint said; what an inconclusive answer leads to is the order's affair."""

    MET = auto()
    NOT_MET = auto()
    INCONCLUSIVE = auto()


@dataclass(frozen=True, slots=True)
class Condition:
    """A verdict and, for the log, its reason."""

    verdict: Verdict
    reason: str


async def ask(outbound: Outbound, url: str) -> Condition:
    """Ask once: 2xx with the JSON member `sendNotification` true or false; anything else is inconclusive."""
    answer = await outbound.get(url)
    if isinstance(answer, Failure):
        return Condition(Verdict.INCONCLUSIVE, answer.reason)
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return Condition(Verdict.INCONCLUSIVE, f"status {answer.status}")
    try:
        said = json.loads(answer.body) if answer.complete else None
    except (ValueError, RecursionError):
        said = None
    value = said.get("sendNotification") if isinstance(said, dict) else None
    if not isinstance(value, bool):
        return Condition(Verdict.INCONCLUSIVE, "no boolean member sendNotification in the answer")
    return Condition(Verdict.MET if value else Verdict.NOT_MET, f"sendNotification is {str(value).lower()}")
