"""A posted recurring order: the types of its members, and their rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from engine.errors import Invalid
from engine.orders.checks import Broken, check_name
from engine.orders.cron import Cron
from engine.orders.members import Members, NullableTime, enum, validated
from engine.orders.receipts import fingerprint
from engine.orders.recurring import Missed, NewRecurring
from engine.orders.request import EmailOrderRequest
from engine.queue.windows import zones

if TYPE_CHECKING:
    from datetime import datetime

    from engine.orders.guests import Parse, Payload
    from engine.orders.new_order import NewOrder
    from engine.orders.rules import Limits

PARAMETER = "recurringOrderRequest"  # the second key beside a JSON path, as of other bodies
LONGEST_NAME = 100  # characters
MOST_RUNS = 1_000_000


class RecurringRequest(Members):
    """An order that is made again and again. Unknown members are ignored; names may be written in any case."""

    name: str = Field(description="your name for it: the same name never makes a second one")
    cron: str = Field(
        description="minute, hour, day of the month, month, day of the week, as in a crontab", examples=["0 9 * * 1"]
    )
    zone: str = Field(description="the IANA time zone of these times", examples=["Europe/Oslo"])
    until: NullableTime = Field(None, description="the last time at which a run may be; with a zone")
    runs: int | None = Field(None, description="after so many runs it ends")
    missed: Annotated[Missed, enum(Missed)] = Field(
        Missed.ONCE, description="what becomes of runs that nobody could make in time: one for all, or none"
    )
    order: EmailOrderRequest = Field(description="the order of each run, without a send time and attachments")


def parse_recurring(parse: Parse[NewOrder], value: Payload, limits: Limits, now: datetime) -> NewRecurring:
    """Check a posted recurring order, whose order `parse` checks; Invalid names each broken rule."""
    request = validated(RecurringRequest, value, PARAMETER, limits.recipients)
    broken = Broken()
    _check(request, now, broken)
    *_, posted = (member for name, member in value.items() if name.lower() == "order")  # of several, the last counts
    try:
        order = parse(posted, limits, now)
    except Invalid as error:
        for field, texts in error.errors.items():
            broken.errors[f"Order.{field}"] = texts
    if broken.errors:
        raise Invalid(broken.errors)
    times = (request.name, request.cron, request.zone, request.missed, request.until, request.runs)
    return NewRecurring(*times, order=order, fingerprint=fingerprint(value))


def _check(request: RecurringRequest, now: datetime, broken: Broken) -> None:
    if not request.name.strip() or len(request.name) > LONGEST_NAME:
        broken.add("Name", f"A name has 1 to {LONGEST_NAME} characters, which are not all blank.")
    check_name("Name", request.name, broken)
    if request.runs is not None and not 1 <= request.runs <= MOST_RUNS:
        broken.add("Runs", f"runs is a number from 1 to {MOST_RUNS:,}.")
    if request.until is not None and request.until.tzinfo is None:
        broken.add("Until", "until must have a time zone, such as Z or +01:00.")
    if request.zone in zones():
        _check_cron(request, now, broken)
    else:
        broken.add("Zone", "This is no IANA time zone, such as Europe/Oslo.")
    posted, order = request.order, broken.within("Order")
    given = {"RequestedSendTime": posted.requested_send_time, "ExpiresAt": posted.expires_at}
    for field in (field for field, member in given.items() if member is not None):
        order.add(field, "Each run of a recurring order has its own times; leave this out.")
    if posted.attachments:
        order.add("Attachments", "A recurring order has no attachments.")
    if posted.recipients_follow:
        order.add("RecipientsFollow", "A recurring order comes with its recipients.")


def _check_cron(request: RecurringRequest, now: datetime, broken: Broken) -> None:
    try:
        first = Cron.read(request.cron, request.zone).following(now)
    except ValueError as error:
        broken.add("Cron", f"{error}.")
        return
    until = request.until
    if first is None or (until and until.tzinfo and first > until):
        broken.add("Cron", "No time of this expression comes, or none before `until`.")
