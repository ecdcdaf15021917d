"""A posted subscription: the members of the contract (events contract 4.2), and Varsel's own."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, from_json

from engine.errors import Invalid
from engine.text import json_types

MOST_TYPES = 20


def _types(value: Any) -> Any:
    if value is None or all(isinstance(each, str) for each in (value if isinstance(value, list) else [value])):
        return value
    raise PydanticCustomError("types", "must be a string or an array of strings")


class SubscriptionRequest(BaseModel):
    """A request to get events. Unknown members are ignored; names may be written in any case."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)

    end_point: str | None = Field(
        None,
        description="required: where events are posted to, an https address; or mailto: with one e-mail address",
        examples=["https://example.no/events", "mailto:kari@example.no"],
    )
    source_filter: str | None = Field(
        None,
        description="an app's address; for app events only",
        examples=["https://ttd.apps.altinn.no/ttd/apps-test"],
    )
    source_prefix_filter: str | None = Field(
        None,
        description="events whose source begins with this; not together with sourceFilter",
        examples=["https://example.no/cases/"],
    )
    resource_filter: str | None = Field(
        None,
        description="events about this resource; required, except for app events with a sourceFilter",
        examples=["urn:altinn:resource:app_ttd_apps-test"],
    )
    subject_filter: str | None = Field(
        None, description="events about exactly this subject", examples=["/party/50002108"]
    )
    alternative_subject_filter: str | None = Field(
        None,
        description="events about this organisation or person; for app events only",
        examples=["/organisation/910514318", "/person/01018012345"],
    )
    type_filter: Annotated[str | list[str] | None, BeforeValidator(_types)] = Field(
        None,
        description=f"events of this type, or of up to {MOST_TYPES}: whole types, or beginnings that end in .*",
        examples=["app.instance.created", ["app.instance.*", "app.process.completed"]],
    )
    include_subunits: bool = Field(default=False, description="not supported without a register of organisations")
    ordered: bool = Field(
        default=False, description="each subject's next event comes only when the one before is delivered or dead"
    )
    template: str | None = Field(
        None, description="name of the stored template; only and always with a mailto: endPoint", examples=["receipt"]
    )


_NAMES = {to_camel(name).lower(): to_camel(name) for name in SubscriptionRequest.model_fields}


def read_request(body: bytes) -> SubscriptionRequest:
    """Read a posted subscription; Invalid ("", `$`, `$.member`) when it is not JSON of the right types."""
    if not body:
        raise Invalid({"": ["A non-empty request body is required."]})
    try:
        value = from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False)
    except ValueError as error:
        raise Invalid({"$": [f"The body is not valid JSON: {error}."]}) from None
    if not isinstance(value, dict):
        raise Invalid({"$": ["The body must be a JSON object."]})
    named: dict[str, Any] = {_NAMES[key.lower()]: member for key, member in value.items() if key.lower() in _NAMES}
    if isinstance(types := named.get("typeFilter"), list):
        named["typeFilter"] = types[: MOST_TYPES + 1]  # one too many is enough to refuse a list that is too long
    try:
        return SubscriptionRequest.model_validate(named)
    except ValidationError as error:
        errors: dict[str, list[str]] = {}
        for path, text in json_types.problems(error):
            errors.setdefault(path, []).append(text)
        raise Invalid(errors) from None
