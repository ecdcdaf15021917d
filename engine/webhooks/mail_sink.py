"""Events as mail: each event for a subscription with a mailto: endpoint becomes an e-mail order."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from engine.events.json_text import values
from engine.models import ContentType, DeliveryState, derived_id
from engine.observability import metrics
from engine.orders.new_order import NewOrder
from engine.text.addresses import bare
from engine.webhooks.call import refused
from engine.webhooks.outcomes import Made, Result

if TYPE_CHECKING:
    from datetime import timedelta

    from engine.db.records import Delivery, Subscription
    from engine.templating.own import Own

SCHEME = "mailto:"


class MailSink:
    """Turns events into orders with a template; `sender` is the From address of their mails."""

    def __init__(self, templates: Own, sender: str) -> None:
        self._templates = templates
        self._sender = sender

    def order(self, subscription: Subscription, delivery: Delivery, duration: timedelta) -> Result:
        """The result with the order; both are stored in one transaction, so each event becomes one order."""
        template = self._templates.find(subscription.template or "")
        if template is None:
            return refused(delivery, DeliveryState.DEAD, "rejected", f"there is no template {subscription.template}")
        address = bare(unquote(subscription.endpoint.removeprefix(SCHEME)))
        order = NewOrder(
            subject="",
            body="",
            content_type=ContentType.PLAIN,
            recipients=[{"emailAddress": address, "values": values(delivery.text)}],
            senders_reference=delivery.id,
            template=template,
        )
        name = derived_id(delivery.created, subscription.seq, delivery.seq, delivery.source, delivery.id)
        row = order.row(name, subscription.creator, self._sender) | {"template_id": template.id.hex}
        metrics.PUSHES.labels("accepted").inc()
        reply = f"order {row['id']}"
        made = Made(row, template)
        return Result(delivery, DeliveryState.DELIVERED, None, True, "accepted", None, reply, duration, made=made)
