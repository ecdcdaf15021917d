"""The basis of failure tests about events: an installation, its subscriptions, and what their receivers got."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from engine.models import DeliveryState
from engine.outbound.calls import ANSWER_WITHIN
from tests.helpers.counting import Count
from tests.helpers.waiting import wait_for
from tests.servers.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import httpx

    from tests.helpers.ledger import Ledger
    from tests.servers.http import Received, Receiver

API = "/events/api/v1"
SCOPES = "altinn:events.publish altinn:events.subscribe altinn:notifications.create"
WORKERS = ("worker 1", "worker 2")


class EventSite(Site):
    """A Site whose client `events` publishes, subscribes and reads."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder, None, allow_private_endpoints="true", **settings)

    def __enter__(self) -> Self:
        super().__enter__()
        self.events = self._stack.enter_context(self.varsel.client(scope=SCOPES))
        return self

    def subscribe(self, receiver: Receiver, number: int, resource: str) -> None:
        """Subscribe the receiver's paths /0, /1, … to a resource; returns when all are validated."""
        for path in range(number):
            self.add_subscription(endPoint=f"{receiver.url}/{path}", resourceFilter=resource)
        self.settle()

    def add_subscription(self, **members: object) -> None:
        """Make one subscription."""
        answer = self.events.post(f"{API}/subscriptions", json=members)
        assert answer.status_code == 201, answer.text

    def publish(self, resource: str, ids: Iterable[str]) -> None:
        """Publish events with these ids in one batch."""
        answer = self.post_batch(resource, ids)
        assert answer.status_code == 200, answer.text

    def post_batch(self, resource: str, ids: Iterable[str]) -> httpx.Response:
        """Send a batch, whatever the answer."""
        batch = [
            {
                "specversion": "1.0",
                "id": id_,
                "source": f"https://example.no/{resource}",
                "type": "t",
                "resource": resource,
            }
            for id_ in ids
        ]
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        return self.events.post(f"{API}/events", content=json.dumps(batch), headers=headers)

    def read(self, resource: str) -> list[dict[str, Any]]:
        """All events of a resource, page after page."""
        found: list[dict[str, Any]] = []
        address = f"{API}/events?resource={resource}&after=0"
        while address:
            answer = self.events.get(address).raise_for_status()
            found += answer.json()
            address = answer.headers.get("next", "")
        return found

    def await_events(self, resource: str, number: int) -> None:
        """Return when so many events are stored and nothing is left to do."""
        wait_for(lambda: len(self.ledger.events(resource)) >= number)
        self.settle()

    def await_requests(self, receiver: Receiver, number: int) -> None:
        """Return when a receiver has got so many requests."""
        wait_for(lambda: len(receiver.requests) >= number)

    def count_pushes(self, resource: str, expected: Iterable[str], receiver: Receiver) -> Count:
        """Compare, as `count_pushes` does; a copy follows a call that a busy machine did not answer in time."""
        late = Counter(
            f"/{row.endpoint.rpartition('/')[2]} {row.event_id}"
            for row in self.ledger.push_attempts(resource)
            if row.status is None and row.duration_ms >= ANSWER_WITHIN / timedelta(milliseconds=1)
        )
        counted = count_pushes(expected, receiver)
        return replace(counted, doubled=sorted((Counter(counted.doubled) - late).elements()))

    def unsettled(self, resource: str, ledger: Ledger | None = None) -> set[str]:
        """The pushes of a resource's events without an outcome, named as `pairs` does; by this or the site's ledger."""
        return {
            f"/{row.endpoint.rpartition('/')[2]} {row.event_id}"
            for row in (ledger or self.ledger).deliveries(resource)
            if row.state == DeliveryState.WAITING
        }


def pairs(subscriptions: int, ids: Iterable[str]) -> list[str]:
    """Every event at every subscription's path."""
    ids = list(ids)
    return [f"/{path} {id_}" for path in range(subscriptions) for id_ in ids]


def named(requests: Iterable[Received]) -> list[tuple[str, str]]:
    """The pushed events as `pairs` names them, with their webhook-id; without validation events."""
    bodies = ((request, json.loads(request.body)) for request in list(requests))
    return [
        (f"{request.target} {event['id']}", request.headers["webhook-id"])
        for request, event in bodies
        if event["type"] != "platform.events.validatesubscription"
    ]


def count_pushes(expected: Iterable[str], *receivers: Receiver) -> Count:
    """Compare what was pushed with what was to be pushed; a request that was read but not answered is a lost copy."""
    answered = {name for receiver in receivers for name, _ in named(receiver.answered)}
    copies: dict[str, list[str]] = defaultdict(list)
    for receiver in receivers:
        for name, webhook_id in named(receiver.requests):
            copies[name].append(webhook_id)
    wanted = set(expected)
    return Count(
        lost=sorted(wanted - answered),
        doubled=sorted(name for name, ids in copies.items() for _ in ids[1:]),
        renamed=sorted(name for name, ids in copies.items() if len(set(ids)) > 1),
        unordered=sorted(copies.keys() - wanted),
    )
