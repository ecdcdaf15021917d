"""The part Subscriptions of the API; `make clients` writes this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from varsel.client.calls import Call, Linked, headers_of, json_of, path_of, query_of
from varsel.client.resources import AsyncResource, Resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from datetime import datetime
    from typing import Literal

    from varsel.client.generated import models


def post_subscriptions(body: models.SubscriptionRequest) -> Call[models.Subscription]:
    """POST /events/api/v1/subscriptions"""
    return Call(
        "POST",
        "/events/api/v1/subscriptions",
        (),
        headers_of({"Content-Type": "application/json"}),
        content=json_of(body),
    )


def get_subscriptions() -> Call[models.SubscriptionList]:
    """GET /events/api/v1/subscriptions"""
    return Call("GET", "/events/api/v1/subscriptions", (), {}, repeatable=True)


def get_subscriptions_id(id: int) -> Call[models.Subscription]:
    """GET /events/api/v1/subscriptions/{id}"""
    return Call("GET", path_of("/events/api/v1/subscriptions/{id}", id=id), (), {}, repeatable=True)


def delete_subscriptions_id(id: int) -> Call[None]:
    """DELETE /events/api/v1/subscriptions/{id}"""
    return Call("DELETE", path_of("/events/api/v1/subscriptions/{id}", id=id), (), {}, repeatable=True)


def put_subscriptions_id_pause(id: int) -> Call[models.Subscription]:
    """PUT /events/api/v1/subscriptions/{id}/pause"""
    return Call("PUT", path_of("/events/api/v1/subscriptions/{id}/pause", id=id), (), {}, repeatable=True)


def put_subscriptions_id_resume(id: int) -> Call[models.Subscription]:
    """PUT /events/api/v1/subscriptions/{id}/resume"""
    return Call("PUT", path_of("/events/api/v1/subscriptions/{id}/resume", id=id), (), {}, repeatable=True)


def post_subscriptions_id_secret(id: int) -> Call[models.NewSecret]:
    """POST /events/api/v1/subscriptions/{id}/secret"""
    return Call("POST", path_of("/events/api/v1/subscriptions/{id}/secret", id=id), (), {})


def get_subscriptions_id_deliveries(
    id: int,
    *,
    state: Literal["Waiting", "Delivered", "Dead", "Unauthorized"] | None = None,
    after: int | None = None,
    size: int | None = None,
) -> Call[models.DeliveryList]:
    """GET /events/api/v1/subscriptions/{id}/deliveries"""
    return Call(
        "GET",
        path_of("/events/api/v1/subscriptions/{id}/deliveries", id=id),
        query_of({"state": state, "after": after, "size": size}),
        {},
        repeatable=True,
        pages=Linked("deliveries"),
    )


def post_subscriptions_id_replay(
    id: int, *, from_: datetime | str, to: datetime | str, count: int | None = None
) -> Call[models.Replay]:
    """POST /events/api/v1/subscriptions/{id}/replay"""
    return Call(
        "POST",
        path_of("/events/api/v1/subscriptions/{id}/replay", id=id),
        query_of({"from": from_, "to": to, "count": count}),
        {},
    )


def post_subscriptions_id_deliveries_delivery_retry(id: int, delivery: int) -> Call[None]:
    """POST /events/api/v1/subscriptions/{id}/deliveries/{delivery}/retry"""
    return Call(
        "POST",
        path_of("/events/api/v1/subscriptions/{id}/deliveries/{delivery}/retry", id=id, delivery=delivery),
        (),
        {},
    )


class Subscriptions(Resource):
    """The operations of subscriptions."""

    def create(self, body: models.SubscriptionRequest) -> models.Subscription:
        """Subscribe to events.

        Events that match every given filter are posted to `endPoint`, once that has accepted the validation
        event. Posting the same subscription again gives the existing one and validates its endpoint anew.
        Subscriptions to other events than apps' need the scope `altinn:events.subscribe`. The answer to a new
        one holds the `secret` that pushed events are signed with, which is never shown again.
        """
        return self._send(post_subscriptions(body))

    def list(self) -> models.SubscriptionList:
        """Your subscriptions.

        All of the caller's, validated or not, the oldest first.
        """
        return self._send(get_subscriptions())

    def get(self, id: int) -> models.Subscription:
        """A subscription.

        With its filters, and how it is: validated, paused, failing.
        `id`: the subscription's id
        """
        return self._send(get_subscriptions_id(id))

    def delete(self, id: int) -> None:
        """Unsubscribe.

        At once: what waits to be pushed is dropped, and the log of its deliveries is removed.
        `id`: the subscription's id
        """
        return self._send(delete_subscriptions_id(id))

    def pause(self, id: int) -> models.Subscription:
        """Pause a subscription.

        Nothing is pushed; events that match meanwhile wait.
        `id`: the subscription's id
        """
        return self._send(put_subscriptions_id_pause(id))

    def resume(self, id: int) -> models.Subscription:
        """Resume a subscription.

        What waits is pushed, even to an endpoint that was left alone because it kept failing.
        `id`: the subscription's id
        """
        return self._send(put_subscriptions_id_resume(id))

    def replace_secret(self, id: int) -> models.NewSecret:
        """Replace a subscription's secret.

        The answer is the only place that shows the new one. For 24 hours, both sign what is pushed.
        `id`: the subscription's id
        """
        return self._send(post_subscriptions_id_secret(id))

    def list_deliveries(
        self,
        id: int,
        *,
        state: Literal["Waiting", "Delivered", "Dead", "Unauthorized"] | None = None,
        after: int | None = None,
        size: int | None = None,
    ) -> models.DeliveryList:
        """A subscription's deliveries.

        What was or will be pushed, the newest first, with the newest attempts of each. When a page is full, or
        its texts are long, the header `next` leads to the next one.
        `id`: the subscription's id
        `state`: only deliveries in this state
        `after`: id of the last delivery seen
        `size`: of a page
        """
        return self._send(get_subscriptions_id_deliveries(id, state=state, after=after, size=size))

    def iterate_deliveries(
        self,
        id: int,
        *,
        state: Literal["Waiting", "Delivered", "Dead", "Unauthorized"] | None = None,
        after: int | None = None,
        size: int | None = None,
    ) -> Iterator[models.Delivery]:
        """Go through all entries of `list_deliveries`, page by page."""
        return cast(
            "Iterator[models.Delivery]",
            self._iterate(get_subscriptions_id_deliveries(id, state=state, after=after, size=size)),
        )

    def replay(self, id: int, *, from_: datetime | str, to: datetime | str, count: int | None = None) -> models.Replay:
        """Push stored events again.

        Of the events that were stored in that time, those that match the subscription. Asked without `count`, it
        answers how many these are and pushes nothing; repeated with that `count`, it pushes them all, up to
        10,000.
        `id`: the subscription's id
        `from_`: stored then or later, with time zone
        `to`: stored then or earlier, with time zone
        `count`: how many events are expected
        """
        return self._send(post_subscriptions_id_replay(id, from_=from_, to=to, count=count))

    def retry_delivery(self, id: int, delivery: int) -> None:
        """Attempt a delivery again.

        At once, and from the beginning of the retry schedule.
        `id`: the subscription's id
        `delivery`: the delivery's id
        """
        return self._send(post_subscriptions_id_deliveries_delivery_retry(id, delivery))


class AsyncSubscriptions(AsyncResource):
    """The operations of subscriptions, with `await`."""

    async def create(self, body: models.SubscriptionRequest) -> models.Subscription:
        """Subscribe to events.

        Events that match every given filter are posted to `endPoint`, once that has accepted the validation
        event. Posting the same subscription again gives the existing one and validates its endpoint anew.
        Subscriptions to other events than apps' need the scope `altinn:events.subscribe`. The answer to a new
        one holds the `secret` that pushed events are signed with, which is never shown again.
        """
        return await self._send(post_subscriptions(body))

    async def list(self) -> models.SubscriptionList:
        """Your subscriptions.

        All of the caller's, validated or not, the oldest first.
        """
        return await self._send(get_subscriptions())

    async def get(self, id: int) -> models.Subscription:
        """A subscription.

        With its filters, and how it is: validated, paused, failing.
        `id`: the subscription's id
        """
        return await self._send(get_subscriptions_id(id))

    async def delete(self, id: int) -> None:
        """Unsubscribe.

        At once: what waits to be pushed is dropped, and the log of its deliveries is removed.
        `id`: the subscription's id
        """
        return await self._send(delete_subscriptions_id(id))

    async def pause(self, id: int) -> models.Subscription:
        """Pause a subscription.

        Nothing is pushed; events that match meanwhile wait.
        `id`: the subscription's id
        """
        return await self._send(put_subscriptions_id_pause(id))

    async def resume(self, id: int) -> models.Subscription:
        """Resume a subscription.

        What waits is pushed, even to an endpoint that was left alone because it kept failing.
        `id`: the subscription's id
        """
        return await self._send(put_subscriptions_id_resume(id))

    async def replace_secret(self, id: int) -> models.NewSecret:
        """Replace a subscription's secret.

        The answer is the only place that shows the new one. For 24 hours, both sign what is pushed.
        `id`: the subscription's id
        """
        return await self._send(post_subscriptions_id_secret(id))

    async def list_deliveries(
        self,
        id: int,
        *,
        state: Literal["Waiting", "Delivered", "Dead", "Unauthorized"] | None = None,
        after: int | None = None,
        size: int | None = None,
    ) -> models.DeliveryList:
        """A subscription's deliveries.

        What was or will be pushed, the newest first, with the newest attempts of each. When a page is full, or
        its texts are long, the header `next` leads to the next one.
        `id`: the subscription's id
        `state`: only deliveries in this state
        `after`: id of the last delivery seen
        `size`: of a page
        """
        return await self._send(get_subscriptions_id_deliveries(id, state=state, after=after, size=size))

    def iterate_deliveries(
        self,
        id: int,
        *,
        state: Literal["Waiting", "Delivered", "Dead", "Unauthorized"] | None = None,
        after: int | None = None,
        size: int | None = None,
    ) -> AsyncIterator[models.Delivery]:
        """Go through all entries of `list_deliveries`, page by page."""
        return cast(
            "AsyncIterator[models.Delivery]",
            self._iterate(get_subscriptions_id_deliveries(id, state=state, after=after, size=size)),
        )

    async def replay(
        self, id: int, *, from_: datetime | str, to: datetime | str, count: int | None = None
    ) -> models.Replay:
        """Push stored events again.

        Of the events that were stored in that time, those that match the subscription. Asked without `count`, it
        answers how many these are and pushes nothing; repeated with that `count`, it pushes them all, up to
        10,000.
        `id`: the subscription's id
        `from_`: stored then or later, with time zone
        `to`: stored then or earlier, with time zone
        `count`: how many events are expected
        """
        return await self._send(post_subscriptions_id_replay(id, from_=from_, to=to, count=count))

    async def retry_delivery(self, id: int, delivery: int) -> None:
        """Attempt a delivery again.

        At once, and from the beginning of the retry schedule.
        `id`: the subscription's id
        `delivery`: the delivery's id
        """
        return await self._send(post_subscriptions_id_deliveries_delivery_retry(id, delivery))
