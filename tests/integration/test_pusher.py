"""From stored events to the subscribers' endpoints, on both databases: outcomes, schedule, circuit, order, fencing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Row, delete, insert, select, update
from standardwebhooks import Webhook

from engine.admin import details
from engine.auth.access import Rules
from engine.db.dialects import Now, after
from engine.db.retention import prune_some
from engine.db.tables import deliveries, delivery_attempts, orders, subscriptions
from engine.events.storing import persist
from engine.models import Caller, DeliveryState, OrderState
from engine.outbound import Guard, Outbound
from engine.queue import due
from engine.queue.runner import Runner
from engine.subscriptions import registry
from engine.subscriptions.signing import Signer
from engine.subscriptions.spec import SubscriptionSpec
from engine.webhooks import call, pusher, queue, window
from engine.webhooks.mail_sink import MailSink
from engine.webhooks.rendering import Templates
from engine.webhooks.schedule import LIFETIME, OPENS_AFTER, SCHEDULE, VALIDATION
from tests.helpers.claims import a_subscription
from tests.helpers.outbound import LATE
from tests.helpers.pushing import Pushing
from tests.helpers.rows import APP, add_subscription, an_event, now
from tests.helpers.waiting import LONG, SHORT, due_between, wait_for
from tests.servers.http import Close, Hang, Receiver, Say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path
    from uuid import UUID

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
        mail_sink = MailSink(Templates(templates), "noreply@varsel.example")
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
    """In parts that are fanned out at once: what is put off is another lane's work."""
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
    """Make due now what waits for its next attempt or for its circuit."""
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


def test_an_event_reaches_those_that_it_matches_signed_and_once(store: Store) -> None:
    event = an_event(alternative_subject="/org/910514318")
    with Receiver(Say(200)) as receiver:
        matching = [
            subscribe(store, f"{receiver.url}/all"),
            subscribe(store, f"{receiver.url}/subject", subject="s/party/50019855"),
            subscribe(store, f"{receiver.url}/alternative", subject="a/organisation/910514318"),
            subscribe(store, f"{receiver.url}/types", types=("app.instance.*", "app.instance.created", "x")),
            subscribe(store, f"{receiver.url}/source", source_start="https://ttd.apps.altinn.no/ttd/apps-test/"),
        ]
        others = [
            subscribe(store, receiver.url, subject="s/party/1"),
            subscribe(store, receiver.url, types=("app.instance.created.*", "app.instance")),
            subscribe(store, receiver.url, source_start="https://ttd.apps.altinn.no/ttd/apps/"),
            subscribe(store, receiver.url, resource_filter="urn:altinn:resource:app_ttd_apps"),
            subscribe(store, receiver.url, validated=False),
        ]
        assert publish(store, event, event) == len(matching)
        assert publish(store, event) == 0
        push(store)

    assert sorted(request.target for request in receiver.requests) == [
        "/all",
        "/alternative",
        "/source",
        "/subject",
        "/types",
    ]
    for request in receiver.requests:
        assert request.method == "POST"
        assert request.headers["content-type"] == "application/json; charset=utf-8"
        assert request.body == event.text.encode()
        assert request.headers["webhook-id"].startswith("evt_")
        Webhook(SIGNER.secret("salt")).verify(request.body, request.headers)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    for seq in matching:
        [delivery], [attempt], row = deliveries_of(store, seq), attempts(store, seq), subscription(store, seq)
        assert (delivery.state, delivery.due_at, delivery.attempts) == (DeliveryState.DELIVERED, None, 1)
        assert (attempt.outcome, attempt.status) == ("accepted", 200)
        assert (row.due_at, row.unresolved, row.failures, row.last_error) == (None, 0, 0, None)
    assert not any(deliveries_of(store, seq) for seq in others)


def test_many_events_reach_many_subscribers(store: Store) -> None:
    with Receiver(Say(204)) as receiver:
        seqs = [subscribe(store, f"{receiver.url}/{number}") for number in range(5)]
        events = [an_event(subject=f"/party/{number}") for number in range(300)]
        assert publish(store, *events) == 1500
        push(store)
    assert len({(request.target, request.body) for request in receiver.requests}) == 1500
    assert len(receiver.requests) == 1500
    assert receiver.connections <= 5 * window.AT_ONCE
    assert all(row.state == DeliveryState.DELIVERED for seq in seqs for row in deliveries_of(store, seq))


@pytest.mark.parametrize(
    ("action", "status", "reply"),
    [
        (Say(500, b"no \0 disk"), 500, "no \ufffd disk"),
        (Say(404), 404, ""),
        (Say(302, headers=(("Location", "http://127.0.0.1:1/"),)), 302, ""),
        (Say(200, b"x", (("Content-Length", "a"),)), None, None),
        (Close(), None, None),
        (Hang(), None, None),
    ],
)
def test_what_is_not_2xx_comes_again(store: Store, action: Any, status: int | None, reply: str | None) -> None:
    with Receiver(action) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        began = push(store, within=SHORT if isinstance(action, Hang) else LONG)
        assert len(receiver.requests) == 1
    [delivery], [attempt], row = deliveries_of(store, seq), attempts(store, seq), subscription(store, seq)
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert (attempt.outcome, attempt.status) == ("deferred", status)
    reply = LATE if isinstance(action, Hang) else reply
    assert attempt.reply == reply if reply is not None else attempt.reply
    assert "not accepted" in row.last_error
    assert (row.failures, row.unresolved, row.open_until) == (1, 0, None)
    assert due_between(row.due_at, began, 9 * SECOND, 11 * SECOND)


def test_the_twelfth_attempt_is_the_last_and_a_retry_begins_again(store: Store) -> None:
    with Receiver(Say(503, b"later")) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        for _ in range(len(SCHEDULE) + 2):
            push(store)
            hurry(store, seq)
        assert len(receiver.requests) == len(SCHEDULE) + 1 == 12
        assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    [dead] = deliveries_of(store, seq)
    assert (dead.state, dead.due_at, dead.attempts) == (DeliveryState.DEAD, None, 12)
    assert [attempt.outcome for attempt in attempts(store, seq)] == ["deferred"] * 11 + ["rejected"]
    assert attempts(store, seq)[-1].reply == "later"
    assert subscription(store, seq).due_at is None

    with Receiver(Say(200)) as receiver:
        with store.write() as connection:
            connection.execute(update(subscriptions).values(endpoint=receiver.url, open_until=None))
            registry.retry(connection, TTD, seq, dead.seq)
        push(store)
        assert len(receiver.requests) == 1
    assert deliveries_of(store, seq)[0].state == DeliveryState.DELIVERED


def test_the_schedule_is_the_contracts() -> None:
    assert sum(SCHEDULE, timedelta(0)) == timedelta(hours=34, minutes=46, seconds=40)
    assert [delay.total_seconds() for delay in VALIDATION] == [1, 5, 10, 30, 60, 120, 120, 120]


def test_a_circuit_opens_is_probed_by_one_call_and_closes(store: Store) -> None:
    with Receiver(*[Say(500)] * (OPENS_AFTER + 1), Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, *(an_event() for _ in range(40)))
        began = push(store)
        assert len(receiver.requests) == OPENS_AFTER
        assert due_between(subscription(store, seq).due_at, began, 27 * SECOND, 33 * SECOND)
        push(store)
        assert len(receiver.requests) == OPENS_AFTER

        publish(store, an_event())
        assert subscription(store, seq).due_at >= began + 27 * SECOND
        hurry(store, seq)
        began = push(store)
        assert len(receiver.requests) == OPENS_AFTER + 1
        assert due_between(subscription(store, seq).due_at, began, 54 * SECOND, 66 * SECOND)

        hurry(store, seq)
        push(store)
        assert len(receiver.requests) == OPENS_AFTER + 1 + 41
    row = subscription(store, seq)
    assert (row.failures, row.open_until, row.last_error) == (0, None, None)
    assert {delivery.state for delivery in deliveries_of(store, seq)} == {DeliveryState.DELIVERED}


def test_one_that_hangs_does_not_hold_up_the_others(store: Store) -> None:
    async def work(pushing: Pushing) -> None:
        with Receiver(Hang()) as hanging:
            subscribe(store, hanging.url)
            publish(store, *(an_event() for _ in range(5)))
            running = asyncio.create_task(pushing.run())
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 49 * 5)
            assert not running.done()
            assert len(hanging.requests) <= 1  # it has not earned more calls at once
            pushing.stop()
        await running

    with Receiver(Say(200)) as receiver:
        for _ in range(49):
            subscribe(store, receiver.url)
        run(store, work)


def test_retry_after_holds_the_subscription(store: Store) -> None:
    with Receiver(Say(429, headers=(("Retry-After", "100"),))) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event(), an_event())
        began = push(store)
        assert len(receiver.requests) == 1
    assert due_between(subscription(store, seq).due_at, began, 100 * SECOND, 100 * SECOND)


def test_410_pauses_and_resuming_goes_on(store: Store) -> None:
    with Receiver(Say(410), Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        push(store)
        row = subscription(store, seq)
        assert "410" in row.paused_reason
        assert row.due_at is None
        with store.read() as connection:
            [line] = details.subscription(connection, seq)["history"]
        assert (line["who"], line["action"], line["detail"]) == ("varsel", "pause", {"reason": row.paused_reason})
        publish(store, an_event())
        push(store)
        assert len(receiver.requests) == 1
        with store.write() as connection:
            registry.resume(connection, TTD, seq)
        hurry(store, seq)
        push(store)
        assert len(receiver.requests) == 3
    assert {delivery.state for delivery in deliveries_of(store, seq)} == {DeliveryState.DELIVERED}


def test_410_is_over_when_the_consumer_subscribes_again(store: Store) -> None:
    with Receiver(Say(410), Say(200)) as receiver:
        spec = spec_for(receiver.url)
        with store.write() as connection:
            seq = registry.subscribe(connection, TTD, spec, 10)[0].seq
            connection.execute(update(subscriptions).values(validated=True))
        publish(store, an_event())
        push(store)
        assert "410" in subscription(store, seq).paused_reason
        publish(store, an_event())
        with store.write() as connection:
            again, fresh = registry.subscribe(connection, TTD, spec, 10)
        assert (again.seq, again.paused_reason, fresh) == (seq, None, False)
        hurry(store, seq)
        push(store)
        types = [json.loads(request.body)["type"] for request in receiver.requests[-4:]]
    assert types.count("platform.events.validatesubscription") == 2
    assert {delivery.state for delivery in deliveries_of(store, seq)} == {DeliveryState.DELIVERED}


def test_who_has_paused_a_subscription_ends_that_by_resuming_it(store: Store) -> None:
    spec = spec_for("https://example.no/")
    with store.write() as connection:
        seq = registry.subscribe(connection, TTD, spec, 10)[0].seq
        paused = registry.pause(connection, TTD, seq).paused_reason
        assert registry.subscribe(connection, TTD, spec, 10)[0].paused_reason == paused is not None


def test_a_subscription_to_the_own_party_is_pushed_to_whose_token_named_it(store: Store) -> None:
    user = Caller(None, frozenset(), platform=False, identity="/user/1337", party="50019855")
    with Receiver(Say(200)) as receiver, Receiver(Say(200)) as other:
        own, strange = spec_for(receiver.url, "/party/50019855"), spec_for(other.url, "/party/50019856")
        with store.write() as connection:
            seqs = [registry.subscribe(connection, user, spec, 10)[0].seq for spec in (own, strange)]
            connection.execute(update(subscriptions).values(validated=True))
            connection.execute(delete(deliveries))
        publish(store, an_event(), an_event(subject="/party/50019856"))
        push(store)
    states = [[delivery.state for delivery in deliveries_of(store, seq)] for seq in seqs]
    assert states == [[DeliveryState.DELIVERED], [DeliveryState.UNAUTHORIZED]]
    assert (len(receiver.requests), len(other.requests)) == (1, 0)


def test_a_party_that_a_later_token_names_counts(store: Store) -> None:
    user = Caller(None, frozenset(), platform=False, identity="/user/1337")
    spec = spec_for("https://example.no/", "/party/50019855")
    with store.write() as connection:
        for party, known in ((None, None), ("50019855", "50019855"), (None, "50019855")):
            row, _ = registry.subscribe(connection, replace(user, party=party), spec, 10)
            assert row.party == known


def test_what_is_ordered_comes_one_after_another_by_subject(store: Store) -> None:
    with Receiver(Say(500), Say(200)) as receiver:
        seq = subscribe(store, receiver.url, ordered=True)
        first = an_event()
        later = [an_event() for _ in range(5)]
        other = [an_event(subject=subject) for subject in ("/party/2", "/party/2", None, None)]
        publish(store, first, *later, *other)
        began = push(store)
        sent = [request.body for request in receiver.requests]
        assert sent[0] == first.text.encode()
        assert not {event.text.encode() for event in later} & set(sent)
        assert [body for body in sent if b"/party/2" in body] == [event.text.encode() for event in other[:2]]
        assert [body for body in sent if b"subject" not in body] == [event.text.encode() for event in other[2:]]
        assert due_between(subscription(store, seq).due_at, began, 9 * SECOND, 11 * SECOND)

        hurry(store, seq)
        push(store)
        sent = [request.body for request in receiver.requests[len(sent) :]]
        assert sent == [event.text.encode() for event in (first, *later)]


def test_what_is_ordered_goes_on_behind_the_dead(store: Store) -> None:
    with Receiver(*[Say(500)] * 12, Say(200)) as receiver:
        seq = subscribe(store, receiver.url, ordered=True)
        publish(store, an_event(), an_event())
        for _ in range(13):
            push(store)
            hurry(store, seq)
        states = [delivery.state for delivery in deliveries_of(store, seq)]
        assert states == [DeliveryState.DEAD, DeliveryState.DELIVERED]
        assert len(receiver.requests) == 13


def test_what_its_subscriber_may_not_have_is_not_sent(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url, consumer="/org/skd")
        publish(store, an_event())
        push(store)
        assert receiver.requests == []
    [delivery], [attempt] = deliveries_of(store, seq), attempts(store, seq)
    assert (delivery.state, delivery.due_at, attempt.outcome) == (DeliveryState.UNAUTHORIZED, None, "unauthorized")


def test_an_endpoint_that_is_not_public_is_never_called(store: Store) -> None:
    async def guarded() -> None:
        outbound = Outbound(Guard(allow_private=False))
        caller = call.Courier(outbound, SIGNER, BASE)
        pushing = Runner(
            store, pusher.Pusher(store, caller, MailSink(Templates(None), "a@example.no"), Rules(None)), LEASE
        )
        await pushing.run()
        await outbound.close()

    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url.replace("http://", "https://"))
        publish(store, an_event())
        asyncio.run(guarded())
        assert receiver.connections == 0
    assert attempts(store, seq)[0].outcome == "deferred"


def test_slack_gets_the_event_as_text() -> None:
    text = an_event().text
    assert json.loads(call.body_for("https://hooks.slack.com/services/x", text)) == {"text": text}
    assert call.body_for("https://example.no/hooks.slack.com", text) == text.encode()


def test_an_event_becomes_an_order_and_the_order_is_made_once(store: Store) -> None:
    seq = subscribe(store, "mailto:kari@example.no", template="event", creator="ttd")
    event = an_event()
    publish(store, event)
    push(store)
    with store.read() as connection:
        [order] = connection.execute(select(orders)).all()
    assert (order.creator, order.state, order.senders_reference) == ("ttd", OrderState.REGISTERED, event.id)
    assert json.loads(order.recipients) == [{"emailAddress": "kari@example.no"}]
    assert event.type in order.subject
    assert deliveries_of(store, seq)[0].state == DeliveryState.DELIVERED


def test_an_order_that_is_made_again_keeps_its_identifier(store: Store) -> None:
    """As of a database that was restored: so its e-mail keeps its Message-ID, too."""
    seq = subscribe(store, "mailto:kari@example.no", template="event", creator="ttd")
    publish(store, an_event(), an_event())

    def identifiers() -> list[UUID]:
        push(store)
        with store.read() as connection:
            return list(connection.scalars(select(orders.c.id).order_by(orders.c.id)))

    first = identifiers()
    with store.write() as connection:
        connection.execute(delete(orders))
        due_again = {"state": DeliveryState.WAITING, "due_at": deliveries.c.created}
        connection.execute(update(deliveries).values(due_again))
        connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(due_at=Now()))
    assert identifiers() == first
    assert len(set(first)) == 2


def test_a_validation_event_is_the_same_at_every_attempt(store: Store) -> None:
    with Receiver(Say(500), Say(200)) as receiver:
        seq = subscribe(store, receiver.url, validated=False)
        with store.write() as connection:
            row = {"subscription_seq": seq, "state": "Waiting", "created": Now(), "last_update": Now(), "due_at": Now()}
            connection.execute(insert(deliveries).values(row))
        for _ in range(2):
            with store.write() as connection:
                connection.execute(update(deliveries).values(due_at=Now()))
                connection.execute(update(subscriptions).values(due_at=Now()))
            push(store)
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_a_template_that_cannot_be_filled_in_is_told(store: Store) -> None:
    seq = subscribe(store, "mailto:kari@example.no", template="gone", creator="ttd")
    publish(store, an_event())
    push(store)
    assert deliveries_of(store, seq)[0].state == DeliveryState.DEAD
    assert "gone" in attempts(store, seq)[0].reply


def test_numbers_of_any_size_reach_a_mail_as_they_are(store: Store, tmp_path: Path) -> None:
    (tmp_path / "sum").mkdir()
    (tmp_path / "sum" / "subject.txt").write_text("{{ data.few + 1 }}")
    (tmp_path / "sum" / "body.txt").write_text("{{ data.many }} {{ data.huge }} {{ data.tiny }} {{ data.zero }}")
    digits = "9" * 5_000
    data = f'{{"few": 41, "many": {digits}, "huge": 1e400, "tiny": -1E-99999, "zero": -0.0e5}}'
    seq = subscribe(store, "mailto:kari@example.no", template="sum", creator="ttd")
    publish(store, replace(an_event(), text=f'{{"specversion":"1.0","data":{data}}}'))
    run(store, lambda pusher: pusher.run(), templates=tmp_path)
    assert deliveries_of(store, seq)[0].state == DeliveryState.DELIVERED
    with store.read() as connection:
        [order] = connection.execute(select(orders)).all()
    assert (order.subject, order.body) == ("42", f"{digits} 1e400 -1E-99999 -0.0")


def test_a_bug_with_one_event_is_an_attempt_and_ends_as_dead_with_its_reason(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    seq = subscribe(store, "mailto:kari@example.no", template="event", creator="ttd")
    publish(store, replace(an_event(), text="no JSON"), an_event())
    for count in range(1, len(SCHEDULE) + 2):
        push(store)
        broken, harmless = deliveries_of(store, seq)
        assert (broken.attempts, harmless.state) == (count, DeliveryState.DELIVERED)
        assert subscription(store, seq).open_until is None  # nothing is held against the subscriber
        hurry(store, seq)
    assert (broken.state, broken.due_at) == (DeliveryState.DEAD, None)
    assert "JSONDecodeError" in [each.reply for each in attempts(store, seq) if each.delivery_seq == broken.seq][-1]
    assert caplog.text.count("Traceback") == 1


def test_an_outcome_that_cannot_be_written_takes_no_other_along(store: Store) -> None:
    nobodys = subscribe(store, "mailto:kari@example.no", template="event", creator=None)
    somebodys = subscribe(store, "mailto:ola@example.no", template="event", creator="ttd")
    publish(store, an_event())
    push(store)
    [broken], [harmless] = deliveries_of(store, nobodys), deliveries_of(store, somebodys)
    assert (broken.state, broken.attempts) == (DeliveryState.WAITING, 1)
    assert harmless.state == DeliveryState.DELIVERED


def test_two_workers_share_subscribers_and_repeat_nothing(store: Store) -> None:
    async def both(first: Pushing) -> None:
        outbound = Outbound(Guard(allow_private=True))
        caller = call.Courier(outbound, SIGNER, BASE)
        second = Runner(
            store, pusher.Pusher(store, caller, MailSink(Templates(None), "a@example.no"), Rules(None)), LEASE
        )
        await asyncio.gather(first.run(), second.run())
        await outbound.close()

    with Receiver(Say(200)) as receiver:
        for number in range(10):
            subscribe(store, f"{receiver.url}/{number}")
        publish(store, *(an_event() for _ in range(50)))
        run(store, both)
        assert len(receiver.requests) == 500
        assert len({(request.target, request.body) for request in receiver.requests}) == 500


def test_what_another_worker_took_over_is_left_to_it(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)

        async def overtaken(pushing: Pushing) -> None:
            running = asyncio.create_task(pushing.run())
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 1)
            with store.write() as connection:
                connection.execute(update(subscriptions).values(claim=subscriptions.c.claim + 1, due_at=after(LEASE)))
            await running

        publish(store, an_event())
        run(store, overtaken)
    [delivery], row = deliveries_of(store, seq), subscription(store, seq)
    assert (delivery.state, delivery.attempts) in {(DeliveryState.WAITING, 0), (DeliveryState.DELIVERED, 1)}
    taken_over, released = (2, 1), (3, 0)
    recorded = delivery.state == DeliveryState.DELIVERED  # perhaps before it was taken over
    assert (row.claim, row.unresolved) in ({taken_over, released} if recorded else {taken_over})


def test_a_worker_that_ends_lets_go_at_once(store: Store) -> None:
    async def stopped(pushing: Pushing) -> None:
        running = asyncio.create_task(pushing.run())
        await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) >= 20)
        pushing.stop()
        await running

    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, *(an_event() for _ in range(2000)))
        run(store, stopped)
        row = subscription(store, seq)
        assert row.unresolved == 0
        assert seconds_until_due(store, seq) <= 0
        push(store)
        assert len(receiver.requests) == 2000


def test_a_pause_takes_effect_while_events_are_pushed(store: Store) -> None:
    async def paused(pushing: Pushing) -> None:
        running = asyncio.create_task(pushing.run())
        await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) >= 20)
        await store.writing(registry.pause, TTD, seq)
        await running

    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, *(an_event() for _ in range(3000)))
        run(store, paused)
        sent = len(receiver.requests)
        assert sent < 3000
        assert subscription(store, seq).due_at is None
        with store.write() as connection:
            registry.resume(connection, TTD, seq)
        push(store)
        assert len(receiver.requests) == 3000


def test_a_subscription_that_is_removed_meanwhile_harms_nothing(store: Store) -> None:
    async def removed(pushing: Pushing) -> None:
        running = asyncio.create_task(pushing.run())
        await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) >= 20)
        await store.writing(registry.remove, TTD, seq)
        await running

    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, *(an_event() for _ in range(3000)))
        run(store, removed)
        assert len(receiver.requests) < 3000
    with store.write() as connection:
        while prune_some(connection, timedelta(days=90)):
            pass
    assert deliveries_of(store, seq) == []


def test_what_a_failing_endpoint_has_not_taken_for_too_long_is_dead_with_the_reason(store: Store) -> None:
    with Receiver(Say(500)) as receiver:
        seq = subscribe(store, receiver.url, failures=OPENS_AFTER)
        publish(store, *(an_event() for _ in range(10)))
        with store.write() as connection:
            connection.execute(update(deliveries).where(deliveries.c.seq % 2 == 0).values(created=after(-LIFETIME)))
        push(store)
        assert len(receiver.requests) == 1
    states = [delivery.state for delivery in deliveries_of(store, seq)]
    assert states.count(DeliveryState.DEAD) == 5
    expired = [attempt for attempt in attempts(store, seq) if attempt.outcome == "expired"]
    assert len(expired) == 5
    assert "kept failing" in expired[0].reply


def test_events_that_come_while_one_is_pushed_are_pushed_too(store: Store) -> None:
    async def joined(pushing: Pushing) -> None:
        for _ in range(20):
            running = asyncio.create_task(pushing.run())
            await asyncio.to_thread(publish, store, an_event())
            await pushing.run()
            await running

    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        run(store, joined)
        push(store)
        assert len(receiver.requests) == 20
    assert subscription(store, seq).due_at is None


def test_the_lane_is_due_as_long_as_something_waits(store: Store) -> None:
    seq = subscribe(store, "https://example.no/")
    with store.read() as connection:
        assert due.next_due(connection).get(due.WEBHOOKS.name) is None
    publish(store, an_event())
    with store.read() as connection:
        assert due.next_due(connection).get(due.WEBHOOKS.name) is not None
    wait_for(lambda: seconds_until_due(store, seq) <= 0)


def test_a_pause_outlives_the_worker_that_held_the_subscription(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        with store.write() as connection:
            due.claim(connection, due.WEBHOOKS, 10, timedelta(0))  # by a worker that never lets go
            registry.pause(connection, TTD, seq)
        push(store)
        row = subscription(store, seq)
        assert (row.due_at, row.unresolved) == (None, 0)
        with store.write() as connection:
            registry.resume(connection, TTD, seq)
        push(store)
        assert len(receiver.requests) == 1


def test_a_subscription_that_ends_its_workers_is_set_aside_with_the_reason(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url, unresolved=due.LOST_IS_DEAD)
        publish(store, an_event())
        with store.write() as connection:
            connection.execute(update(subscriptions).values(due_at=Now()))
        push(store)
        assert receiver.requests == []
        row = subscription(store, seq)
        assert "5 workers ended" in row.paused_reason
        assert (row.due_at, row.unresolved) == (None, 0)
        with store.write() as connection:
            registry.resume(connection, TTD, seq)
        push(store)
        assert len(receiver.requests) == 1


def test_a_look_brings_what_is_not_known_until_its_bytes_fill_the_room(store: Store) -> None:
    seq = subscribe(store, "https://example.no/")
    events = [replace(an_event(), text="x" * size) for size in (10, 50_000, 50_000, 10, 10)]
    publish(store, *events)
    with store.read() as connection:
        row = a_subscription(connection, seq)
        first, whole = queue.fetch(connection, row, (), 60_000)
        assert ([each.text for each in first], whole) == ([each.text for each in events[:3]], False)
        known = [each.seq for each in first]
        assert [each.text for each in queue.fetch(connection, row, known, 1)[0]] == ["x" * 10]
        rest, whole = queue.fetch(connection, row, known, 60_000)
        assert ([each.text for each in rest], whole) == (["x" * 10] * 2, True)
        assert queue.fetch(connection, row, known, 0) == ((), False)
        assert queue.fetch(connection, row, range(1_000, 1_000 + queue.FETCH), 60_000) == ((), False)
