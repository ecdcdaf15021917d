"""What a creator has left of its quota: windows by the clock, what is refused and for how long, and what is paced."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from api.rate_limits import rate_limits
from engine.db.tables import EPOCH, MILLISECOND
from engine.errors import Invalid, QuotaExceeded
from engine.orders.budget import Budget
from engine.orders.quotas import Excess, Quota, QuotaUse

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
AT = NOON + timedelta(seconds=20.5)
MINUTE = timedelta(minutes=1)
TODAY, TOMORROW = datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)
BOTH = Quota(per_minute=10, per_day=100)


def budget(quota: Quota, minute: tuple[datetime, int] = (EPOCH, 0), day: tuple[datetime, int] = (EPOCH, 0)) -> Budget:
    return Budget(quota, QuotaUse("ttd", *minute, *day), AT)


def paced(per_minute: int | None, per_day: int | None = None) -> Quota:
    return Quota(per_minute, per_day, Excess.PACE)


def taken(its: Budget, *orders: int) -> list[datetime]:
    """From when on orders to so many may be due, which come one after another."""
    found = []
    for recipients in orders:
        moment = its.admit(recipients)
        assert isinstance(moment, datetime)
        its.take(moment, recipients)
        found.append(moment)
    return found


def counted(its: Budget) -> dict[str, datetime | int]:
    """What would be stored of it."""
    stored = {name: value for name, value in its.counted().items() if isinstance(value, int)}
    return stored | {name: EPOCH + stored[name] * MILLISECOND for name in ("minute", "day")}


def refused(its: Budget, recipients: int) -> QuotaExceeded:
    refusal = its.admit(recipients)
    assert isinstance(refusal, QuotaExceeded)
    return refusal


def test_the_fields_tell_both_quotas_and_what_is_left_of_them() -> None:
    its = budget(BOTH, day=(TODAY, 50))
    assert taken(its, 4) == [AT]
    assert rate_limits(its.allowances()) == {
        "RateLimit-Policy": '"minute";q=10;qu="recipients";w=60, "day";q=100;qu="recipients";w=86400',
        "RateLimit": '"minute";r=6;t=40, "day";r=46;t=43180',
    }
    assert counted(its) == {"minute": NOON, "in_minute": 4, "day": TODAY, "in_day": 54}


def test_without_a_quota_there_are_no_fields() -> None:
    assert rate_limits(()) == {}


def test_what_exceeds_a_minute_is_refused_until_the_next_and_less_is_not() -> None:
    its = budget(BOTH, minute=(NOON, 8))
    refusal = refused(its, 3)
    assert refusal.retry_after == timedelta(seconds=39.5)
    assert rate_limits(refusal.allowances) == {
        "RateLimit-Policy": '"minute";q=10;qu="recipients";w=60',
        "RateLimit": '"minute";r=2;t=40',
    }
    assert "10 recipients a minute, of which 2 are left; an order to 3" in str(refusal)
    assert not its.changed
    assert taken(its, 2) == [AT]


def test_what_exceeds_a_day_is_refused_until_midnight_utc() -> None:
    assert refused(budget(BOTH, day=(TODAY, 99)), 2).retry_after == TOMORROW - AT


def test_what_exceeds_both_is_refused_until_both_have_room() -> None:
    refusal = refused(budget(BOTH, minute=(NOON, 10), day=(TODAY, 100)), 1)
    assert refusal.retry_after == TOMORROW - AT
    assert [(each.name, each.left) for each in refusal.allowances] == [("minute", 0), ("day", 0)]


def test_a_window_that_is_over_counts_no_more() -> None:
    its = budget(BOTH, minute=(NOON - MINUTE, 10), day=(TODAY - timedelta(days=1), 100))
    assert taken(its, 10) == [AT]
    assert counted(its) == {"minute": NOON, "in_minute": 10, "day": TODAY, "in_day": 10}


def test_an_order_that_never_fits_is_told_so_instead_of_a_time() -> None:
    of_reminders = budget(BOTH).admit(11, reminders=True)
    assert isinstance(of_reminders, Invalid)
    assert [*of_reminders.errors] == ["Reminders"]
    refusal = budget(BOTH).admit(11)
    assert isinstance(refusal, Invalid)
    assert refusal.errors == {"Recipients": ["An order of this creator has at most 10 recipients; split it."]}


def test_a_quota_that_was_lowered_below_what_is_used_has_nothing_left() -> None:
    its = budget(Quota(per_day=10), day=(TODAY, 50))
    assert [each.left for each in its.allowances()] == [0]
    assert refused(its, 1).retry_after == TOMORROW - AT


def test_paced_orders_count_in_the_first_minute_that_has_room() -> None:
    its = budget(paced(10))
    assert taken(its, 6, 6, 4, 1) == [AT, NOON + MINUTE, NOON + MINUTE, NOON + 2 * MINUTE]
    assert counted(its) == {"minute": NOON + 2 * MINUTE, "in_minute": 1, "day": EPOCH, "in_day": 0}
    assert rate_limits(its.allowances())["RateLimit"] == '"minute";r=0;t=100'


def test_a_paced_order_that_is_larger_than_the_quota_uses_the_next_minutes_up() -> None:
    its = budget(paced(10))
    assert taken(its, 25, 5, 1) == [AT, NOON + 2 * MINUTE, NOON + 3 * MINUTE]
    its = budget(paced(10))
    assert taken(its, 1, 30, 1) == [AT, NOON + MINUTE, NOON + 4 * MINUTE]


def test_paced_orders_go_over_to_the_next_day() -> None:
    its = budget(paced(10, 15), day=(TODAY, 4))
    assert taken(its, 10, 2, 8, 2, 3) == [AT, TOMORROW, TOMORROW, TOMORROW + MINUTE, TOMORROW + MINUTE]


def test_no_paced_order_waits_for_more_than_a_day() -> None:
    its = budget(paced(None, 10), day=(TODAY, 10))
    assert taken(its, 10) == [TOMORROW]
    refusal = refused(its, 1)
    assert refusal.retry_after == TOMORROW - AT
    assert rate_limits(refusal.allowances)["RateLimit"] == '"day";r=0;t=43180'
    assert str(refusal).endswith("an order to 1 would wait for more than a day.")


def test_what_waits_already_counts_when_a_creator_is_not_paced_any_more() -> None:
    its = budget(Quota(per_minute=10), minute=(NOON + 3 * MINUTE, 9))
    assert refused(its, 1).retry_after == NOON + 3 * MINUTE - AT
    assert refused(its, 2).retry_after == NOON + 4 * MINUTE - AT


@pytest.mark.parametrize("recipients", [1, 7, 10, 11, 40])
def test_no_minute_is_given_more_than_its_quota_unless_by_one_order(recipients: int) -> None:
    its = budget(paced(10))
    moments = taken(its, *[recipients] * 30)
    minutes = [(moment - NOON) // MINUTE for moment in moments]
    assert all(recipients * count <= 10 or count == 1 for count in Counter(minutes).values())
    assert minutes == sorted(minutes)
    assert minutes[-1] >= 29 * recipients // 10
