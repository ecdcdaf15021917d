"""Uploads of recipients as JSON: the lines, and how far they have come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from api.answers import Answer, instant

if TYPE_CHECKING:
    from engine.orders.forecasts import Forecast
    from engine.orders.uploads import Totals, Upload


class RecipientLine(BaseModel):
    """A line: a recipient, known by an address or by a number that the contact directory knows."""

    model_config = ConfigDict(alias_generator=to_camel)

    email_address: str | None = Field(None, examples=["kari@example.no"])
    national_identity_number: str | None = Field(None, description="11 digits; must stand alone")
    organization_number: str | None = Field(None, description="9 digits; must stand alone")
    locale: str | None = Field(None, description="of the template's texts, such as nb-NO")
    time_zone: str | None = Field(None, description="in which the order's window is read, such as Europe/Oslo")
    values: dict[str, str | int | float | bool | None] | None = Field(
        None, description="what is the recipient's own in the order's texts"
    )


class RecipientTable(RootModel[str]):
    """CSV: the first line names the columns; what is no address is a value. Separated by comma, semicolon or tab."""


class InvalidLine(Answer):
    """Why a line is not a recipient."""

    line: int
    column: str | None = None
    reason: str


class SendTime(Answer):
    """From when on e-mails go to recipients in a zone."""

    zone: str
    time: str
    recipients: int


class Sample(Answer):
    """What the first recipient would get."""

    to: str
    subject: str
    body: str
    content_type: str


class DryRun(Answer):
    """What would follow if the lines were stored and the order closed now."""

    send_times: list[SendTime]
    last_sent: str | None = Field(
        None,
        description="when the last would have left, by the best minute of the last days; absent: not known",
    )
    sample: Sample | None = None

    @classmethod
    def of(cls, forecast: Forecast) -> Self:
        """From what was worked out."""
        sample = None
        if forecast.sample:
            said = forecast.sample.content
            sample = Sample(
                to=forecast.sample.to, subject=said.subject, body=said.body, content_type=said.content_type.value
            )
        return cls(
            send_times=[
                SendTime(zone=each.zone, time=instant(each.at), recipients=each.recipients)
                for each in forecast.openings
            ],
            last_sent=instant(forecast.last) if forecast.last else None,
            sample=sample,
        )


class UploadStatus(Answer):
    """How far the recipients of an order have come."""

    order_id: UUID
    status: str = Field(description="Open, or what has become of the order since")
    next_line: int = Field(description="where to go on after a broken connection")
    valid: int
    invalid: int
    duplicate: int = Field(description="recipients who came before; kept or dropped, as the order says")
    expires: str | None = Field(None, description="when the open order is cancelled, if nothing comes until then")
    report: list[InvalidLine] = Field(description="the first 100 invalid lines")
    dry_run: DryRun | None = Field(None, description="only of a dry run")

    @classmethod
    def of(cls, upload: Upload, totals: Totals | None = None, dry_run: DryRun | None = None) -> Self:
        """From the stored row; `totals` instead of its own."""
        found = totals or upload
        return cls(
            order_id=upload.id,
            status=upload.state,
            next_line=found.lines + 1,
            valid=found.valid,
            invalid=found.invalid,
            duplicate=found.duplicate,
            expires=instant(upload.due_at) if upload.is_open and upload.due_at else None,
            report=[InvalidLine(**each | {"column": each["column"] or None}) for each in json.loads(found.report)],
            dry_run=dry_run,
        )
