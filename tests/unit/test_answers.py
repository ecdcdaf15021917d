"""Answers byte by byte: the order of members, no null members, nothing escaped without need."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from api.answers import instant
from api.order_answers import EmailSummary, Order, OrderList, OrderStatus, Receipt
from api.problems import document
from api.subscription_answers import Subscription
from engine.models import EmailState, OrderState
from engine.orders.receipts import Lookup
from engine.orders.receipts import Receipt as Taken

BASE = "https://varsel.example.no"
ID = UUID("019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f")
AT = datetime(2026, 5, 1, 12, 0, 0, 120_000, tzinfo=UTC)


def row(**values: Any) -> Any:
    """A stored order without its optional members."""
    missing = dict.fromkeys(
        (
            *("senders_reference", "ignore_reservation", "resource_id", "resource_action", "condition_endpoint"),
            *("channel", "sms", "template_name", "template_version"),
        )
    )
    its = {"id": ID, "creator": "ttd", "created": AT, "requested_send_time": AT, "last_update": AT, "sender": "a@b.no"}
    its |= {"subject": "Hei", "body": 'Kåre: "1 < 2"\n\u2028', "content_type": "Plain", "guarantee": "AtLeastOnce"}
    its |= {
        "kind": "Notification",
        "priority": 1,
        "streamed": False,
        "state": OrderState.REGISTERED,
        "recipients": '[{"emailAddress": "kari@example.no"}]',
    }
    return SimpleNamespace(**missing | its | values)


HEAD = (
    f'{{"id":"{ID}","requestedSendTime":"2026-05-01T12:00:00.12Z","creator":"ttd",'
    '"created":"2026-05-01T12:00:00.12Z","notificationChannel":"Email",'
)


def test_an_order_is_told_as_it_was_posted() -> None:
    assert Order.of(row(), BASE).json_text().decode() == (
        f'{HEAD}"recipients":[{{"emailAddress":"kari@example.no"}}],'
        '"emailTemplate":{"fromAddress":"a@b.no","subject":"Hei","body":"Kåre: \\"1 < 2\\"\\n\u2028",'
        '"contentType":"Plain"},'
        f'"deliveryGuarantee":"AtLeastOnce","priority":"Normal","links":{{"self":"{BASE}/orders/{ID}","status":"{BASE}/orders/{ID}/status"}}}}'
    )


def test_what_is_false_is_told_and_what_is_missing_is_not() -> None:
    said = Order.of(row(ignore_reservation=False, senders_reference=""), BASE).json_text()
    assert b'"ignoreReservation":false' in said
    assert b'"sendersReference":""' in said
    assert b"null" not in said
    assert b"resourceId" not in said


def test_a_status_has_a_summary_as_soon_as_there_are_emails() -> None:
    status = (
        '"processingStatus":{"status":"Registered","description":"The order is stored and waits for its requested '
        'send time.","lastUpdate":"2026-05-01T12:00:00.12Z"}'
    )
    assert OrderStatus.of(row(), 0, 0, BASE).json_text().decode() == f"{HEAD}{status}}}"
    links = f'"links":{{"self":"{BASE}/orders/{ID}/notifications/email"}}'
    summary = f'"notificationsStatusSummary":{{"email":{{{links},"generated":2,"succeeded":1}}}}'
    assert OrderStatus.of(row(), 2, 1, BASE).json_text().decode() == f"{HEAD}{status},{summary}}}"


def test_emails_are_told_with_those_members_of_their_recipients_that_there_are() -> None:
    email = {"id": ID, "state": EmailState.FAILED_TTL, "last_update": AT, "address": "kari@example.no"}
    found = SimpleNamespace(**email, organization_number=None, national_identity_number="01017512345")
    summary: Any = EmailSummary.of(row(), [found])  # type: ignore[list-item]  # a row's attributes
    assert summary.json_text().decode() == (
        f'{{"orderId":"{ID}","generated":1,"succeeded":0,"notifications":[{{"id":"{ID}","succeeded":false,'
        '"recipient":{"emailAddress":"kari@example.no","nationalIdentityNumber":"01017512345"},'
        '"sendStatus":{"status":"Failed",'
        '"description":"The e-mail was not sent in time: within 48 hours, or before expiresAt.",'
        '"lastUpdate":"2026-05-01T12:00:00.12Z"}}]}'
    )
    assert OrderList(count=0, orders=[]).json_text() == b'{"count":0,"orders":[]}'


def test_a_receipt_is_the_same_at_every_replay() -> None:
    assert Receipt.of(Taken(ID, None)).json_text().decode() == f'{{"orderId":"{ID}"}}'
    looked_up = Taken(ID, Lookup("PartialSuccess", ("01017512345",), ()), replayed=True)
    assert Receipt.of(looked_up).json_text().decode() == (
        f'{{"orderId": "{ID}", "recipientLookup": {{"status": "PartialSuccess", "isReserved": ["01017512345"], '
        '"missingContact": []}}'
    )


def test_a_subscription_is_told_without_what_it_has_not() -> None:
    its = dict.fromkeys(("source_filter", "source_prefix", "subject_filter", "alternative_subject_filter"))
    its |= dict.fromkeys(("template", "open_until", "last_error", "paused_reason"))
    stored = SimpleNamespace(
        **its | {"seq": 7, "endpoint": "https://a.no", "resource_filter": "urn:altinn:resource:x", "ordered": False},
        type_filter='["a.*"]', consumer="/org/ttd", created=AT, validated=True,
    )  # fmt: skip
    told: Any = Subscription.of(stored)  # type: ignore[arg-type]  # likewise
    assert told.json_text().decode() == (
        '{"id":7,"endPoint":"https://a.no","resourceFilter":"urn:altinn:resource:x","typeFilter":["a.*"],'
        '"includeSubunits":false,"ordered":false,"consumer":"/org/ttd","createdBy":"/org/ttd",'
        '"created":"2026-05-01T12:00:00.12Z","validated":true}'
    )
    assert told.response(201, {"Location": "there"}).headers["content-type"] == "application/json"


def test_a_problem_has_its_members_in_the_contracts_order() -> None:
    assert document(400, None, {"subject": ["Må være kortere."]}, "00-1-2-00").decode() == (
        '{"type": "https://tools.ietf.org/html/rfc9110#section-15.5.1", "title": '
        '"One or more validation errors occurred.", "status": 400, "errors": {"subject": ["Må være kortere."]}, '
        '"traceId": "00-1-2-00"}'
    )
    assert b'"status": 404, "detail": "None.", "traceId"' in document(404, "None.", {}, "00-1-2-00")


def test_an_instant_has_a_fraction_only_where_there_is_one() -> None:
    assert instant(AT.replace(microsecond=0)) == "2026-05-01T12:00:00Z"
    assert instant(AT) == "2026-05-01T12:00:00.12Z"
