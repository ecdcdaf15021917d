"""The part Support of the API; `make clients` writes this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varsel.client.calls import Call, headers_of, query_of
from varsel.client.resources import AsyncResource, Resource

if TYPE_CHECKING:
    from datetime import datetime

    from varsel.client.generated import models


def get_future_dashboard_recipients_notifications_nin(
    *, from_: datetime | str | None = None, to: datetime | str | None = None, national_identity_number: str
) -> Call[models.SupportEntries]:
    """GET /notifications/api/v1/future/dashboard/recipients/notifications/nin"""
    return Call(
        "GET",
        "/notifications/api/v1/future/dashboard/recipients/notifications/nin",
        query_of({"from": from_, "to": to}),
        headers_of({"NationalIdentityNumber": national_identity_number}),
        repeatable=True,
    )


def get_future_dashboard_recipients_notifications_orgnumber(
    *, from_: datetime | str | None = None, to: datetime | str | None = None, organization_number: str
) -> Call[models.SupportEntries]:
    """GET /notifications/api/v1/future/dashboard/recipients/notifications/orgnumber"""
    return Call(
        "GET",
        "/notifications/api/v1/future/dashboard/recipients/notifications/orgnumber",
        query_of({"from": from_, "to": to}),
        headers_of({"OrganizationNumber": organization_number}),
        repeatable=True,
    )


def get_future_dashboard_recipients_notifications_email(
    *, from_: datetime | str | None = None, to: datetime | str | None = None, email: str
) -> Call[models.SupportEntries]:
    """GET /notifications/api/v1/future/dashboard/recipients/notifications/email"""
    return Call(
        "GET",
        "/notifications/api/v1/future/dashboard/recipients/notifications/email",
        query_of({"from": from_, "to": to}),
        headers_of({"Email": email}),
        repeatable=True,
    )


def get_future_dashboard_recipients_notifications_phonenumber(
    *, from_: datetime | str | None = None, to: datetime | str | None = None, phone_number: str
) -> Call[models.SupportEntries]:
    """GET /notifications/api/v1/future/dashboard/recipients/notifications/phonenumber"""
    return Call(
        "GET",
        "/notifications/api/v1/future/dashboard/recipients/notifications/phonenumber",
        query_of({"from": from_, "to": to}),
        headers_of({"PhoneNumber": phone_number}),
        repeatable=True,
    )


class Support(Resource):
    """The operations of support."""

    def get_dashboard_recipients_notifications_nin(
        self, *, from_: datetime | str | None = None, to: datetime | str | None = None, national_identity_number: str
    ) -> models.SupportEntries:
        """What was sent to a person.

        Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
        `national_identity_number`: the recipient
        `from_`: requested send times from here on; default: 7 days ago
        `to`: up to here, which is not included; default: now
        """
        return self._send(
            get_future_dashboard_recipients_notifications_nin(
                from_=from_, to=to, national_identity_number=national_identity_number
            )
        )

    def get_dashboard_recipients_notifications_orgnumber(
        self, *, from_: datetime | str | None = None, to: datetime | str | None = None, organization_number: str
    ) -> models.SupportEntries:
        """What was sent to an organisation.

        Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
        `organization_number`: the recipient
        `from_`: requested send times from here on; default: 7 days ago
        `to`: up to here, which is not included; default: now
        """
        return self._send(
            get_future_dashboard_recipients_notifications_orgnumber(
                from_=from_, to=to, organization_number=organization_number
            )
        )

    def get_dashboard_recipients_notifications_email(
        self, *, from_: datetime | str | None = None, to: datetime | str | None = None, email: str
    ) -> models.SupportEntries:
        """What was sent to an e-mail address.

        Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
        `email`: the recipient
        `from_`: requested send times from here on; default: 7 days ago
        `to`: up to here, which is not included; default: now
        """
        return self._send(get_future_dashboard_recipients_notifications_email(from_=from_, to=to, email=email))

    def get_dashboard_recipients_notifications_phonenumber(
        self, *, from_: datetime | str | None = None, to: datetime | str | None = None, phone_number: str
    ) -> models.SupportEntries:
        """What was sent to a phone number: nothing.

        Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
        `phone_number`: the recipient
        `from_`: requested send times from here on; default: 7 days ago
        `to`: up to here, which is not included; default: now
        """
        return self._send(
            get_future_dashboard_recipients_notifications_phonenumber(from_=from_, to=to, phone_number=phone_number)
        )


class AsyncSupport(AsyncResource):
    """The operations of support, with `await`."""

    async def get_dashboard_recipients_notifications_nin(
        self, *, from_: datetime | str | None = None, to: datetime | str | None = None, national_identity_number: str
    ) -> models.SupportEntries:
        """What was sent to a person.

        Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
        `national_identity_number`: the recipient
        `from_`: requested send times from here on; default: 7 days ago
        `to`: up to here, which is not included; default: now
        """
        return await self._send(
            get_future_dashboard_recipients_notifications_nin(
                from_=from_, to=to, national_identity_number=national_identity_number
            )
        )

    async def get_dashboard_recipients_notifications_orgnumber(
        self, *, from_: datetime | str | None = None, to: datetime | str | None = None, organization_number: str
    ) -> models.SupportEntries:
        """What was sent to an organisation.

        Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
        `organization_number`: the recipient
        `from_`: requested send times from here on; default: 7 days ago
        `to`: up to here, which is not included; default: now
        """
        return await self._send(
            get_future_dashboard_recipients_notifications_orgnumber(
                from_=from_, to=to, organization_number=organization_number
            )
        )

    async def get_dashboard_recipients_notifications_email(
        self, *, from_: datetime | str | None = None, to: datetime | str | None = None, email: str
    ) -> models.SupportEntries:
        """What was sent to an e-mail address.

        Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
        `email`: the recipient
        `from_`: requested send times from here on; default: 7 days ago
        `to`: up to here, which is not included; default: now
        """
        return await self._send(get_future_dashboard_recipients_notifications_email(from_=from_, to=to, email=email))

    async def get_dashboard_recipients_notifications_phonenumber(
        self, *, from_: datetime | str | None = None, to: datetime | str | None = None, phone_number: str
    ) -> models.SupportEntries:
        """What was sent to a phone number: nothing.

        Whoever ordered it. Needs the scope `altinn:notifications.support.admin`.
        `phone_number`: the recipient
        `from_`: requested send times from here on; default: 7 days ago
        `to`: up to here, which is not included; default: now
        """
        return await self._send(
            get_future_dashboard_recipients_notifications_phonenumber(from_=from_, to=to, phone_number=phone_number)
        )
