"""Clients that order e-mails, publish events and read, from two addresses in turn, until they are told to stop.

Like a proxy, they go to the next address when one refuses the connection, and repeat nothing else.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.helpers.client import connect
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, at, order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EVENTS = "/events/api/v1"
RESOURCE = "urn:altinn:resource:rolling"
PACE = 0.04  # seconds between two requests of a client
LATER = timedelta(seconds=3)  # every fifth order waits for the scheduler


class Load:
    """Runs as long as the context."""

    def __init__(self, addresses: Sequence[str], token: str) -> None:
        self._addresses = addresses
        self._headers = {"Authorization": f"Bearer {token}"}
        self._phase = ""
        self._done = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(act,)) for act in (self._order, self._publish, self._read)
        ]
        self.to: list[str] = []  # whose orders were accepted
        self.ids: list[str] = []  # events that were accepted
        self._orders: list[str] = []  # their paths
        self.refused: list[str] = []  # what got no answer, or another one than it should
        self.turned_away = 0  # connections that were refused, and made to the other address
        self.requests: defaultdict[str, int] = defaultdict(int)  # by phase
        self.longest: defaultdict[str, float] = defaultdict(float)  # seconds, by phase

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for each in self._threads:
            each.join()

    def begin(self, phase: str) -> None:
        """What is counted from now on belongs to this phase."""
        self._phase = phase

    def more(self, number: int) -> None:
        """Return when so many further orders and events were accepted."""
        orders, events = len(self.to) + number, len(self.ids) + number
        wait_for(lambda: self.refused or (len(self.to) >= orders and len(self.ids) >= events))

    def _repeat(self, act: Callable[[httpx.Client, int], None]) -> None:
        with connect() as client:
            for number in count():
                if self._done.wait(PACE):
                    return
                act(client, number)

    def _order(self, client: httpx.Client, number: int) -> None:
        address = f"kari.{number}@example.no"
        later = {"requestedSendTime": at(LATER)} if number % 5 == 0 else {}
        if answer := self._ask(client, "POST", f"{API}/orders/email", 202, json=order(address, **later)):
            self.to.append(address)
            self._orders.append(f"{API}/orders/{answer.json()['orderId']}")

    def _publish(self, client: httpx.Client, number: int) -> None:
        event = {"specversion": "1.0", "id": f"e{number}", "source": "https://example.no/a", "type": "t"}
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        content = json.dumps([event | {"resource": RESOURCE}])
        if self._ask(client, "POST", f"{EVENTS}/events", 200, content=content, headers=headers):
            self.ids.append(str(event["id"]))

    def _read(self, client: httpx.Client, _number: int) -> None:
        if self._orders:
            self._ask(client, "GET", f"{self._orders[-1]}/status", 200)

    def _ask(self, client: httpx.Client, method: str, path: str, wanted: int, **options: Any) -> httpx.Response | None:
        """The answer; None, and noted down, if it is not the one that is wanted."""
        headers = self._headers | options.pop("headers", {})
        phase, began = self._phase, time.monotonic()
        self.requests[phase] += 1
        first, second = self._addresses[:: 1 if self.requests[phase] % 2 else -1]
        try:
            try:
                answer = client.request(method, first + path, headers=headers, **options)
            except httpx.ConnectError:
                self.turned_away += 1
                answer = client.request(method, second + path, headers=headers, **options)
        except httpx.HTTPError as error:
            self.refused.append(f"{phase}: {method} {path}: {error!r}")
            return None
        self.longest[phase] = max(self.longest[phase], time.monotonic() - began)
        if answer.status_code != wanted:
            self.refused.append(f"{phase}: {method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        return answer
