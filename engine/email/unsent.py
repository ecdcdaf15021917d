"""E-mails that are not to be sent: what became of them instead."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.email.outcomes import unsent
from engine.errors import Invalid
from engine.models import EXPIRY_HOURS, DeliveryGuarantee, EmailState
from engine.queue import due
from engine.text.addresses import wire_address
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from engine.db.records import Email, Letter
    from engine.email.outcomes import Result

log = logging.getLogger(__name__)

_IN_DOUBT = "in doubt: a worker ended while it worked on this; not sent again, as the order asks for at most once"


def settled(email: Email, order: Letter, now: datetime) -> Result | None:
    """What became of an e-mail that is not to be sent; None: it is to be sent."""
    if due.is_lost(email):
        text = f"set aside: {email.unresolved - 1} workers ended while they worked on it"
        return unsent(email, EmailState.FAILED, "abandoned", text)
    if email.unresolved > 1 and order.guarantee == DeliveryGuarantee.AT_MOST_ONCE:
        return unsent(email, EmailState.FAILED, "in_doubt", _IN_DOUBT)
    if order.withdrawn_at and order.withdrawn_until is None:
        text = "a worker ended while it worked on this, before" if email.unresolved > 1 else "not sent:"
        word = "in_doubt" if email.unresolved > 1 else "cancelled"
        return unsent(email, EmailState.CANCELLED, word, f"{text} its creator withdrew the order")
    if now >= email.expires_at:
        return unsent(email, EmailState.FAILED_TTL, "expired", _late(email, order))
    try:
        wire_address(email.address)
    except ValueError as error:
        return unsent(email, EmailState.FAILED_INVALID_EMAIL_FORMAT, "abandoned", f"not sent: {error}")
    return None


def unmade(email: Email, error: Exception) -> Result:
    """What became of an e-mail whose message cannot be made: it would fail at every attempt."""
    if isinstance(error, Invalid):
        log.info("the template of e-mail %s cannot be rendered", email.id)
        text = f"its template cannot be rendered: {error}"
    else:
        log.error("no message can be made of e-mail %s", email.id, exc_info=error)
        text = f"no message can be made: {type(error).__name__}"
    return unsent(email, EmailState.FAILED, "abandoned", text)


def _late(email: Email, order: Letter) -> str:
    if order.expires_at == email.expires_at:
        return f"not sent before the order's expiresAt, {rfc3339(email.expires_at)}"
    return f"not delivered within {EXPIRY_HOURS} hours"
