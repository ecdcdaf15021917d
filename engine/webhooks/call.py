"""One attempt to push an event: the request (events contract 6.4, 6.6; Standard Webhooks) and what its answer means."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.events.cloudevent import encode
from engine.models import DeliveryState, derived_id
from engine.observability import metrics
from engine.outbound import Answer, Failure, Withdrawn
from engine.subscriptions.signing import message_id
from engine.webhooks.outcomes import Result
from engine.webhooks.schedule import next_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.db.records import Delivery, Subscription
    from engine.models import CloudEvent
    from engine.outbound import Outbound
    from engine.subscriptions.signing import Signer

VALIDATION_TYPE = "platform.events.validatesubscription"
ASKS_FOR_PATIENCE = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
HEADERS = [("Content-Type", "application/json; charset=utf-8")]


class Courier:
    """Posts events to endpoints. `base` is the address of this installation's events API, for validation events."""

    def __init__(self, outbound: Outbound, signer: Signer, base: str) -> None:
        self._outbound = outbound
        self._signer = signer
        self._base = base

    async def push(
        self, subscription: Subscription, delivery: Delivery, now: datetime, ours: Callable[[], bool]
    ) -> Result:
        """Make one attempt; a failure of the network or the endpoint is a result, not an error.

        `ours` tells whether this worker still leases the subscription; it is asked as late as possible.
        """
        event: Delivery | CloudEvent = delivery
        if delivery.event_seq is None:
            event = self._validation_event(subscription.seq, delivery)
        body = body_for(subscription.endpoint, event.text)
        salts = [subscription.salt]
        if subscription.old_salt and subscription.old_salt_until and subscription.old_salt_until > now:
            salts.append(subscription.old_salt)
        name = message_id(event.source, event.id)
        signed = self._signer.headers(salts, name, int(now.timestamp()), body)
        started = time.monotonic()
        answer = await self._outbound.post(
            subscription.endpoint, body, HEADERS + signed, party=subscription.consumer, still=ours
        )
        if isinstance(answer, Withdrawn):
            return postponed(delivery, answer.reason, timedelta(0))
        return _judged(delivery, answer, timedelta(seconds=time.monotonic() - started))

    def _validation_event(self, subscription_seq: int, delivery: Delivery) -> CloudEvent:
        """The validation event; every attempt makes the same one, with the same webhook-id."""
        source = f"{self._base}/subscriptions/{subscription_seq}"
        name = derived_id(delivery.created, source, delivery.seq)
        return encode({"specversion": "1.0", "id": str(name), "source": source, "type": VALIDATION_TYPE})


def refused(delivery: Delivery, state: DeliveryState, outcome: str, reason: str) -> Result:
    """The result for a delivery that is never attempted."""
    metrics.PUSHES.labels(outcome).inc()
    return Result(delivery, state, None, False, outcome, None, reason, timedelta(0))


def postponed(delivery: Delivery, reason: str, delay: timedelta) -> Result:
    """The result for a delivery that cannot be attempted now, for a reason that is not the subscriber's."""
    metrics.PUSHES.labels("deferred").inc()
    return Result(delivery, DeliveryState.WAITING, delay, False, "deferred", None, reason, timedelta(0))


def broken(delivery: Delivery, error: Exception) -> Result:
    """The result for a delivery that failed because of a bug in Varsel; it counts as an attempt."""
    reason = f"an error in this installation ({type(error).__name__}); its log has the details"
    delay = next_attempt(delivery.attempts + 1, validation=delivery.event_seq is None)
    state, outcome = (DeliveryState.DEAD, "rejected") if delay is None else (DeliveryState.WAITING, "deferred")
    metrics.PUSHES.labels(outcome).inc()
    return Result(delivery, state, delay, True, outcome, None, reason, timedelta(0), own_fault=True)


def body_for(endpoint: str, text: str) -> bytes:
    """The bare event; for Slack, wrapped as the text of a message."""
    host = urlsplit(endpoint).hostname or ""
    if host == "hooks.slack.com" or host.endswith(".hooks.slack.com"):
        text = json.dumps({"text": text}, ensure_ascii=False)
    return text.encode()


def _judged(delivery: Delivery, answer: Answer | Failure, duration: timedelta) -> Result:
    status, reply, retry_after = None, "", None
    if isinstance(answer, Failure):
        reply = answer.reason
    else:
        status, reply = answer.status, answer.body.decode("utf-8", "replace").replace("\0", "\ufffd")
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            metrics.PUSHES.labels("accepted").inc()
            return Result(delivery, DeliveryState.DELIVERED, None, True, "accepted", status, reply, duration)
        if status in ASKS_FOR_PATIENCE:
            retry_after = answer.retry_after
    delay = next_attempt(delivery.attempts + 1, validation=delivery.event_seq is None)
    if delay is None:
        metrics.PUSHES.labels("rejected").inc()
        return Result(delivery, DeliveryState.DEAD, None, True, "rejected", status, reply, duration)
    if isinstance(answer, Answer) and answer.retry_after:
        delay = max(delay, answer.retry_after)
    metrics.PUSHES.labels("deferred").inc()
    gone = status == HTTPStatus.GONE
    return Result(delivery, DeliveryState.WAITING, delay, True, "deferred", status, reply, duration, gone, retry_after)
