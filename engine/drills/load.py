"""Orders and events of a drill: for addresses that do not exist, so that nobody gets them, whatever the relay."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx

from engine.errors import Conflict
from engine.resources import RESOURCE, SCOPE_CREATE, SCOPE_PUBLISH, SCOPE_SUBSCRIBE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.auth.tokens import DevelopmentKey

ORDERS, EVENTS = "/notifications/api/v1/orders", "/events/api/v1"
ORG = "drill"
DOMAIN = "drill.invalid"  # which no resolver knows (RFC 2606, 2)
CLIENTS = 4
AGAIN = 0.05  # seconds until what was not answered is posted again
ANSWER_WITHIN = 30.0  # seconds
LIFETIME = timedelta(hours=1)  # of the token
BATCH = 10  # orders for each event
CLOUDEVENTS = {"Content-Type": "application/cloudevents-batch+json"}
PASSING = (408, 409, 429)  # answers after which the same may be accepted
LATER = timedelta(seconds=2)  # until every second order is due, if they are scheduled


@dataclass
class Load:
    """What is ordered, and what was answered so far. `name` is in every address and resource of this drill."""

    url: str
    key: DevelopmentKey
    orders: int
    scheduled: bool  # every second one is due a few seconds later
    name: str = field(default_factory=lambda: f"drill-{uuid4().hex[:12]}")
    accepted: dict[str, float] = field(default_factory=dict)  # orders' addresses, events' subjects: when, monotonic
    half: Event = field(default_factory=Event)  # set when half of it is accepted
    refused: str = ""  # why the API takes something not, in its words

    def __post_init__(self) -> None:
        self._later = (datetime.now(UTC) + LATER).isoformat(timespec="milliseconds")

    def address(self, number: int) -> str:
        """To whom an order is."""
        return f"{self.name}-{number}@{DOMAIN}"

    @property
    def subscriber(self) -> str:
        """To whom the events are mailed."""
        return f"{self.name}-events@{DOMAIN}"

    @property
    def _endpoint(self) -> str:
        return f"mailto:{self.subscriber}"

    def client(self) -> httpx.Client:
        """A client of the API."""
        scopes = f"{SCOPE_CREATE} {SCOPE_PUBLISH} {SCOPE_SUBSCRIBE}"
        headers = {"Authorization": f"Bearer {self.key.bearer(ORG, scopes, LIFETIME)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=ANSWER_WITHIN, trust_env=False)

    def subscribe(self, client: httpx.Client) -> None:
        """Subscribe to the drill's events."""
        to = {"endPoint": self._endpoint, "resourceFilter": self._resource, "template": "event"}
        made = client.post(f"{EVENTS}/subscriptions", json=to)
        if not made.is_success:
            raise Conflict(f"the API does not let the drill subscribe: {made.status_code} {made.text[:200]}")

    def unsubscribe(self, client: httpx.Client) -> None:
        """Take back what was subscribed, also where nobody waited for the answer; `web` may just have been killed."""
        give_up = time.monotonic() + ANSWER_WITHIN
        while time.monotonic() < give_up:
            with suppress(httpx.TransportError):
                known = client.get(f"{EVENTS}/subscriptions")
                found = known.json()["subscriptions"] if known.is_success else []
                mine = [each["id"] for each in found if each["endPoint"] == self._endpoint]
                answers = [known, *(client.delete(f"{EVENTS}/subscriptions/{each}") for each in mine)]
                if not any(answer.is_server_error for answer in answers):
                    return
            time.sleep(AGAIN)

    def start(self) -> Sequence[Thread]:
        """Begin to post everything; what is not answered is posted again, under the same name."""
        threads = [Thread(target=self._post, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads

    def _post(self, first: int) -> None:
        """Every CLIENTS-th order, and its part of the events."""
        with self.client() as client:
            for number in range(first, self.orders, CLIENTS):
                address = self.address(number)
                body, named = self._order(address, number), {"Idempotency-Key": address}
                if self._insist(partial(client.post, f"{ORDERS}/email", json=body, headers=named)):
                    self._accept(address)
                if number % BATCH == BATCH - 1:
                    subject = f"/{self.name}/{number // BATCH}"
                    event = json.dumps([self._event(subject)])
                    if self._insist(partial(client.post, f"{EVENTS}/events", content=event, headers=CLOUDEVENTS)):
                        self._accept(subject)

    def _accept(self, name: str) -> None:
        self.accepted[name] = time.monotonic()
        if len(self.accepted) >= (self.orders + self.orders // BATCH) / 2:
            self.half.set()

    def _insist(self, post: Callable[[], httpx.Response]) -> bool:
        """Post until it is accepted; returns whether it was. What is refused for good is not posted again."""
        while True:
            with suppress(httpx.TransportError):
                answer = post()
                if answer.is_success:
                    return True
                if not answer.is_server_error and answer.status_code not in PASSING:
                    self.refused = f"{answer.status_code} {answer.text[:200]}"
                    return False
            time.sleep(AGAIN)

    def _order(self, address: str, number: int) -> dict[str, object]:
        later = {"requestedSendTime": self._later} if self.scheduled and number % 2 else {}
        to = [{"emailAddress": address}]
        said = {"subject": "A drill", "body": f"This is a drill: {self.name}.", "sendersReference": self.name}
        return {"recipients": to, **said, **later}

    def _event(self, subject: str) -> dict[str, str]:
        its = {"id": subject, "source": f"https://{DOMAIN}/{self.name}", "type": "drill", "subject": subject}
        return its | {"specversion": "1.0", "resource": self._resource}

    @property
    def _resource(self) -> str:
        return f"{RESOURCE}{self.name}"
