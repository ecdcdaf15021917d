"""Conditions: just before an order is sent, its sender's own endpoint may stop it (contract 6.7)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from engine.outbound import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.outbound import Outbound


class Verdict(StrEnum):
    """What the endpoint said; the caller decides what follows from an inconclusive answer."""

    MET = "met"
    NOT_MET = "not met"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Condition:
    """A verdict and, for the operator's log, its reason."""

    verdict: Verdict
    reason: str


async def ask(outbound: Outbound, url: str, creator: str, credential: Sequence[tuple[str, str]] = ()) -> Condition:
    """Ask once, on behalf of an order's creator; `credential`: header fields that prove who asks.

    The answer is 2xx with the JSON member `sendNotification` true or false; anything else is inconclusive.
    """
    answer = await outbound.get(url, credential, party=creator)
    if isinstance(answer, Failure):
        return Condition(Verdict.INCONCLUSIVE, answer.reason)
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return Condition(Verdict.INCONCLUSIVE, f"status {answer.status}")
    if not answer.complete:
        return Condition(Verdict.INCONCLUSIVE, "the answer is too long")
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return Condition(Verdict.INCONCLUSIVE, "the answer is not JSON")
    value = said.get("sendNotification") if isinstance(said, dict) else None
    if not isinstance(value, bool):
        return Condition(Verdict.INCONCLUSIVE, "the answer has no boolean member sendNotification")
    return Condition(Verdict.MET if value else Verdict.NOT_MET, f"sendNotification is {str(value).lower()}")
