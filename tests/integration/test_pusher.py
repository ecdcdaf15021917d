"""Events are pushed to those who subscribe to them: the pusher against real receivers, on both databases."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, update
from standardwebhooks import Webhook

from engine.auth.access import Rules
from engine.db.tables import deliveries, subscriptions
from engine.models import Caller, DeliveryState
from engine.outbound import Guard, Outbound
from engine.queue import due, lateness
from engine.queue.runner import Runner
from engine.subscriptions import registry
from engine.templating.own import Own
from engine.webhooks import call, pusher, window
from engine.webhooks.deliveries import FETCH, fetch
from engine.webhooks.mail_sink import MailSink
from tests.helpers.claims import a_subscription
from tests.helpers.rows import an_event
from tests.helpers.subscribers import (
    BASE,
    LEASE,
    SECOND,
    SIGNER,
    attempts,
    deliveries_of,
    hurry,
    publish,
    push,
    run,
    seconds_until_due,
    spec_for,
    subscribe,
    subscription,
)
from tests.helpers.waiting import due_between, wait_for
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.pushing import Pushing


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
        pushing = Runner(store, pusher.Pusher(store, caller, MailSink(Own(None), "a@example.no"), Rules(None)), LEASE)
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
        assert lateness.next_due(connection).get(due.WEBHOOKS.name) is None
    publish(store, an_event())
    with store.read() as connection:
        assert lateness.next_due(connection).get(due.WEBHOOKS.name) is not None
    wait_for(lambda: seconds_until_due(store, seq) <= 0)


def test_a_look_brings_what_is_not_known_until_its_bytes_fill_the_room(store: Store) -> None:
    seq = subscribe(store, "https://example.no/")
    events = [replace(an_event(), text="x" * size) for size in (10, 50_000, 50_000, 10, 10)]
    publish(store, *events)
    with store.read() as connection:
        row = a_subscription(connection, seq)
        first, whole = fetch(connection, row, (), 60_000)
        assert ([each.text for each in first], whole) == ([each.text for each in events[:3]], False)
        known = [each.seq for each in first]
        assert [each.text for each in fetch(connection, row, known, 1)[0]] == ["x" * 10]
        rest, whole = fetch(connection, row, known, 60_000)
        assert ([each.text for each in rest], whole) == (["x" * 10] * 2, True)
        assert fetch(connection, row, known, 0) == ((), False)
        assert fetch(connection, row, range(1_000, 1_000 + FETCH), 60_000) == ((), False)
