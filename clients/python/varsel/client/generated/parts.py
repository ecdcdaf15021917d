"""The parts of the API, as attributes of a client; `make clients` writes this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varsel.client.generated.events import AsyncEvents, Events
from varsel.client.generated.orders import AsyncOrders, Orders
from varsel.client.generated.recurring_orders import AsyncRecurringOrders, RecurringOrders
from varsel.client.generated.shipments import AsyncShipments, Shipments
from varsel.client.generated.subscriptions import AsyncSubscriptions, Subscriptions
from varsel.client.generated.support import AsyncSupport, Support
from varsel.client.generated.templates import AsyncTemplates, Templates

if TYPE_CHECKING:
    from varsel.client.connections import AsyncConnection, Connection


class Parts:
    """Each part by its name."""

    def __init__(self, connection: Connection) -> None:
        self.orders = Orders(connection)
        self.recurring_orders = RecurringOrders(connection)
        self.shipments = Shipments(connection)
        self.support = Support(connection)
        self.templates = Templates(connection)
        self.events = Events(connection)
        self.subscriptions = Subscriptions(connection)


class AsyncParts:
    """Each part by its name."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.orders = AsyncOrders(connection)
        self.recurring_orders = AsyncRecurringOrders(connection)
        self.shipments = AsyncShipments(connection)
        self.support = AsyncSupport(connection)
        self.templates = AsyncTemplates(connection)
        self.events = AsyncEvents(connection)
        self.subscriptions = AsyncSubscriptions(connection)
