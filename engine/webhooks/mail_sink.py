"""Events as mail: each event for a subscription with a mailto: endpoint becomes an e-mail order."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from engine.errors import Invalid
from engine.events.json_text import values
from engine.models import DeliveryState, derived_id
from engine.observability import metrics
from engine.orders.new_order import NewOrder
from engine.text.addresses import bare
from engine.webhooks.call import refused
from engine.webhooks.outcomes import Result

if TYPE_CHECKING:
    from datetime import timedelta

    from engine.db.records import Delivery, Subscription
    from engine.webhooks.rendering import Templates

SCHEME = "mailto:"


class MailSink:
    """Turns events into orders; `sender` is the From address of their mails."""

    def __init__(self, templates: Templates, sender: str) -> None:
        self._templates = templates
        self._sender = sender

    def order(self, subscription: Subscription, delivery: Delivery, duration: timedelta) -> Result:
        """The result with the order; both are stored in one transaction, so each event becomes one order."""
        try:
            mail = self._templates.render(subscription.template or "", values(delivery.text))
        except Invalid as error:
            return refused(delivery, DeliveryState.DEAD, "rejected", str(error))
        order = NewOrder(
            subject=mail.subject,
            body=mail.body,
            content_type=mail.content_type,
            recipients=[{"emailAddress": bare(unquote(subscription.endpoint.removeprefix(SCHEME)))}],
            senders_reference=delivery.id,
        )
        name = derived_id(delivery.created, subscription.seq, delivery.seq, delivery.source, delivery.id)
        row = order.row(name, subscription.creator, self._sender)
        metrics.PUSHES.labels("accepted").inc()
        reply = f"order {row['id']}"
        return Result(delivery, DeliveryState.DELIVERED, None, True, "accepted", None, reply, duration, order=row)
