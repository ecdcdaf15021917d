"""The part Shipments of the API; `make clients` writes this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from varsel.client.calls import Call, Numbered, path_of, query_of
from varsel.client.resources import AsyncResource, Resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from typing import Literal

    from varsel.client.generated import models


def get_future_shipment_feed(
    *, seq: int | None = None, page_size: int | None = None, order_by: Literal["asc", "desc"] | None = None
) -> Call[models.Feed]:
    """GET /notifications/api/v1/future/shipment/feed"""
    return Call(
        "GET",
        "/notifications/api/v1/future/shipment/feed",
        query_of({"seq": seq, "pageSize": page_size, "orderBy": order_by}),
        {},
        repeatable=True,
        pages=Numbered(),
    )


def get_future_shipment_id(id: str) -> Call[models.Shipment]:
    """GET /notifications/api/v1/future/shipment/{id}"""
    return Call("GET", path_of("/notifications/api/v1/future/shipment/{id}", id=id), (), {}, repeatable=True)


def get_future_enduser_log(*, dialog_id: str, transmission_id: str | None = None) -> Call[models.Log]:
    """GET /notifications/api/v1/future/enduser/log"""
    return Call(
        "GET",
        "/notifications/api/v1/future/enduser/log",
        query_of({"dialogId": dialog_id, "transmissionId": transmission_id}),
        {},
        repeatable=True,
    )


class Shipments(Resource):
    """The operations of shipments."""

    def list_feed(
        self, *, seq: int | None = None, page_size: int | None = None, order_by: Literal["asc", "desc"] | None = None
    ) -> models.Feed:
        """Orders that have ended.

        An entry per order, in the order of their ends. Ask again behind the last number you have seen.
        `seq`: the last number that was seen; 0: none
        `page_size`: 1 to 500 entries, which is the default
        `order_by`: asc, or desc for the newest first
        """
        return self._send(get_future_shipment_feed(seq=seq, page_size=page_size, order_by=order_by))

    def iterate_feed(
        self, *, seq: int | None = None, page_size: int | None = None, order_by: Literal["asc", "desc"] | None = None
    ) -> Iterator[models.Entry]:
        """Go through all entries of `list_feed`, page by page."""
        return cast(
            "Iterator[models.Entry]",
            self._iterate(get_future_shipment_feed(seq=seq, page_size=page_size, order_by=order_by)),
        )

    def get(self, id: str) -> models.Shipment:
        """What became of an order.

        Of any generation, by its shipmentId or orderId.
        `id`: the shipmentId, a UUID
        """
        return self._send(get_future_shipment_id(id))

    def get_enduser_log(self, *, dialog_id: str, transmission_id: str | None = None) -> models.Log:
        """Messages of a dialog.

        Of orders that have ended and name the dialog; the newest first, 1000 at most.
        `dialog_id`: the dialog, as it was posted
        `transmission_id`: one of its transmissions
        """
        return self._send(get_future_enduser_log(dialog_id=dialog_id, transmission_id=transmission_id))


class AsyncShipments(AsyncResource):
    """The operations of shipments, with `await`."""

    async def list_feed(
        self, *, seq: int | None = None, page_size: int | None = None, order_by: Literal["asc", "desc"] | None = None
    ) -> models.Feed:
        """Orders that have ended.

        An entry per order, in the order of their ends. Ask again behind the last number you have seen.
        `seq`: the last number that was seen; 0: none
        `page_size`: 1 to 500 entries, which is the default
        `order_by`: asc, or desc for the newest first
        """
        return await self._send(get_future_shipment_feed(seq=seq, page_size=page_size, order_by=order_by))

    def iterate_feed(
        self, *, seq: int | None = None, page_size: int | None = None, order_by: Literal["asc", "desc"] | None = None
    ) -> AsyncIterator[models.Entry]:
        """Go through all entries of `list_feed`, page by page."""
        return cast(
            "AsyncIterator[models.Entry]",
            self._iterate(get_future_shipment_feed(seq=seq, page_size=page_size, order_by=order_by)),
        )

    async def get(self, id: str) -> models.Shipment:
        """What became of an order.

        Of any generation, by its shipmentId or orderId.
        `id`: the shipmentId, a UUID
        """
        return await self._send(get_future_shipment_id(id))

    async def get_enduser_log(self, *, dialog_id: str, transmission_id: str | None = None) -> models.Log:
        """Messages of a dialog.

        Of orders that have ended and name the dialog; the newest first, 1000 at most.
        `dialog_id`: the dialog, as it was posted
        `transmission_id`: one of its transmissions
        """
        return await self._send(get_future_enduser_log(dialog_id=dialog_id, transmission_id=transmission_id))
