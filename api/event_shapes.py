"""The shapes of events, for the OpenAPI document; what is read is checked by `engine.events`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

APP_EVENT = {
    "type": "app.instance.created",
    "source": "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
    "subject": "/party/50019855",
    "specversion": "1.0",
    "alternativesubject": "/person/01017512345",
}
EVENT = {
    "specversion": "1.0",
    "id": "91f2388f-bd8c-4647-8684-fd9f68af5b14",
    "source": "https://skatt.example.no/melding",
    "type": "no.skatt.melding.klar",
    "subject": "/organisation/987564321",
    "time": "2026-11-23T08:00:00Z",
    "resource": "urn:altinn:resource:skattemelding",
    "data": {"year": 2026},
}


class AppEvent(BaseModel):
    """What an app tells; the event's id, time and resource are made here."""

    type: str = Field(min_length=1, max_length=500)
    source: str = Field(
        max_length=2_000, pattern="^https?://[^/?#]+/[^/]+/[^/]+", description="URL whose path begins with `/org/app`"
    )
    subject: str = Field(min_length=1, max_length=1_000, description="whom it is about, such as `/party/50019855`")
    specversion: str = Field(min_length=1, description="any; the event's is 1.0")
    alternativesubject: str | None = Field(None, max_length=2_000, description="such as `/person/01017512345`")
    dataschema: str | None = Field(None, max_length=2_000, description="absolute URI")
    contenttype: str | None = Field(None, max_length=2_000, description="media type of `data`")
    data: Any = None


class Event(BaseModel):
    """A CloudEvent 1.0 in the JSON format; more attributes, of letters a to z and digits, are kept."""

    model_config = ConfigDict(extra="allow")

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, max_length=500)
    source: str = Field(min_length=1, max_length=2_000, description="with `id`, the name of the event: stored once")
    type: str = Field(min_length=1, max_length=500)
    resource: str = Field(
        max_length=2_000, pattern="^urn:[a-z0-9-]+:", description="URN in lower case; subscribers and access go by it"
    )
    subject: str | None = Field(None, min_length=1, max_length=1_000)
    alternativesubject: str | None = Field(None, max_length=2_000)
    resourceinstance: str | None = Field(None, max_length=2_000)
    time: str | None = Field(None, description="RFC 3339")
    dataschema: str | None = Field(None, max_length=2_000, description="absolute URI")
    datacontenttype: str | None = Field(None, max_length=2_000, description="media type of `data`")
    data: Any = None
    data_base64: str | None = Field(None, description="instead of `data`: bytes")


class Events(RootModel[list[Event]]):
    """A batch, or a page."""

    root: list[Event] = Field(max_length=1_000)


class EventId(RootModel[str]):
    """The event's id, a JSON string."""
