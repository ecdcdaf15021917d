"""When orders may be sent: what is refused of their windows, zones and expiry, and when what is taken in is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import Invalid
from engine.orders.chain_rules import parse_chain
from engine.orders.rules import MOST_ZONES, Limits, parse_order
from engine.outbound import Guard
from engine.queue import windows
from engine.queue.calendars import Calendars
from engine.queue.windows import DAYTIME
from tests.servers.installation import chain, order

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 28, 18, tzinfo=UTC)  # a Saturday
LIMITS = Limits(10, Guard(allow_private=False), "noreply@varsel.example", 1_000)
OFFICE = {"zone": "Europe/Oslo", "days": ["monday", "Tuesday"], "from": "09:00", "to": "17:00"}
MONDAY = datetime(2026, 11, 30, 8, tzinfo=UTC)


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    file = tmp_path / "calendars.toml"
    file.write_text('[calendars.norway]\nholidays = [2026-11-30]\n[calendars.shut]\nquiet = ["00:00-24:00"]\n')
    return replace(LIMITS, calendars=Calendars(file))


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"expiresAt": "2026-11-28T18:00:00Z"}, "ExpiresAt"),
        ({"expiresAt": "2026-11-29T18:00:00"}, "ExpiresAt"),
        ({"expiresAt": "9999-11-29T18:00:00Z"}, "ExpiresAt"),
        ({"expiresAt": "2026-11-28T19:00:00Z", "requestedSendTime": "2026-11-28T19:00:00Z"}, "ExpiresAt"),
        ({"expiresAt": "2026-11-30T08:00:00Z", "sendingWindow": OFFICE}, "ExpiresAt"),
        ({"sendingWindow": OFFICE | {"zone": "Norway/Oslo"}}, "SendingWindow.Zone"),
        ({"sendingWindow": OFFICE | {"days": []}}, "SendingWindow.Days"),
        ({"sendingWindow": OFFICE | {"days": ["Mon"]}}, "SendingWindow.Days"),
        ({"sendingWindow": OFFICE | {"to": None}}, "SendingWindow.From"),
        ({"sendingWindow": OFFICE | {"from": "24:00"}}, "SendingWindow.From"),
        ({"sendingWindow": OFFICE | {"to": "9:00"}}, "SendingWindow.From"),
        ({"sendingWindow": OFFICE | {"calendar": "sweden"}}, "SendingWindow.Calendar"),
        ({"sendingWindow": OFFICE | {"calendar": "shut"}}, "SendingWindow"),
        ({"recipients": [{"emailAddress": "kari@example.no", "timeZone": "CET-1"}]}, "Recipients[0].TimeZone"),
    ],
)
def test_what_cannot_be_meant_is_refused(limits: Limits, members: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_order(order(**members), limits, NOW)
    assert list(refused.value.errors) == [field]


@pytest.mark.parametrize(
    ("window", "zones", "due"),
    [
        (OFFICE, (None,), MONDAY),
        (OFFICE, ("America/New_York", "Asia/Tokyo"), datetime(2026, 11, 30, tzinfo=UTC)),
        (OFFICE | {"calendar": "norway"}, (None,), MONDAY.replace(month=12, day=1)),
        ({"zone": "Europe/Oslo"}, (None,), NOW),
    ],
)
def test_an_order_is_due_at_the_first_opening_of_its_window(
    limits: Limits, window: dict[str, Any], zones: tuple[str | None, ...], due: datetime
) -> None:
    recipients = [{"emailAddress": "kari@example.no", "timeZone": zone} for zone in zones]
    placed = parse_order(order(recipients=recipients, sendingWindow=window), limits, NOW)
    assert placed.due_at == due
    assert placed.requested_send_time is None


def test_orders_of_the_second_generation_have_windows_too_and_daytime_is_one(limits: Limits) -> None:
    asked = chain("first@example.no", "second@example.no", sendingWindow=OFFICE, expiresAt="2026-12-24T00:00:00Z")
    for recipient in (asked["recipient"], asked["reminders"][0]["recipient"]):
        recipient["recipientEmail"]["emailSettings"] |= {"sendingTimePolicy": "Daytime"}
    asked["requestedSendTime"] = asked["reminders"][0]["requestedSendTime"] = "2026-11-28T19:00:00Z"
    first, reminder = parse_chain(asked, limits, NOW).orders
    assert (first.due_at, first.expires_at) == (MONDAY, datetime(2026, 12, 24, tzinfo=UTC))
    assert (reminder.sending_window, reminder.due_at) == (DAYTIME, MONDAY.replace(month=11, day=29))
    with pytest.raises(Invalid) as refused:
        parse_chain(asked | {"sendingWindow": OFFICE | {"zone": "x"}}, limits, NOW)
    assert list(refused.value.errors) == ["SendingWindow.Zone"]
    asked["reminders"][0]["expiresAt"] = "2026-11-28T20:00:00Z"
    with pytest.raises(Invalid) as refused:
        parse_chain(asked, limits, NOW)
    assert list(refused.value.errors) == ["Reminders[0].ExpiresAt"], "it opens on the next day"


def test_the_zones_of_a_window_are_bounded(limits: Limits) -> None:
    names = sorted(windows.zones())[: MOST_ZONES + 1]
    recipients = [{"emailAddress": "kari@example.no", "timeZone": zone} for zone in names]
    many = replace(limits, recipients=MOST_ZONES + 1)
    assert parse_order(order(recipients=recipients[:-1], sendingWindow=OFFICE), many, NOW).due_at
    with pytest.raises(Invalid) as refused:
        parse_order(order(recipients=recipients, sendingWindow=OFFICE), many, NOW)
    assert list(refused.value.errors) == ["Recipients"]
