"""The part Orders of the API; `make clients` writes this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varsel.client.calls import Call, headers_of, json_of, named, new_key, path_of, query_of
from varsel.client.waiting import AsyncWaiting, Waiting

if TYPE_CHECKING:
    from typing import Literal

    from varsel.client.generated import models


def post_orders_email(body: models.EmailOrderRequest, *, idempotency_key: str | None = None) -> Call[models.Receipt]:
    """POST /notifications/api/v1/orders/email"""
    return Call(
        "POST",
        "/notifications/api/v1/orders/email",
        (),
        headers_of({"Idempotency-Key": new_key(idempotency_key), "Content-Type": "application/json"}),
        content=json_of(body),
        repeatable=True,
        keyed=True,
    )


def get_orders_id(id: str) -> Call[models.Order]:
    """GET /notifications/api/v1/orders/{id}"""
    return Call("GET", path_of("/notifications/api/v1/orders/{id}", id=id), (), {}, repeatable=True)


def get_orders(*, senders_reference: str) -> Call[models.OrderList]:
    """GET /notifications/api/v1/orders"""
    return Call(
        "GET", "/notifications/api/v1/orders", query_of({"sendersReference": senders_reference}), {}, repeatable=True
    )


def post_orders(body: models.OrderRequest, *, idempotency_key: str | None = None) -> Call[models.Receipt]:
    """POST /notifications/api/v1/orders"""
    return Call(
        "POST",
        "/notifications/api/v1/orders",
        (),
        headers_of({"Idempotency-Key": new_key(idempotency_key), "Content-Type": "application/json"}),
        content=json_of(body),
        repeatable=True,
        keyed=True,
    )


def get_orders_id_status(id: str) -> Call[models.OrderStatus]:
    """GET /notifications/api/v1/orders/{id}/status"""
    return Call("GET", path_of("/notifications/api/v1/orders/{id}/status", id=id), (), {}, repeatable=True)


def put_orders_id_cancel(id: str) -> Call[models.OrderStatus]:
    """PUT /notifications/api/v1/orders/{id}/cancel"""
    return Call("PUT", path_of("/notifications/api/v1/orders/{id}/cancel", id=id), (), {}, repeatable=True)


def get_orders_id_plan(id: str) -> Call[models.Plan]:
    """GET /notifications/api/v1/orders/{id}/plan"""
    return Call("GET", path_of("/notifications/api/v1/orders/{id}/plan", id=id), (), {}, repeatable=True)


def put_orders_id_withdraw(id: str) -> Call[models.Withdrawal]:
    """PUT /notifications/api/v1/orders/{id}/withdraw"""
    return Call("PUT", path_of("/notifications/api/v1/orders/{id}/withdraw", id=id), (), {}, repeatable=True)


def put_orders_id_reschedule(id: str, body: models.RescheduleRequest) -> Call[models.Withdrawal]:
    """PUT /notifications/api/v1/orders/{id}/reschedule"""
    return Call(
        "PUT",
        path_of("/notifications/api/v1/orders/{id}/reschedule", id=id),
        (),
        headers_of({"Content-Type": "application/json"}),
        content=json_of(body),
        repeatable=True,
    )


def get_orders_id_notifications_email(id: str) -> Call[models.EmailSummary]:
    """GET /notifications/api/v1/orders/{id}/notifications/email"""
    return Call("GET", path_of("/notifications/api/v1/orders/{id}/notifications/email", id=id), (), {}, repeatable=True)


def post_orders_id_recipients(
    id: str,
    body: bytes,
    *,
    from_line: int | None = None,
    dry_run: bool | None = None,
    media: Literal["application/x-ndjson", "text/csv"] = "application/x-ndjson",
) -> Call[models.UploadStatus]:
    """POST /notifications/api/v1/orders/{id}/recipients"""
    return Call(
        "POST",
        path_of("/notifications/api/v1/orders/{id}/recipients", id=id),
        query_of({"fromLine": from_line, "dryRun": dry_run}),
        headers_of({"Content-Type": media}),
        content=body,
    )


def get_orders_id_recipients(id: str) -> Call[models.UploadStatus]:
    """GET /notifications/api/v1/orders/{id}/recipients"""
    return Call("GET", path_of("/notifications/api/v1/orders/{id}/recipients", id=id), (), {}, repeatable=True)


def put_orders_id_close(id: str, *, valid_only: bool | None = None) -> Call[models.UploadStatus]:
    """PUT /notifications/api/v1/orders/{id}/close"""
    return Call(
        "PUT",
        path_of("/notifications/api/v1/orders/{id}/close", id=id),
        query_of({"validOnly": valid_only}),
        {},
        repeatable=True,
    )


def get_orders_id_notifications_sms(id: str) -> Call[models.EmailSummary]:
    """GET /notifications/api/v1/orders/{id}/notifications/sms"""
    return Call("GET", path_of("/notifications/api/v1/orders/{id}/notifications/sms", id=id), (), {}, repeatable=True)


def post_future_orders(body: models.ChainRequest, *, idempotency_key: str | None = None) -> Call[models.ChainReceipt]:
    """POST /notifications/api/v1/future/orders"""
    return Call(
        "POST",
        "/notifications/api/v1/future/orders",
        (),
        headers_of({"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}),
        content=json_of(named(body)),
        repeatable=True,
    )


def post_future_orders_instant_email(
    body: models.InstantEmailRequest, *, idempotency_key: str | None = None
) -> Call[models.ChainReceipt]:
    """POST /notifications/api/v1/future/orders/instant/email"""
    return Call(
        "POST",
        "/notifications/api/v1/future/orders/instant/email",
        (),
        headers_of({"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}),
        content=json_of(named(body)),
        repeatable=True,
    )


def post_future_orders_composed_email(
    body: models.ComposedEmailRequest, *, idempotency_key: str | None = None
) -> Call[models.ChainReceipt]:
    """POST /notifications/api/v1/future/orders/composed-email"""
    return Call(
        "POST",
        "/notifications/api/v1/future/orders/composed-email",
        (),
        headers_of({"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}),
        content=json_of(named(body)),
        repeatable=True,
    )


def get_orders_chain_id(id: str) -> Call[models.Chain]:
    """GET /notifications/api/v1/orders/chain/{id}"""
    return Call("GET", path_of("/notifications/api/v1/orders/chain/{id}", id=id), (), {}, repeatable=True)


class Orders(Waiting):
    """The operations of orders."""

    def create_email(self, body: models.EmailOrderRequest, *, idempotency_key: str | None = None) -> models.Receipt:
        """Order e-mails.

        Stores the order before it answers; `requestedSendTime` is the earliest time to send.
        `idempotency_key`: the same key and payload give the same answer for 48 hours
        """
        return self._send(post_orders_email(body, idempotency_key=idempotency_key))

    def get(self, id: str) -> models.Order:
        """An order.

        The order as it was posted.
        `id`: the order's id, a UUID
        """
        return self._send(get_orders_id(id))

    def list(self, *, senders_reference: str) -> models.OrderList:
        """Orders by reference.

        All orders with this sendersReference, oldest first; the match is exact.
        `senders_reference`: as given in the order
        """
        return self._send(get_orders(senders_reference=senders_reference))

    def create(self, body: models.OrderRequest, *, idempotency_key: str | None = None) -> models.Receipt:
        """Order e-mails as a channel among others.

        As `/orders/email`, for clients that name the channel. Any but `Email` is refused with 400.
        `idempotency_key`: the same key and payload give the same answer for 48 hours
        """
        return self._send(post_orders(body, idempotency_key=idempotency_key))

    def get_status(self, id: str) -> models.OrderStatus:
        """An order's status.

        How far the order is, and how many e-mails were generated and taken over by the relay.
        `id`: the order's id, a UUID
        """
        return self._send(get_orders_id_status(id))

    def cancel(self, id: str) -> models.OrderStatus:
        """Cancel an order.

        Possible until five minutes before the send time; cancelling twice is no error.
        `id`: the order's id, a UUID
        """
        return self._send(put_orders_id_cancel(id))

    def get_plan(self, id: str) -> models.Plan:
        """When an order goes, and why then.

        The parts that have not ended: how many recipients, from when on, and what that depends on.
        `id`: the order's id, a UUID
        """
        return self._send(get_orders_id_plan(id))

    def withdraw(self, id: str) -> models.Withdrawal:
        """Withdraw an order.

        Until the message leaves, also when a worker has it; says of each recipient what has become of it (of up
        to 1,000, those first that were not cancelled). It may be repeated.
        `id`: the order's id, a UUID
        """
        return self._send(put_orders_id_withdraw(id))

    def reschedule(self, id: str, body: models.RescheduleRequest) -> models.Withdrawal:
        """Send an order at another time.

        Until the message leaves, as with `withdraw`; what has left already stays as it is.
        `id`: the order's id, a UUID
        """
        return self._send(put_orders_id_reschedule(id, body))

    def get_notifications_email(self, id: str) -> models.EmailSummary:
        """An order's e-mails.

        What became of each recipient.
        `id`: the order's id, a UUID
        """
        return self._send(get_orders_id_notifications_email(id))

    def create_recipients(
        self,
        id: str,
        body: bytes,
        *,
        from_line: int | None = None,
        dry_run: bool | None = None,
        media: Literal["application/x-ndjson", "text/csv"] = "application/x-ndjson",
    ) -> models.UploadStatus:
        """Send recipients of an open order.

        Any number of lines, each a recipient, in any number of requests. Each is checked by itself: what is
        wrong is reported, and the others are taken. A line has at most 16,384 bytes.
        `id`: the order's id, a UUID
        `from_line`: which line of all the body begins with: 1 (then lines that were taken already are skipped),
        or the next
        `dry_run`: store nothing: tell what would follow if the order were closed behind these lines
        """
        return self._send(post_orders_id_recipients(id, body, from_line=from_line, dry_run=dry_run, media=media))

    def get_recipients(self, id: str) -> models.UploadStatus:
        """How far the recipients of an order have come.

        The counts, the next line, and what is wrong with the first invalid lines.
        `id`: the order's id, a UUID
        """
        return self._send(get_orders_id_recipients(id))

    def close(self, id: str, *, valid_only: bool | None = None) -> models.UploadStatus:
        """Close an order that has all its recipients.

        From now on it waits for its send time like any other. Closing twice is no error.
        `id`: the order's id, a UUID
        `valid_only`: close the order although some lines are invalid: they get nothing
        """
        return self._send(put_orders_id_close(id, valid_only=valid_only))

    def get_notifications_sms(self, id: str) -> models.EmailSummary:
        """An order's SMS.

        None: `generated` and `succeeded` are 0.
        `id`: the order's id, a UUID
        """
        return self._send(get_orders_id_notifications_sms(id))

    def create_chain(self, body: models.ChainRequest, *, idempotency_key: str | None = None) -> models.ChainReceipt:
        """Order a message and its reminders.

        Each reminder is an order of its own: it has a state, can be cancelled, and appears in the feed.
        `idempotency_key`: of any value: an idempotencyId that is known with another body gets 422, not 200
        """
        return self._send(post_future_orders(body, idempotency_key=idempotency_key))

    def create_instant_email(
        self, body: models.InstantEmailRequest, *, idempotency_key: str | None = None
    ) -> models.ChainReceipt:
        """Order an e-mail that somebody waits for.

        Stored, and sent before all that is not instant.
        `idempotency_key`: of any value: an idempotencyId that is known with another body gets 422, not 200
        """
        return self._send(post_future_orders_instant_email(body, idempotency_key=idempotency_key))

    def create_composed_email(
        self, body: models.ComposedEmailRequest, *, idempotency_key: str | None = None
    ) -> models.ChainReceipt:
        """Order an e-mail with attachments.

        Needs the scope `altinn:serviceowner/notifications.composedemail.create`. A file comes with the order, or
        is fetched when that is due.
        `idempotency_key`: of any value: an idempotencyId that is known with another body gets 422, not 200
        """
        return self._send(post_future_orders_composed_email(body, idempotency_key=idempotency_key))

    def get_chain(self, id: str) -> models.Chain:
        """An order with its reminders.

        What `Location` leads to: which orders there are, and how far each is.
        `id`: the notificationOrderId, a UUID
        """
        return self._send(get_orders_chain_id(id))


class AsyncOrders(AsyncWaiting):
    """The operations of orders, with `await`."""

    async def create_email(
        self, body: models.EmailOrderRequest, *, idempotency_key: str | None = None
    ) -> models.Receipt:
        """Order e-mails.

        Stores the order before it answers; `requestedSendTime` is the earliest time to send.
        `idempotency_key`: the same key and payload give the same answer for 48 hours
        """
        return await self._send(post_orders_email(body, idempotency_key=idempotency_key))

    async def get(self, id: str) -> models.Order:
        """An order.

        The order as it was posted.
        `id`: the order's id, a UUID
        """
        return await self._send(get_orders_id(id))

    async def list(self, *, senders_reference: str) -> models.OrderList:
        """Orders by reference.

        All orders with this sendersReference, oldest first; the match is exact.
        `senders_reference`: as given in the order
        """
        return await self._send(get_orders(senders_reference=senders_reference))

    async def create(self, body: models.OrderRequest, *, idempotency_key: str | None = None) -> models.Receipt:
        """Order e-mails as a channel among others.

        As `/orders/email`, for clients that name the channel. Any but `Email` is refused with 400.
        `idempotency_key`: the same key and payload give the same answer for 48 hours
        """
        return await self._send(post_orders(body, idempotency_key=idempotency_key))

    async def get_status(self, id: str) -> models.OrderStatus:
        """An order's status.

        How far the order is, and how many e-mails were generated and taken over by the relay.
        `id`: the order's id, a UUID
        """
        return await self._send(get_orders_id_status(id))

    async def cancel(self, id: str) -> models.OrderStatus:
        """Cancel an order.

        Possible until five minutes before the send time; cancelling twice is no error.
        `id`: the order's id, a UUID
        """
        return await self._send(put_orders_id_cancel(id))

    async def get_plan(self, id: str) -> models.Plan:
        """When an order goes, and why then.

        The parts that have not ended: how many recipients, from when on, and what that depends on.
        `id`: the order's id, a UUID
        """
        return await self._send(get_orders_id_plan(id))

    async def withdraw(self, id: str) -> models.Withdrawal:
        """Withdraw an order.

        Until the message leaves, also when a worker has it; says of each recipient what has become of it (of up
        to 1,000, those first that were not cancelled). It may be repeated.
        `id`: the order's id, a UUID
        """
        return await self._send(put_orders_id_withdraw(id))

    async def reschedule(self, id: str, body: models.RescheduleRequest) -> models.Withdrawal:
        """Send an order at another time.

        Until the message leaves, as with `withdraw`; what has left already stays as it is.
        `id`: the order's id, a UUID
        """
        return await self._send(put_orders_id_reschedule(id, body))

    async def get_notifications_email(self, id: str) -> models.EmailSummary:
        """An order's e-mails.

        What became of each recipient.
        `id`: the order's id, a UUID
        """
        return await self._send(get_orders_id_notifications_email(id))

    async def create_recipients(
        self,
        id: str,
        body: bytes,
        *,
        from_line: int | None = None,
        dry_run: bool | None = None,
        media: Literal["application/x-ndjson", "text/csv"] = "application/x-ndjson",
    ) -> models.UploadStatus:
        """Send recipients of an open order.

        Any number of lines, each a recipient, in any number of requests. Each is checked by itself: what is
        wrong is reported, and the others are taken. A line has at most 16,384 bytes.
        `id`: the order's id, a UUID
        `from_line`: which line of all the body begins with: 1 (then lines that were taken already are skipped),
        or the next
        `dry_run`: store nothing: tell what would follow if the order were closed behind these lines
        """
        return await self._send(post_orders_id_recipients(id, body, from_line=from_line, dry_run=dry_run, media=media))

    async def get_recipients(self, id: str) -> models.UploadStatus:
        """How far the recipients of an order have come.

        The counts, the next line, and what is wrong with the first invalid lines.
        `id`: the order's id, a UUID
        """
        return await self._send(get_orders_id_recipients(id))

    async def close(self, id: str, *, valid_only: bool | None = None) -> models.UploadStatus:
        """Close an order that has all its recipients.

        From now on it waits for its send time like any other. Closing twice is no error.
        `id`: the order's id, a UUID
        `valid_only`: close the order although some lines are invalid: they get nothing
        """
        return await self._send(put_orders_id_close(id, valid_only=valid_only))

    async def get_notifications_sms(self, id: str) -> models.EmailSummary:
        """An order's SMS.

        None: `generated` and `succeeded` are 0.
        `id`: the order's id, a UUID
        """
        return await self._send(get_orders_id_notifications_sms(id))

    async def create_chain(
        self, body: models.ChainRequest, *, idempotency_key: str | None = None
    ) -> models.ChainReceipt:
        """Order a message and its reminders.

        Each reminder is an order of its own: it has a state, can be cancelled, and appears in the feed.
        `idempotency_key`: of any value: an idempotencyId that is known with another body gets 422, not 200
        """
        return await self._send(post_future_orders(body, idempotency_key=idempotency_key))

    async def create_instant_email(
        self, body: models.InstantEmailRequest, *, idempotency_key: str | None = None
    ) -> models.ChainReceipt:
        """Order an e-mail that somebody waits for.

        Stored, and sent before all that is not instant.
        `idempotency_key`: of any value: an idempotencyId that is known with another body gets 422, not 200
        """
        return await self._send(post_future_orders_instant_email(body, idempotency_key=idempotency_key))

    async def create_composed_email(
        self, body: models.ComposedEmailRequest, *, idempotency_key: str | None = None
    ) -> models.ChainReceipt:
        """Order an e-mail with attachments.

        Needs the scope `altinn:serviceowner/notifications.composedemail.create`. A file comes with the order, or
        is fetched when that is due.
        `idempotency_key`: of any value: an idempotencyId that is known with another body gets 422, not 200
        """
        return await self._send(post_future_orders_composed_email(body, idempotency_key=idempotency_key))

    async def get_chain(self, id: str) -> models.Chain:
        """An order with its reminders.

        What `Location` leads to: which orders there are, and how far each is.
        `id`: the notificationOrderId, a UUID
        """
        return await self._send(get_orders_chain_id(id))
