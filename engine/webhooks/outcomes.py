"""What became of deliveries, and how subscriptions are released."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Connection, Integer, SmallInteger, Text, case, literal, select, update

from engine.db.dialects import Now, after
from engine.db.rows import Rows, run
from engine.db.tables import MILLISECOND, Instant, deliveries, delivery_attempts, milliseconds, subscriptions
from engine.events.fan_out import lock
from engine.models import GONE, DeliveryState, SubscriptionState
from engine.observability.audit import ITSELF, PERIOD, note
from engine.orders import new_order
from engine.orders.identities import with_defaults
from engine.templating import registry
from engine.webhooks.deliveries import next_due, pause, tests
from engine.webhooks.schedule import LIFETIME, OPENS_AFTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from engine.db.records import Delivery, Subscription
    from engine.orders.new_order import OrderRow
    from engine.templating.registry import TemplateVersion

_OUTCOMES = Rows(seq=BigInteger(), known=SmallInteger(), state=Text(), attempts=SmallInteger(), delay=BigInteger())
_RECORD = (
    update(deliveries)
    .where(
        deliveries.c.seq == _OUTCOMES["seq"],
        deliveries.c.due_at.is_not(None),
        deliveries.c.attempts <= _OUTCOMES["known"],  # else it is recorded already, and the answer was lost
    )
    .values(
        state=_OUTCOMES["state"],
        attempts=_OUTCOMES["attempts"],
        due_at=after(_OUTCOMES["delay"]),
        last_update=Now(),
    )
    .returning(deliveries.c.seq)
)
_LOG = Rows(
    delivery_seq=BigInteger(), duration_ms=Integer(), outcome=Text(), status=SmallInteger(), reply=Text()
).insert_into(delivery_attempts, at=Now())
_RELEASED = Rows(
    seq=BigInteger(),
    failures=SmallInteger(),
    open_for=BigInteger(),
    error=Text(),
    succeeded=SmallInteger(),
    next_due=Instant(),
)
_OPEN_UNTIL = after(_RELEASED["open_for"])
_RELEASE = (
    update(subscriptions)
    .where(subscriptions.c.seq == _RELEASED["seq"])
    .values(
        state=SubscriptionState.WAITING,
        claim=subscriptions.c.claim + 1,
        unresolved=0,
        failures=_RELEASED["failures"],
        open_until=_OPEN_UNTIL,
        last_error=_RELEASED["error"],
        last_success=case((_RELEASED["succeeded"] > 0, Now()), else_=subscriptions.c.last_success),
        due_at=case(
            (_RELEASED["next_due"].is_(None), None),
            (_RELEASED["next_due"] < _OPEN_UNTIL, _OPEN_UNTIL),
            else_=_RELEASED["next_due"],
        ),
    )
    .returning(subscriptions.c.seq, (subscriptions.c.due_at <= Now()).label("due"))
)


@dataclass(frozen=True, slots=True)
class Made:
    """An order that an event became, and its template."""

    row: OrderRow
    template: TemplateVersion


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one attempt: the delivery's next state and due time, and the line for its log."""

    delivery: Delivery
    state: DeliveryState
    delay: timedelta | None  # until the next attempt; None: settled
    reached: bool  # whether the attempt counts
    outcome: str
    status: int | None
    reply: str
    duration: timedelta
    gone: bool = False  # 410: the subscriber wants no more events
    retry_after: timedelta | None = None  # how long the subscriber asks to be left alone
    own_fault: bool = False  # an error of this installation, which does not count as the subscriber's failure
    made: Made | None = None  # stored with the outcome
    claim: int = 0  # of the subscription


@dataclass(frozen=True, slots=True)
class Release:
    """How a subscription is released."""

    subscription: Subscription
    failures: int
    open_for: timedelta | None
    error: str | None
    succeeded: bool  # whether it took at least one event


def record(connection: Connection, results: Sequence[Result], releases: Sequence[Release]) -> bool:
    """Write a group of outcomes and release subscriptions; returns whether one of these is due again already.

    A subscription that another worker has claimed since is left alone.
    """
    claims = {result.delivery.subscription_seq: result.claim for result in results}
    claims |= {release.subscription.seq: release.subscription.claim for release in releases}
    locked = {row.seq: row for row in connection.execute(lock(claims.keys()))}
    ours = {seq for seq, claim in claims.items() if seq in locked and locked[seq].claim == claim}
    results = [result for result in results if result.delivery.subscription_seq in ours]
    if results:
        _record(connection, results)
    releases = [release for release in releases if release.subscription.seq in ours]
    paused = tests(connection, [release.subscription.seq for release in releases]) if releases else {}
    rows = [_release_row(connection, release, paused) for release in releases]
    return any(row.due for row in run(connection, _RELEASE, rows))


def _record(connection: Connection, results: Sequence[Result]) -> None:
    recorded = run(
        connection,
        _RECORD,
        [
            {
                "seq": result.delivery.seq,
                "known": result.delivery.attempts,
                "state": result.state.value,
                "attempts": result.delivery.attempts + result.reached,
                "delay": None if result.delay is None else result.delay // MILLISECOND,
            }
            for result in results
        ],
    )
    there = {row.seq for row in recorded}  # a removal deletes deliveries before their subscription
    results = [result for result in results if result.delivery.seq in there]
    run(connection, _LOG, [_log_line(result) for result in results])
    made = [result.made for result in results if result.made]
    if made:
        registry.keep(connection, {each.template.id: each.template for each in made})
        new_order.insert(connection, with_defaults(connection, [each.row for each in made]))
    validated = {
        result.delivery.subscription_seq
        for result in results
        if result.delivery.event_seq is None and result.state is DeliveryState.DELIVERED
    }
    if validated:
        connection.execute(update(subscriptions).where(subscriptions.c.seq.in_(validated)).values(validated=True))
    _settle_tests(connection, results)
    gone = {result.delivery.subscription_seq for result in results if result.gone}
    if gone:
        pause(connection, gone, GONE)


def _release_row(
    connection: Connection, release: Release, paused: Mapping[int, datetime | None]
) -> Mapping[str, object]:
    """`paused`: of what is paused, when its test is due."""
    seq = release.subscription.seq
    if release.failures >= OPENS_AFTER:
        _expire(connection, seq)
    _tell(connection, release)
    due_at = paused[seq] if seq in paused else next_due(connection, release.subscription)
    return {
        "seq": release.subscription.seq,
        "failures": release.failures,
        "open_for": None if release.open_for is None else release.open_for // MILLISECOND,
        "error": release.error,
        "succeeded": int(release.succeeded),
        "next_due": None if due_at is None else milliseconds(due_at),
    }


def _tell(connection: Connection, release: Release) -> None:
    """Say in the audit log when an endpoint begins to fail, and when it works again; once an hour at most."""
    target, before = f"subscriptions/{release.subscription.seq}", release.subscription.failures
    if before < OPENS_AFTER <= release.failures:
        note(connection, ITSELF, "fail", target, {"reason": release.error}, any_detail=True, within=PERIOD)
    elif before >= OPENS_AFTER and not release.failures:
        note(connection, ITSELF, "recover", target, any_detail=True, within=PERIOD)


def _settle_tests(connection: Connection, results: Sequence[Result]) -> None:
    """End the tests among these results: each is one attempt, and nobody waits for another one."""
    tried = {result.delivery.seq for result in results if result.delivery.event_seq is None and result.reached}
    if not tried:
        return
    ended = update(subscriptions).where(subscriptions.c.test_seq.in_(tried)).values(test_seq=None)
    mine = {result.delivery.subscription_seq for result in results}
    were = select(subscriptions.c.test_seq).where(subscriptions.c.seq.in_(mine), subscriptions.c.test_seq.in_(tried))
    ones = connection.scalars(were).all()
    connection.execute(ended.where(subscriptions.c.seq.in_(mine)))
    over = {"state": DeliveryState.DEAD, "due_at": None}
    connection.execute(
        update(deliveries).where(deliveries.c.seq.in_(ones), deliveries.c.due_at.is_not(None)).values(over)
    )


def _expire(connection: Connection, subscription_seq: int) -> None:
    """Give up deliveries that a failing subscriber has not accepted within LIFETIME, and log why."""
    old = (
        deliveries.c.subscription_seq == subscription_seq,
        deliveries.c.due_at.is_not(None),
        deliveries.c.created < after(-LIFETIME),
    )
    text = f"not delivered within {LIFETIME // timedelta(hours=1)} hours: the endpoint kept failing"
    lines = select(deliveries.c.seq, Now(), literal(0), literal("expired"), literal(text)).where(*old)
    names = ["delivery_seq", "at", "duration_ms", "outcome", "reply"]
    connection.execute(delivery_attempts.insert().from_select(names, lines))
    connection.execute(update(deliveries).where(*old).values(state=DeliveryState.DEAD, due_at=None, last_update=Now()))


def _log_line(result: Result) -> Mapping[str, object]:
    return {
        "delivery_seq": result.delivery.seq,
        "duration_ms": result.duration // MILLISECOND,
        "outcome": result.outcome,
        "status": result.status,
        "reply": result.reply,
    }
