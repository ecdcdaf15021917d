"""The part Events of the API; `make clients` writes this file."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from varsel.client.calls import Call, Linked, headers_of, json_of, path_of, query_of
from varsel.client.resources import AsyncResource, Resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from datetime import datetime

    from varsel.client.generated import models


def post_app(body: models.AppEvent) -> Call[models.EventId]:
    """POST /events/api/v1/app"""
    return Call(
        "POST", "/events/api/v1/app", (), headers_of({"Content-Type": "application/json"}), content=json_of(body)
    )


def post_events(body: models.Event | models.Events) -> Call[None]:
    """POST /events/api/v1/events"""
    return Call(
        "POST",
        "/events/api/v1/events",
        (),
        headers_of(
            {
                "Content-Type": "application/cloudevents+json"
                if isinstance(body, dict)
                else "application/cloudevents-batch+json"
            }
        ),
        content=json_of(body),
        repeatable=True,
    )


def get_events(
    *,
    resource: str,
    after: str,
    after_source: str | None = None,
    alternative_subject: str | None = None,
    subject: str | None = None,
    type: Sequence[str] | None = None,
    size: int | None = None,
    altinn_alternative_subject: str | None = None,
) -> Call[models.Events]:
    """GET /events/api/v1/events"""
    return Call(
        "GET",
        "/events/api/v1/events",
        query_of(
            {
                "resource": resource,
                "after": after,
                "afterSource": after_source,
                "alternativeSubject": alternative_subject,
                "subject": subject,
                "type": type,
                "size": size,
            }
        ),
        headers_of({"Altinn-AlternativeSubject": altinn_alternative_subject}),
        repeatable=True,
        pages=Linked(),
    )


def get_app_party(
    *,
    after: str | None = None,
    after_source: str | None = None,
    alternative_subject: str | None = None,
    from_: datetime | str | None = None,
    to: datetime | str | None = None,
    party: int | None = None,
    unit: str | None = None,
    type: Sequence[str] | None = None,
    size: int | None = None,
    source: Sequence[str] | None = None,
    person: str | None = None,
) -> Call[models.Events]:
    """GET /events/api/v1/app/party"""
    return Call(
        "GET",
        "/events/api/v1/app/party",
        query_of(
            {
                "after": after,
                "afterSource": after_source,
                "alternativeSubject": alternative_subject,
                "from": from_,
                "to": to,
                "party": party,
                "unit": unit,
                "type": type,
                "size": size,
                "source": source,
            }
        ),
        headers_of({"person": person}),
        repeatable=True,
        pages=Linked(),
    )


def get_app_org_app(
    org: str,
    app: str,
    *,
    after: str | None = None,
    after_source: str | None = None,
    alternative_subject: str | None = None,
    from_: datetime | str | None = None,
    to: datetime | str | None = None,
    party: int | None = None,
    unit: str | None = None,
    type: Sequence[str] | None = None,
    size: int | None = None,
    person: str | None = None,
) -> Call[models.Events]:
    """GET /events/api/v1/app/{org}/{app}"""
    return Call(
        "GET",
        path_of("/events/api/v1/app/{org}/{app}", org=org, app=app),
        query_of(
            {
                "after": after,
                "afterSource": after_source,
                "alternativeSubject": alternative_subject,
                "from": from_,
                "to": to,
                "party": party,
                "unit": unit,
                "type": type,
                "size": size,
            }
        ),
        headers_of({"person": person}),
        repeatable=True,
        pages=Linked(),
    )


class Events(Resource):
    """The operations of events."""

    def publish_app_event(self, body: models.AppEvent) -> models.EventId:
        """Publish an app's event.

        The app tells what happened to one of its instances; id, time and resource of the event are made here.
        The `PlatformAccessToken` must be of the app that `source` names.
        """
        return self._send(post_app(body))

    def publish(self, body: models.Event | models.Events) -> None:
        """Publish events.

        One CloudEvent, a batch of which all or none are stored, or (with `ce-` headers and any other media type)
        an event in binary mode. Needs the scope `altinn:events.publish` or a `PlatformAccessToken` beside the
        bearer token. An event whose `id` and `source` are known is not stored again.
        """
        return self._send(post_events(body))

    def list(
        self,
        *,
        resource: str,
        after: str,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        subject: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        altinn_alternative_subject: str | None = None,
    ) -> models.Events:
        """A resource's events.

        In the order in which they were stored. Events that the caller may not see are left out, so a page may be
        short or empty: follow the header `next` until it is missing, and keep the last one to go on later. Needs
        the scope `altinn:events.subscribe`.
        `resource`: exact
        `after`: id of the last event seen; an unknown one: from the beginning
        `after_source`: its source, since ids of two sources can be the same
        `alternative_subject`: from `next`, in place of the header by which the page before was asked
        `subject`: exact
        `altinn_alternative_subject`: exact; not together with `subject`
        `type`: exact, in its case; `%` and `_` are wildcards; repeated: one must match
        `size`: of a page
        """
        return self._send(
            get_events(
                resource=resource,
                after=after,
                after_source=after_source,
                alternative_subject=alternative_subject,
                subject=subject,
                type=type,
                size=size,
                altinn_alternative_subject=altinn_alternative_subject,
            )
        )

    def iterate(
        self,
        *,
        resource: str,
        after: str,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        subject: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        altinn_alternative_subject: str | None = None,
    ) -> Iterator[models.Event]:
        """Go through all entries of `list`, page by page."""
        return cast(
            "Iterator[models.Event]",
            self._iterate(
                get_events(
                    resource=resource,
                    after=after,
                    after_source=after_source,
                    alternative_subject=alternative_subject,
                    subject=subject,
                    type=type,
                    size=size,
                    altinn_alternative_subject=altinn_alternative_subject,
                )
            ),
        )

    def list_party_events(
        self,
        *,
        after: str | None = None,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        party: int | None = None,
        unit: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        source: Sequence[str] | None = None,
        person: str | None = None,
    ) -> models.Events:
        """A party's events.

        In the order in which they were stored. Events that the caller may not see are left out, so a page may be
        short or empty: follow the header `next` until it is missing, and keep the last one to go on later. One
        of `party`, `unit` and `person` is needed.
        `after`: id of the last event seen; an unknown one: from the beginning; needed without `from`
        `after_source`: its source, since ids of two sources can be the same
        `alternative_subject`: from `next`, in place of the header by which the page before was asked
        `from_`: events of then or later, with time zone; needed without `after`
        `to`: events of then or earlier, with time zone
        `party`: events with the subject `/party/N`
        `unit`: events with the alternative subject `/organisation/N`
        `person`: events with the alternative subject `/person/N`
        `type`: in any case; `%` and `_` are wildcards; repeated: one must match
        `size`: of a page
        `source`: in any case; `%` and `_` are wildcards; repeated: one must match
        """
        return self._send(
            get_app_party(
                after=after,
                after_source=after_source,
                alternative_subject=alternative_subject,
                from_=from_,
                to=to,
                party=party,
                unit=unit,
                type=type,
                size=size,
                source=source,
                person=person,
            )
        )

    def iterate_party_events(
        self,
        *,
        after: str | None = None,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        party: int | None = None,
        unit: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        source: Sequence[str] | None = None,
        person: str | None = None,
    ) -> Iterator[models.Event]:
        """Go through all entries of `list_party_events`, page by page."""
        return cast(
            "Iterator[models.Event]",
            self._iterate(
                get_app_party(
                    after=after,
                    after_source=after_source,
                    alternative_subject=alternative_subject,
                    from_=from_,
                    to=to,
                    party=party,
                    unit=unit,
                    type=type,
                    size=size,
                    source=source,
                    person=person,
                )
            ),
        )

    def list_app_events(
        self,
        org: str,
        app: str,
        *,
        after: str | None = None,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        party: int | None = None,
        unit: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        person: str | None = None,
    ) -> models.Events:
        """An app's events.

        In the order in which they were stored. Events that the caller may not see are left out, so a page may be
        short or empty: follow the header `next` until it is missing, and keep the last one to go on later. For
        organisations only.
        `org`: whose app
        `app`: the app's name
        `after`: id of the last event seen; an unknown one: from the beginning; needed without `from`
        `after_source`: its source, since ids of two sources can be the same
        `alternative_subject`: from `next`, in place of the header by which the page before was asked
        `from_`: events of then or later, with time zone; needed without `after`
        `to`: events of then or earlier, with time zone
        `party`: events with the subject `/party/N`
        `unit`: events with the alternative subject `/organisation/N`
        `person`: events with the alternative subject `/person/N`
        `type`: in any case; `%` and `_` are wildcards; repeated: one must match
        `size`: of a page
        """
        return self._send(
            get_app_org_app(
                org,
                app,
                after=after,
                after_source=after_source,
                alternative_subject=alternative_subject,
                from_=from_,
                to=to,
                party=party,
                unit=unit,
                type=type,
                size=size,
                person=person,
            )
        )

    def iterate_app_events(
        self,
        org: str,
        app: str,
        *,
        after: str | None = None,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        party: int | None = None,
        unit: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        person: str | None = None,
    ) -> Iterator[models.Event]:
        """Go through all entries of `list_app_events`, page by page."""
        return cast(
            "Iterator[models.Event]",
            self._iterate(
                get_app_org_app(
                    org,
                    app,
                    after=after,
                    after_source=after_source,
                    alternative_subject=alternative_subject,
                    from_=from_,
                    to=to,
                    party=party,
                    unit=unit,
                    type=type,
                    size=size,
                    person=person,
                )
            ),
        )


class AsyncEvents(AsyncResource):
    """The operations of events, with `await`."""

    async def publish_app_event(self, body: models.AppEvent) -> models.EventId:
        """Publish an app's event.

        The app tells what happened to one of its instances; id, time and resource of the event are made here.
        The `PlatformAccessToken` must be of the app that `source` names.
        """
        return await self._send(post_app(body))

    async def publish(self, body: models.Event | models.Events) -> None:
        """Publish events.

        One CloudEvent, a batch of which all or none are stored, or (with `ce-` headers and any other media type)
        an event in binary mode. Needs the scope `altinn:events.publish` or a `PlatformAccessToken` beside the
        bearer token. An event whose `id` and `source` are known is not stored again.
        """
        return await self._send(post_events(body))

    async def list(
        self,
        *,
        resource: str,
        after: str,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        subject: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        altinn_alternative_subject: str | None = None,
    ) -> models.Events:
        """A resource's events.

        In the order in which they were stored. Events that the caller may not see are left out, so a page may be
        short or empty: follow the header `next` until it is missing, and keep the last one to go on later. Needs
        the scope `altinn:events.subscribe`.
        `resource`: exact
        `after`: id of the last event seen; an unknown one: from the beginning
        `after_source`: its source, since ids of two sources can be the same
        `alternative_subject`: from `next`, in place of the header by which the page before was asked
        `subject`: exact
        `altinn_alternative_subject`: exact; not together with `subject`
        `type`: exact, in its case; `%` and `_` are wildcards; repeated: one must match
        `size`: of a page
        """
        return await self._send(
            get_events(
                resource=resource,
                after=after,
                after_source=after_source,
                alternative_subject=alternative_subject,
                subject=subject,
                type=type,
                size=size,
                altinn_alternative_subject=altinn_alternative_subject,
            )
        )

    def iterate(
        self,
        *,
        resource: str,
        after: str,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        subject: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        altinn_alternative_subject: str | None = None,
    ) -> AsyncIterator[models.Event]:
        """Go through all entries of `list`, page by page."""
        return cast(
            "AsyncIterator[models.Event]",
            self._iterate(
                get_events(
                    resource=resource,
                    after=after,
                    after_source=after_source,
                    alternative_subject=alternative_subject,
                    subject=subject,
                    type=type,
                    size=size,
                    altinn_alternative_subject=altinn_alternative_subject,
                )
            ),
        )

    async def list_party_events(
        self,
        *,
        after: str | None = None,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        party: int | None = None,
        unit: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        source: Sequence[str] | None = None,
        person: str | None = None,
    ) -> models.Events:
        """A party's events.

        In the order in which they were stored. Events that the caller may not see are left out, so a page may be
        short or empty: follow the header `next` until it is missing, and keep the last one to go on later. One
        of `party`, `unit` and `person` is needed.
        `after`: id of the last event seen; an unknown one: from the beginning; needed without `from`
        `after_source`: its source, since ids of two sources can be the same
        `alternative_subject`: from `next`, in place of the header by which the page before was asked
        `from_`: events of then or later, with time zone; needed without `after`
        `to`: events of then or earlier, with time zone
        `party`: events with the subject `/party/N`
        `unit`: events with the alternative subject `/organisation/N`
        `person`: events with the alternative subject `/person/N`
        `type`: in any case; `%` and `_` are wildcards; repeated: one must match
        `size`: of a page
        `source`: in any case; `%` and `_` are wildcards; repeated: one must match
        """
        return await self._send(
            get_app_party(
                after=after,
                after_source=after_source,
                alternative_subject=alternative_subject,
                from_=from_,
                to=to,
                party=party,
                unit=unit,
                type=type,
                size=size,
                source=source,
                person=person,
            )
        )

    def iterate_party_events(
        self,
        *,
        after: str | None = None,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        party: int | None = None,
        unit: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        source: Sequence[str] | None = None,
        person: str | None = None,
    ) -> AsyncIterator[models.Event]:
        """Go through all entries of `list_party_events`, page by page."""
        return cast(
            "AsyncIterator[models.Event]",
            self._iterate(
                get_app_party(
                    after=after,
                    after_source=after_source,
                    alternative_subject=alternative_subject,
                    from_=from_,
                    to=to,
                    party=party,
                    unit=unit,
                    type=type,
                    size=size,
                    source=source,
                    person=person,
                )
            ),
        )

    async def list_app_events(
        self,
        org: str,
        app: str,
        *,
        after: str | None = None,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        party: int | None = None,
        unit: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        person: str | None = None,
    ) -> models.Events:
        """An app's events.

        In the order in which they were stored. Events that the caller may not see are left out, so a page may be
        short or empty: follow the header `next` until it is missing, and keep the last one to go on later. For
        organisations only.
        `org`: whose app
        `app`: the app's name
        `after`: id of the last event seen; an unknown one: from the beginning; needed without `from`
        `after_source`: its source, since ids of two sources can be the same
        `alternative_subject`: from `next`, in place of the header by which the page before was asked
        `from_`: events of then or later, with time zone; needed without `after`
        `to`: events of then or earlier, with time zone
        `party`: events with the subject `/party/N`
        `unit`: events with the alternative subject `/organisation/N`
        `person`: events with the alternative subject `/person/N`
        `type`: in any case; `%` and `_` are wildcards; repeated: one must match
        `size`: of a page
        """
        return await self._send(
            get_app_org_app(
                org,
                app,
                after=after,
                after_source=after_source,
                alternative_subject=alternative_subject,
                from_=from_,
                to=to,
                party=party,
                unit=unit,
                type=type,
                size=size,
                person=person,
            )
        )

    def iterate_app_events(
        self,
        org: str,
        app: str,
        *,
        after: str | None = None,
        after_source: str | None = None,
        alternative_subject: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        party: int | None = None,
        unit: str | None = None,
        type: Sequence[str] | None = None,
        size: int | None = None,
        person: str | None = None,
    ) -> AsyncIterator[models.Event]:
        """Go through all entries of `list_app_events`, page by page."""
        return cast(
            "AsyncIterator[models.Event]",
            self._iterate(
                get_app_org_app(
                    org,
                    app,
                    after=after,
                    after_source=after_source,
                    alternative_subject=alternative_subject,
                    from_=from_,
                    to=to,
                    party=party,
                    unit=unit,
                    type=type,
                    size=size,
                    person=person,
                )
            ),
        )
