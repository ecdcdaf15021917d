"""What the caller of an order may do: which senders its e-mails have, and to whom a team key sends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.orders.guests import Made, Parse, Payload, to_guests

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from engine.models import Caller
    from engine.orders.rules import Limits


async def permitted(request: Request, caller: Caller, parse: Parse[Made]) -> Parse[Made]:
    """`parse` by the caller's permissions; Unavailable when they cannot be read."""
    identities = await request.app.state.senders.of(caller.creator)

    def parsed(value: Payload, limits: Limits, now: datetime) -> Made:
        return parse(value, replace(limits, identities=identities), now)

    return to_guests(parsed, caller.guests)
