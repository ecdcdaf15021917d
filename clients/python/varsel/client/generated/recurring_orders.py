"""The part RecurringOrders of the API; `make clients` writes this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varsel.client.calls import Call, headers_of, json_of, path_of
from varsel.client.resources import AsyncResource, Resource

if TYPE_CHECKING:
    from varsel.client.generated import models


def post_recurring_orders(body: models.RecurringRequest) -> Call[models.Recurring]:
    """POST /notifications/api/v1/recurring-orders"""
    return Call(
        "POST",
        "/notifications/api/v1/recurring-orders",
        (),
        headers_of({"Content-Type": "application/json"}),
        content=json_of(body),
    )


def get_recurring_orders() -> Call[models.RecurringList]:
    """GET /notifications/api/v1/recurring-orders"""
    return Call("GET", "/notifications/api/v1/recurring-orders", (), {}, repeatable=True)


def get_recurring_orders_id(id: str) -> Call[models.Recurring]:
    """GET /notifications/api/v1/recurring-orders/{id}"""
    return Call("GET", path_of("/notifications/api/v1/recurring-orders/{id}", id=id), (), {}, repeatable=True)


def delete_recurring_orders_id(id: str) -> Call[None]:
    """DELETE /notifications/api/v1/recurring-orders/{id}"""
    return Call("DELETE", path_of("/notifications/api/v1/recurring-orders/{id}", id=id), (), {}, repeatable=True)


class RecurringOrders(Resource):
    """The operations of recurring_orders."""

    def create(self, body: models.RecurringRequest) -> models.Recurring:
        """Order e-mails again and again.

        At each time of the cron expression, an order of its own is made. The same name and body may be posted
        again.
        """
        return self._send(post_recurring_orders(body))

    def list(self) -> models.RecurringList:
        """Recurring orders.

        All of the creator's, by name.
        """
        return self._send(get_recurring_orders())

    def get(self, id: str) -> models.Recurring:
        """A recurring order.

        With its next times, and the order that it made last.
        `id`: the recurring order's id, a UUID
        """
        return self._send(get_recurring_orders_id(id))

    def delete(self, id: str) -> None:
        """End a recurring order.

        Nothing is made any more; the orders that were made go on, and can be cancelled or withdrawn.
        `id`: the recurring order's id, a UUID
        """
        return self._send(delete_recurring_orders_id(id))


class AsyncRecurringOrders(AsyncResource):
    """The operations of recurring_orders, with `await`."""

    async def create(self, body: models.RecurringRequest) -> models.Recurring:
        """Order e-mails again and again.

        At each time of the cron expression, an order of its own is made. The same name and body may be posted
        again.
        """
        return await self._send(post_recurring_orders(body))

    async def list(self) -> models.RecurringList:
        """Recurring orders.

        All of the creator's, by name.
        """
        return await self._send(get_recurring_orders())

    async def get(self, id: str) -> models.Recurring:
        """A recurring order.

        With its next times, and the order that it made last.
        `id`: the recurring order's id, a UUID
        """
        return await self._send(get_recurring_orders_id(id))

    async def delete(self, id: str) -> None:
        """End a recurring order.

        Nothing is made any more; the orders that were made go on, and can be cancelled or withdrawn.
        `id`: the recurring order's id, a UUID
        """
        return await self._send(delete_recurring_orders_id(id))
