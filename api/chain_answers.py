"""The second generation's answers as JSON: receipts, shipments, their feed (contract 3.9 to 3.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import UUID

from pydantic import RootModel

from api.answers import Answer, instant
from engine.models import EmailState, OrderState
from engine.orders import chains

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.db import records
    from engine.orders import receipts, shipments

STATES = {OrderState.SET_ASIDE: OrderState.COMPLETED}  # of an order set aside, all e-mails have failed
EMAIL_STATES = {  # names that differ from the first generation's
    EmailState.FAILED_SUPRESSED_RECIPIENT: "Failed_SuppressedRecipient",
    EmailState.FAILED_INVALID_EMAIL_FORMAT: "Failed_InvalidFormat",
}


class ShipmentName(Answer):
    """An order by its name."""

    shipment_id: UUID
    senders_reference: str | None = None


class FirstShipment(ShipmentName):
    """An order, and its reminders, if there are any."""

    reminders: list[ShipmentName] | None = None


class ChainReceipt(Answer):
    """The answer to an order with its reminders."""

    notification_order_id: UUID
    notification: FirstShipment

    @classmethod
    def of(cls, receipt: receipts.Receipt) -> Self:
        """From what the engine answers."""
        first, *others = (
            ShipmentName(shipment_id=i.id, senders_reference=i.senders_reference) for i in receipt.shipments
        )
        notification = FirstShipment(**vars(first), reminders=others or None)
        return cls(notification_order_id=receipt.order_id, notification=notification)


class Standing(ShipmentName):
    """An order of a chain, and how far it is; without `status` when it ended so long ago that it was removed."""

    status: str | None = None
    requested_send_time: str | None = None


class FirstStanding(Standing):
    """The first order of a chain, and its reminders."""

    reminders: list[Standing] | None = None


class DialogAssociation(Answer):
    """The dialog that the order belongs to, as posted."""

    dialog_id: str | None = None
    transmission_id: str | None = None


class Chain(Answer):
    """An order with its reminders."""

    notification_order_id: UUID
    idempotency_id: str
    dialogporten_association: DialogAssociation | None = None
    notification: FirstStanding

    @classmethod
    def of(cls, chain: records.Chain, orders: Mapping[UUID, records.OrderHead]) -> Self:
        """From the stored rows."""
        first, *others = (_standing(shipment, orders) for shipment in chains.shipments(chain))
        dialog = DialogAssociation(dialog_id=chain.dialog_id, transmission_id=chain.transmission_id)
        return cls(
            notification_order_id=chain.id,
            idempotency_id=chain.idempotency_id,
            dialogporten_association=dialog if chain.dialog_id or chain.transmission_id else None,
            notification=FirstStanding(**vars(first), reminders=others or None),
        )


class EntryRecipient(Answer):
    """What became of one message."""

    destination: str
    status: str
    last_update: str


class Recipient(EntryRecipient):
    """Likewise, with its channel."""

    type: str = "Email"


class Shipment(Answer):
    """An order, and what became of its messages."""

    shipment_id: UUID
    senders_reference: str | None = None
    type: str
    status: str
    last_update: str
    recipients: list[Recipient]

    @classmethod
    def of(cls, order: records.OrderHead, found: Sequence[records.EmailStatus], words: Words) -> Self:
        """From the stored rows (contract 3.10)."""
        return cls(
            shipment_id=order.id,
            senders_reference=order.senders_reference,
            type=order.kind,
            status=order_word(OrderState(order.state)),
            last_update=instant(order.last_update),
            recipients=[Recipient(**vars(words.recipient(email))) for email in found],
        )


class Entry(Answer):
    """An order that has ended, in the feed."""

    sequence_number: int
    shipment_id: UUID
    senders_reference: str | None = None
    recipients: list[EntryRecipient]
    status: str
    last_update: str
    shipment_type: str

    @classmethod
    def of(cls, entry: shipments.Entry, words: Words) -> Self:
        """From the stored rows (contract 3.11)."""
        return cls(
            sequence_number=entry.number,
            shipment_id=entry.order.id,
            senders_reference=entry.order.senders_reference,
            recipients=[words.recipient(email) for email in entry.emails],
            status=order_word(entry.state),
            last_update=instant(entry.at),
            shipment_type=entry.order.kind,
        )


class Logged(Answer):
    """A message that belongs to a dialog."""

    notification_id: UUID
    dialog_id: str
    transmission_id: str | None = None
    type: str
    channel: str
    destination: str
    status: str
    requested_send_time: str
    last_update_time: str

    @classmethod
    def of(cls, row: shipments.Logged, words: Words) -> Self:
        """From the stored row (contract 2, the log of notifications)."""
        return cls(
            notification_id=row.id,
            dialog_id=row.dialog_id,
            transmission_id=row.transmission_id,
            type=row.kind,
            channel="Email",
            destination=row.address,
            status=words.email(EmailState(row.state)),
            requested_send_time=instant(row.requested_send_time),
            last_update_time=instant(row.last_update),
        )


class Feed(RootModel[list[Entry]]):
    """A page of the feed."""


class Log(RootModel[list[Logged]]):
    """The messages of a dialog."""


class Words:
    """The second generation's words for states. `accepted`: the one for what the relay has taken over.

    To its clients, Email_Succeeded is not final: a delivery report follows, which changes it (contract 6.2).
    """

    def __init__(self, *, reports: bool) -> None:
        self._accepted = EmailState.SUCCEEDED if reports else EmailState.DELIVERED

    def email(self, state: EmailState) -> str:
        """An e-mail's state."""
        shown = self._accepted if state is EmailState.SUCCEEDED else state
        return f"Email_{EMAIL_STATES.get(shown, shown)}"

    def recipient(self, email: records.EmailStatus) -> EntryRecipient:
        """What became of an e-mail."""
        status, at = self.email(EmailState(email.state)), instant(email.last_update)
        return EntryRecipient(destination=email.address, status=status, last_update=at)


def order_word(state: OrderState) -> str:
    """An order's state."""
    return f"Order_{STATES.get(state, state)}"


def _standing(shipment: chains.Shipment, orders: Mapping[UUID, records.OrderHead]) -> Standing:
    standing = Standing(shipment_id=shipment.id, senders_reference=shipment.senders_reference)
    if order := orders.get(shipment.id):
        standing.status = order_word(OrderState(order.state))
        standing.requested_send_time = instant(order.requested_send_time)
    return standing
