"""The support dashboard over HTTP: what was sent to a recipient, whoever ordered it (contract 2.8)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import RootModel
from starlette.responses import Response

from api import reads
from api.answers import JSON, Answer, instant
from api.auth import authenticate_bearer, require_scope
from api.fields import field
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.orders import PREFIX, REFUSED
from api.parameters import DATE_TIME, Given
from engine.errors import Invalid
from engine.models import EmailState
from engine.observability.audit import note_consumer
from engine.orders import dashboard
from engine.orders.checks import Broken, check_organization, check_person
from engine.orders.dashboard import By
from engine.resources import SCOPE_SUPPORT
from engine.text.addresses import bare, read_address

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection
    from starlette.requests import Request

_USUAL = timedelta(days=7)  # the span, if none is given
_OLDEST = timedelta(days=3_650)
_SPAN = (
    Parameter("from", "query", "requested send times from here on; default: 7 days ago", schema=DATE_TIME),
    Parameter("to", "query", "up to here, which is not included; default: now", schema=DATE_TIME),
)


class DeliveryAttempt(Answer):
    """What became of a message."""

    national_identity_number: str | None = None
    organization_number: str | None = None
    channel: str = "email"
    email_address: str
    result: str
    result_time: str


class SupportEntry(Answer):
    """An order, as far as it went to the recipient."""

    shipment_id: UUID
    creator_name: str
    resource_id: str | None = None
    senders_reference: str | None = None
    requested_send_time: str
    notification_channel: str
    notification_type: str
    delivery_attempts: list[DeliveryAttempt]

    @classmethod
    def of(cls, found: Sequence[dashboard.Attempted]) -> SupportEntry:
        """From the stored rows of one order."""
        first = found[0]
        return cls(
            shipment_id=first.order_id,
            creator_name=first.creator,
            resource_id=first.resource_id,
            senders_reference=first.senders_reference,
            requested_send_time=instant(first.requested_send_time),
            notification_channel=first.channel or "Email",
            notification_type=first.kind,
            delivery_attempts=[_attempt(email) for email in found],
        )


class SupportEntries(RootModel[list[SupportEntry]]):
    """Orders."""


OPERATIONS = Operations("Support")


def _description(path: str, header: str, example: str, summary: str) -> Description:
    return Description(
        method="GET",
        path=f"{PREFIX}/future/dashboard/recipients/notifications/{path}",
        summary=summary,
        description=f"Whoever ordered it. Needs the scope `{SCOPE_SUPPORT}`.",
        parameters=(Parameter(header, "header", "the recipient", required=True, example=example), *_SPAN),
        responses={200: Documented("The orders, possibly none.", SupportEntries), **REFUSED},
        credentials=("bearer",),
    )


@OPERATIONS.add(_description("nin", "NationalIdentityNumber", "01017512345", "What was sent to a person"))
async def get_of_person(request: Request) -> Response:
    """What was sent to a person."""
    return await _answer(request, By.PERSON, "NationalIdentityNumber")


@OPERATIONS.add(_description("orgnumber", "OrganizationNumber", "910150804", "What was sent to an organisation"))
async def get_of_organization(request: Request) -> Response:
    """What was sent to an organisation."""
    return await _answer(request, By.ORGANIZATION, "OrganizationNumber")


@OPERATIONS.add(_description("email", "Email", "kari@example.no", "What was sent to an e-mail address"))
async def get_of_address(request: Request) -> Response:
    """What was sent to an address."""
    return await _answer(request, By.ADDRESS, "Email")


@OPERATIONS.add(_description("phonenumber", "PhoneNumber", "+4799999999", "What was sent to a phone number: nothing"))
async def get_of_phone(request: Request) -> Response:
    """Nothing: there is no SMS."""
    return await _answer(request, None, "PhoneNumber")


async def _answer(request: Request, by: By | None, header: str) -> Response:
    caller = await authenticate_bearer(request, request.app.state.verifier)
    require_scope(caller, SCOPE_SUPPORT)
    value = _utf8(field(request, header.lower().encode()) or "").strip()
    now = await request.app.state.store.now()
    broken = Broken()
    since, until = _span(request, now, broken)
    if not value:
        broken.add(header, f"The header {header} is required.")
    elif by is By.PERSON:
        check_person(value, broken)
    elif by is By.ORGANIZATION:
        check_organization(value, header, broken)
    elif by is By.ADDRESS and not read_address(value):
        broken.add(header, "This is not a valid e-mail address.")
    if broken.errors:
        raise Invalid(broken.errors)
    known_as = bare(value) if by is By.ADDRESS else value
    text, count = b"[]", 0
    if by:
        find = partial(_found, by=by, value=known_as, since=since, until=until)
        text, count = await reads.read(request, caller.name, find)
    # Before it is answered: whoever learns about a recipient leaves a line. It does not say about whom.
    noted = (caller.name, "look-up", f"dashboard/{header}", {"answers": count})
    await request.app.state.writers.write(caller.name, note_consumer, *noted)
    return Response(text, media_type=JSON)


def _span(request: Request, now: datetime, broken: Broken) -> tuple[datetime, datetime]:
    given = Given(request)
    since, until = given.moment("from", zoned=True), given.moment("to", zoned=True)
    for name, moment in (("From", since), ("To", until)):
        if moment and moment > now:
            broken.add(name, "The time must not lie in the future.")
        if moment and moment < now - _OLDEST:
            broken.add(name, "The time must not lie more than 10 years back.")
    since, until = since or now - _USUAL, until or now
    if since >= until:
        broken.add("From", "`from` must lie before `to`.")
    return since, until


def _utf8(text: str) -> str:
    """A header's text, which came as UTF-8 or as Latin-1."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text


def _found(connection: Connection, by: By, value: str, since: datetime, until: datetime) -> tuple[bytes, int]:
    """The orders as JSON, and how many they are."""
    found = dashboard.find(connection, by, value, since, until)
    return b"[" + b",".join(SupportEntry.of(of).json_text() for of in found) + b"]", len(found)


def _attempt(email: dashboard.Attempted) -> DeliveryAttempt:
    return DeliveryAttempt(
        national_identity_number=email.national_identity_number,
        organization_number=email.organization_number,
        email_address=email.address,
        result=EmailState(email.state),
        result_time=instant(email.last_update),
    )
