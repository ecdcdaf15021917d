"""What a worker keeps of one subscription: its window, its circuit, and what waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.db.records import Delivery, Subscription
from engine.models import DeliveryState
from engine.webhooks.backlog import AHEAD, LOOK_EVERY, Backlog
from engine.webhooks.deliveries import FETCH, size
from engine.webhooks.outcomes import Result
from engine.webhooks.schedule import OPENS_AFTER
from engine.webhooks.window import AT_ONCE, Circuit, Window

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_subscription(*, ordered: bool = False, failures: int = 0) -> Subscription:
    return Subscription(
        seq=1,
        due_at=NOW,
        claim=1,
        unresolved=1,
        failures=failures,
        endpoint="https://receiver.example/",
        consumer="/org/ttd",
        creator="ttd",
        party=None,
        template=None,
        salt="salt",
        old_salt=None,
        old_salt_until=None,
        ordered=ordered,
        validated=True,
        paused_reason=None,
        test_seq=None,
    )


def a_delivery(seq: int, text: str = "{}") -> Delivery:
    return Delivery(seq, 1, seq, 0, NOW, f"event {seq}", "https://source.example/", None, "urn:altinn:resource:x", text)


def a_result(delivery: Delivery, outcome: str = "deferred", *, retry_after: timedelta | None = None) -> Result:
    state = DeliveryState.DELIVERED if outcome == "accepted" else DeliveryState.WAITING
    return Result(delivery, state, MINUTE, True, outcome, 503, "", timedelta(0), retry_after=retry_after)


def test_a_window_is_earned_call_by_call_and_lost_at_once() -> None:
    window = Window()
    widths = []
    for _ in range(AT_ONCE + 2):
        widths.append(window.width)
        window.succeeded()
    assert widths == [*range(1, AT_ONCE + 1), AT_ONCE, AT_ONCE]
    window.failed()
    assert window.width == 1


def test_a_circuit_opens_after_failures_in_a_row_and_a_success_closes_it() -> None:
    circuit = Circuit(0)
    opened = []
    for _ in range(OPENS_AFTER):
        circuit.failed(alone=True)
        opened.append(circuit.open_for is not None)
    assert opened == [False] * (OPENS_AFTER - 1) + [True]
    circuit.succeeded()
    assert (circuit.failures, circuit.open_for) == (0, None)


def test_what_fails_side_by_side_opens_a_circuit_no_longer() -> None:
    backlog = Backlog(a_subscription(failures=OPENS_AFTER - 1))
    for seq in range(3):
        backlog.note(a_result(a_delivery(seq)))
    assert backlog.closed
    released = backlog.release()
    assert (released.failures, released.open_for is not None) == (OPENS_AFTER, True)
    assert released.error == "an event was not accepted: status 503"


def test_a_subscriber_that_asks_for_patience_is_left_alone_for_the_longest_that_it_asks_for() -> None:
    backlog = Backlog(a_subscription())
    backlog.note(a_result(a_delivery(1), retry_after=2 * MINUTE))
    backlog.note(a_result(a_delivery(2), retry_after=MINUTE))
    assert (backlog.closed, backlog.release().open_for) == (True, 2 * MINUTE)


def test_a_backlog_is_done_when_nothing_waits_is_called_or_may_be_there() -> None:
    backlog = Backlog(a_subscription())
    done = [backlog.done]  # nobody has looked
    backlog.add(backlog.subscription, [a_delivery(1)], 0.0, whole=True)
    done.append(backlog.done)
    delivery = backlog.waiting.popleft()
    backlog.calls += 1
    done.append(backlog.done)
    backlog.calls -= 1
    backlog.note(a_result(delivery, "accepted"))
    assert [*done, backlog.done] == [False, False, False, True]


def test_what_waited_for_an_event_of_an_ordered_subscription_is_looked_for() -> None:
    backlog = Backlog(a_subscription(ordered=True))
    backlog.add(backlog.subscription, [a_delivery(1)], 0.0, whole=True)
    backlog.note(a_result(backlog.waiting.popleft(), "accepted"))
    assert not backlog.done


@pytest.mark.parametrize(("known", "wants"), [(0, True), (FETCH // 2 - 1, True), (FETCH // 2, False)])
def test_more_is_looked_for_when_little_is_left(known: int, *, wants: bool) -> None:
    backlog = Backlog(a_subscription())
    backlog.add(backlog.subscription, [a_delivery(seq) for seq in range(known)], 0.0, whole=False)
    assert backlog.wants(0.0, texts_fit=True) is wants
    assert not backlog.wants(0.0, texts_fit=False)
    assert backlog.wants(LOOK_EVERY, texts_fit=False), "it may be paused by now"
    backlog.closed = True
    assert not backlog.wants(LOOK_EVERY, texts_fit=True)


def test_bytes_in_memory_are_counted_until_the_outcome_is_recorded() -> None:
    backlog = Backlog(a_subscription())
    large = a_delivery(1, "x" * AHEAD)
    assert backlog.add(backlog.subscription, [large], 0.0, whole=False) == size(large) > AHEAD
    assert not backlog.wants(0.0, texts_fit=True)
    assert backlog.forget(large) == size(large)
    assert (backlog.size, backlog.room, backlog.known) == (0, AHEAD, set())


def test_what_has_ended_takes_nothing_along_any_more() -> None:
    backlog = Backlog(a_subscription())
    backlog.add(backlog.subscription, [], 0.0, whole=True)
    assert backlog.end_if_done()
    assert backlog.ended.is_set()
    assert not backlog.wants(LOOK_EVERY, texts_fit=True)
    busy = Backlog(a_subscription())
    assert not busy.end_if_done()
    assert not busy.ended.is_set()
