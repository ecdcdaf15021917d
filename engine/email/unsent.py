"""E-mails that are not to be sent: what became of them instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.email.outcomes import unsent
from engine.models import EXPIRY_HOURS, DeliveryGuarantee, EmailState
from engine.queue import due
from engine.text.addresses import wire_address

if TYPE_CHECKING:
    from datetime import datetime

    from engine.db.records import Email, Letter
    from engine.email.outcomes import Result

_IN_DOUBT = "in doubt: a worker ended while it worked on this; not sent again, as the order asks for at most once"


def settled(email: Email, order: Letter, now: datetime) -> Result | None:
    """What became of an e-mail that is not to be sent; None: it is to be sent."""
    if due.is_lost(email):
        text = f"set aside: {email.unresolved - 1} workers ended while they worked on it"
        return unsent(email, EmailState.FAILED, "abandoned", text)
    if email.unresolved > 1 and order.guarantee == DeliveryGuarantee.AT_MOST_ONCE:
        return unsent(email, EmailState.FAILED, "in_doubt", _IN_DOUBT)
    if now >= email.expires_at:
        return unsent(email, EmailState.FAILED_TTL, "expired", f"not delivered within {EXPIRY_HOURS} hours")
    try:
        wire_address(email.address)
    except ValueError as error:
        return unsent(email, EmailState.FAILED_INVALID_EMAIL_FORMAT, "abandoned", f"not sent: {error}")
    return None
