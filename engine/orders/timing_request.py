"""When a posted order may be sent, beyond the contract: the types of these members; their rules are in timing.py."""

from __future__ import annotations

from pydantic import Field

from engine.orders.members import Members, NullableTime


class SendingWindow(Members):
    """On which days and at what time of day e-mails may leave; what is not given limits nothing."""

    zone: str = Field(description="the IANA time zone; a recipient's timeZone goes before it", examples=["Europe/Oslo"])
    days: list[str] | None = Field(None, description="Monday to Sunday; default: all", examples=[["Monday"]])
    begin: str | None = Field(None, alias="from", description="a time such as 09:00; only with `to`")
    to: str | None = Field(
        None, description="the end, which is not within; up to 24:00, or past midnight if it is not after `from`"
    )
    calendar: str | None = Field(None, description="a calendar of the installation: its holidays and quiet hours count")


class Timing(Members):
    """When an order may be sent, and until when."""

    expires_at: NullableTime = Field(
        None, description="nothing is sent from this time on; with a zone; default: 48 hours after it could be sent"
    )
    sending_window: SendingWindow | None = Field(
        None, description="when e-mails may leave; outside of it, they wait for the next opening"
    )
