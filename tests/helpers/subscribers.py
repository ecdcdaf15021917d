"""Subscribers of a store: subscribing, publishing, pushing, and reading the outcomes."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select, update

from engine.db.dialects import Now
from engine.db.tables import deliveries, delivery_attempts, subscriptions
from engine.events.storing import persist
from engine.models import Caller
from engine.outbound import Guard, Outbound
from engine.subscriptions.signing import Signer
from engine.subscriptions.spec import SubscriptionSpec
from engine.templating.own import Own
from engine.webhooks import call
from engine.webhooks.mail_sink import MailSink
from tests.helpers.pushing import Pushing
from tests.helpers.rows import APP, add_subscription, now
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from engine.db.store import Store
    from engine.models import CloudEvent

LEASE = LONG
PART = 200  # events of one transaction: with five subscriptions, as many deliveries as one queues itself
SECOND = timedelta(seconds=1)
BASE = "http://127.0.0.1:5090/events/api/v1"
SIGNER = Signer(b"the key of these tests, long enough")
TTD = Caller("ttd", frozenset(), platform=False, identity="/org/ttd")


def run(
    store: Store,
    work: Callable[[Pushing], Awaitable[Any]],
    within: timedelta = LONG,
    templates: Path | None = None,
) -> Any:
    async def opened() -> Any:
        outbound = Outbound(Guard(allow_private=True), within=within)
        caller = call.Courier(outbound, SIGNER, BASE)
        mail_sink = MailSink(Own(templates), "noreply@varsel.example")
        try:
            return await work(Pushing(store, caller, mail_sink, LEASE))
        finally:
            await outbound.close()

    return asyncio.run(opened())


def push(store: Store, within: timedelta = LONG) -> datetime:
    """Push what is due; returns when that began."""
    began = now()
    run(store, lambda pusher: pusher.run(), within)
    return began


def subscribe(store: Store, endpoint: str, **values: Any) -> int:
    with store.write() as connection:
        return add_subscription(connection, endpoint, **values)


def spec_for(endpoint: str, subject: str | None = None) -> SubscriptionSpec:
    """A subscription to an app's events, as its consumer posts it."""
    return SubscriptionSpec(
        endpoint=endpoint,
        source_filter=None,
        source_prefix=None,
        resource_filter=APP,
        subject_filter=subject,
        alternative_subject_filter=None,
        types=(),
        type_as_given=None,
        include_subunits=False,
        ordered=False,
        template=None,
        is_app=True,
    )


def publish(store: Store, *events: CloudEvent) -> int:
    """Publish in parts small enough to be fanned out at once, since another lane does larger ones."""
    queued = 0
    for start in range(0, len(events), PART):
        with store.write() as connection:
            queued += persist(connection, events[start : start + PART]).deliveries
    return queued


def subscription(store: Store, seq: int) -> Row[Any]:
    with store.read() as connection:
        return connection.execute(select(subscriptions).where(subscriptions.c.seq == seq)).one()


def deliveries_of(store: Store, seq: int) -> Sequence[Row[Any]]:
    chosen = select(deliveries).where(deliveries.c.subscription_seq == seq).order_by(deliveries.c.seq)
    with store.read() as connection:
        return connection.execute(chosen).all()


def attempts(store: Store, seq: int) -> Sequence[Row[Any]]:
    chosen = select(delivery_attempts).join(deliveries).where(deliveries.c.subscription_seq == seq)
    with store.read() as connection:
        return connection.execute(chosen.order_by(delivery_attempts.c.seq)).all()


def hurry(store: Store, seq: int) -> None:
    """Make rows that wait for their next attempt or circuit due now."""
    with store.write() as connection:
        waiting = (deliveries.c.subscription_seq == seq, deliveries.c.due_at.is_not(None))
        connection.execute(update(deliveries).where(*waiting).values(due_at=Now()))
        mine = update(subscriptions).where(subscriptions.c.seq == seq, subscriptions.c.due_at.is_not(None))
        connection.execute(mine.values(due_at=Now(), open_until=None))


def seconds_until_due(store: Store, seq: int) -> float:
    with store.read() as connection:
        due_at, clock = connection.execute(
            select(subscriptions.c.due_at, Now()).where(subscriptions.c.seq == seq)
        ).one()
    return float((due_at - clock).total_seconds())
