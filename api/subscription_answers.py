"""Subscriptions as JSON: their members (events contract 4.3, 4.4) and ours; null members are left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from pydantic import Field, RootModel

from api.answers import Answer, instant
from api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from engine.subscriptions.shown import KeptSubscription, PushAttempt, PushedDelivery


class Refusal(RootModel[str | Problem]):
    """The rule that is broken, as a JSON string, or a problem when the body is not of the right types."""


class Subscription(Answer):
    """A subscription and how it is."""

    id: int
    end_point: str
    source_filter: str | None = None
    source_prefix_filter: str | None = None
    resource_filter: str
    subject_filter: str | None = None
    alternative_subject_filter: str | None = None
    type_filter: str | list[str] | None = Field(None, description="as it was posted")
    include_subunits: bool
    ordered: bool
    template: str | None = None
    consumer: str
    created_by: str
    created: str
    validated: bool = Field(description="the endpoint has accepted the validation event: events are pushed")
    paused: str | None = Field(None, description="why nothing is pushed; events that match meanwhile wait")
    open_until: str | None = Field(None, description="nothing is pushed before, since the endpoint kept failing")
    last_error: str | None = Field(None, description="of the newest attempt; absent when that went well")
    secret: str | None = Field(
        None, description="what pushed events are signed with (Standard Webhooks); shown this once, when it is new"
    )

    @classmethod
    def of(cls, row: KeptSubscription, secret: str | None = None) -> Self:
        """From the stored row."""
        return cls(
            id=row.seq,
            end_point=row.endpoint,
            source_filter=row.source_filter,
            source_prefix_filter=row.source_prefix,
            resource_filter=row.resource_filter,
            subject_filter=row.subject_filter,
            alternative_subject_filter=row.alternative_subject_filter,
            type_filter=row.type_filter and json.loads(row.type_filter),
            include_subunits=False,
            ordered=row.ordered,
            template=row.template,
            consumer=row.consumer,
            created_by=row.consumer,
            created=instant(row.created),
            validated=row.validated,
            paused=row.paused_reason,
            open_until=row.open_until and instant(row.open_until),
            last_error=row.last_error,
            secret=secret,
        )


class SubscriptionList(Answer):
    """The caller's subscriptions, the oldest first."""

    count: int
    subscriptions: list[Subscription]

    @classmethod
    def of(cls, rows: Sequence[KeptSubscription]) -> Self:
        """From the stored rows."""
        return cls(count=len(rows), subscriptions=[Subscription.of(row) for row in rows])


class NewSecret(Answer):
    """A secret that takes the place of another."""

    secret: str = Field(description="shown this once")
    old_secret_valid_until: str = Field(description="until then, pushed events carry a signature of each")

    @classmethod
    def of(cls, secret: str, until: datetime) -> Self:
        """The new one, and how long the old one goes on."""
        return cls(secret=secret, old_secret_valid_until=instant(until))


class Reply(Answer):
    """One attempt and what came of it."""

    at: str = Field(description="when it ended")
    outcome: str = Field(description="accepted, deferred, rejected, expired or unauthorized")
    status: int | None = Field(None, description="the HTTP status; absent when there was no answer")
    body: str = Field(description="the answer's beginning, or what happened instead")
    duration_ms: int

    @classmethod
    def of(cls, row: PushAttempt) -> Self:
        """From the stored row."""
        return cls(
            at=instant(row.at), outcome=row.outcome, status=row.status, body=row.reply, duration_ms=row.duration_ms
        )


class Delivery(Answer):
    """One event for one subscription."""

    id: int
    event_id: str | None = None
    event_source: str | None = None
    event_type: str | None = None
    validation: bool | None = Field(None, description="true for the validation event, which has no id or type here")
    state: str = Field(description="Waiting, Delivered, Dead or Unauthorized")
    attempts: int = Field(description="those that count against the retry schedule")
    created: str
    next_attempt: str | None = Field(None, description="absent when nothing more will be attempted")
    last_update: str
    replies: list[Reply] = Field(description="the newest attempts, the oldest of them first")

    @classmethod
    def of(cls, row: PushedDelivery, attempts: Sequence[PushAttempt]) -> Self:
        """From the stored rows."""
        return cls(
            id=row.seq,
            event_id=row.event_id,
            event_source=row.source,
            event_type=row.type,
            validation=True if row.event_seq is None else None,
            state=row.state,
            attempts=row.attempts,
            created=instant(row.created),
            next_attempt=row.due_at and instant(row.due_at),
            last_update=instant(row.last_update),
            replies=[Reply.of(attempt) for attempt in attempts],
        )


class DeliveryList(Answer):
    """A page of deliveries, the newest first."""

    count: int
    deliveries: list[Delivery]

    @classmethod
    def of(cls, found: Sequence[tuple[PushedDelivery, Sequence[PushAttempt]]]) -> Self:
        """From deliveries with their attempts."""
        return cls(count=len(found), deliveries=[Delivery.of(row, attempts) for row, attempts in found])


class Replay(Answer):
    """How many events a replay concerns."""

    count: int = Field(description="stored events that match")
    replayed: int = Field(description="those that are pushed again: all, or none without `count` in the request")
