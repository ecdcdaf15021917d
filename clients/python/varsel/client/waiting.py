"""Waiting for an order's end, of any generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from varsel.client import plans
from varsel.client.generated.shipments import get_future_shipment_id
from varsel.client.resources import AsyncResource, Resource

if TYPE_CHECKING:
    from varsel.client.generated import models

_OVER: Final = frozenset({"Order_Completed", "Order_SendConditionNotMet", "Order_Cancelled"})
_MINUTE: Final = 60.0


class Waiting(Resource):
    """Adds `wait` to the operations of orders."""

    def wait(self, id: str, *, timeout: float = _MINUTE) -> models.Shipment:  # noqa: A002 as the API calls it
        """Wait until an order has ended, at most so many seconds; returns what became of each recipient.

        `id` is an `orderId` or a `shipmentId`. StillOpen if it has not ended.
        """
        return self._connection.run(plans.wait(get_future_shipment_id(id), _is_over, timeout, self._connection.limits))


class AsyncWaiting(AsyncResource):
    """Adds `wait` to the operations of orders."""

    async def wait(self, id: str, *, timeout: float = _MINUTE) -> models.Shipment:  # noqa: A002, ASYNC109 as above
        """Wait until an order has ended, at most so many seconds; returns what became of each recipient.

        `id` is an `orderId` or a `shipmentId`. StillOpen if it has not ended.
        """
        plan = plans.wait(get_future_shipment_id(id), _is_over, timeout, self._connection.limits)
        return await self._connection.run(plan)


def _is_over(shipment: models.Shipment) -> bool:
    return shipment["status"] in _OVER
