"""A posted new send time of an order, and its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from engine.errors import Invalid
from engine.orders.checks import GRACE, Broken, check_time
from engine.orders.members import Members, NullableTime, Time, validated
from engine.orders.new_order import TOO_FAR
from engine.orders.withdrawing import Aim

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

PARAMETER = "rescheduleRequest"  # the second key beside a JSON path, as of other bodies


class RescheduleRequest(Members):
    """When an order is to be sent instead."""

    requested_send_time: Time = Field(description="not before this time; with a zone")
    expires_at: NullableTime = Field(None, description="likewise: nothing is sent from then on; default: as before")


def parse_reschedule(value: Mapping[str, object], now: datetime) -> Aim:
    """Check a new send time; Invalid names each broken rule."""
    request = validated(RescheduleRequest, value, PARAMETER, 0)
    broken = Broken()
    check_time(request.requested_send_time, now - GRACE, broken)
    expires = request.expires_at
    if expires is not None and (expires.tzinfo is None or expires >= TOO_FAR):
        broken.add("ExpiresAt", f"expiresAt must have a time zone, and be before the year {TOO_FAR.year}.")
    if broken.errors:
        raise Invalid(broken.errors)
    return Aim(request.requested_send_time, expires)
