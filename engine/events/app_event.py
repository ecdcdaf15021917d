"""Events of Altinn apps: they come as plain JSON, and the event is made here (events contract 3.1, 4.1 and 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import BadRequest, Invalid
from engine.events.app_source import resource_of, segments
from engine.events.cloudevent import VERSION, encode
from engine.events.json_text import compact, read_object
from engine.models import new_id
from engine.text import json_types
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from engine.events.json_text import Members
    from engine.models import CloudEvent

_REQUIRED = ("source", "type", "subject", "specversion")
_OPTIONAL = {  # member: attribute
    "alternativesubject": "alternativesubject",
    "dataschema": "dataschema",
    "contenttype": "datacontenttype",
}
_WITH_INSTANCE = 5  # segments of /org/app/instances/party/guid


def read_app_event(body: bytes, now: datetime) -> CloudEvent:
    """Make the event that an app asks for; Varsel sets id, time, resource and instance.

    BadRequest when a required member is missing; Invalid (`$`, `$.member`) when something else is wrong.
    """
    if not body.strip():
        raise Invalid({"": ["A non-empty request body is required."]})
    try:
        members = {name.lower(): member for name, member in read_object(body).items()}
        value, text = members.get("data", (None, ""))
        attributes = _attributes(_texts(members), now)
        return encode(attributes, None if value is None else compact(value, text))
    except Invalid as error:
        raise Invalid({_path(name): texts for name, texts in error.errors.items()}) from None


def _texts(members: Members) -> dict[str, str]:
    """The members that matter, as far as they were given; null and the empty string count as missing."""
    given = {name: members[name][0] for name in (*_REQUIRED, *_OPTIONAL) if name in members}
    if isinstance(media_type := given.get("contenttype"), dict):
        given["contenttype"] = next((part for name, part in media_type.items() if name.lower() == "mediatype"), None)
    strange = [name for name, value in given.items() if value is not None and not isinstance(value, str)]
    if strange:
        raise Invalid({name: [json_types.told(json_types.STRING)] for name in strange})
    texts = {name: value for name, value in given.items() if value}
    if any(name not in texts for name in _REQUIRED):
        raise BadRequest("Missing parameter values: source, subject and type cannot be null")
    return texts


def _attributes(texts: dict[str, str], now: datetime) -> dict[str, str]:
    source = texts["source"]
    path, resource = segments(source), resource_of(source)
    if resource is None:
        raise Invalid({"source": ["The source must be an http or https URL with the path /org/app or below it."]})
    attributes = {
        "specversion": VERSION,
        "id": str(new_id(now)),
        "time": rfc3339(now, "auto"),
        "source": source,
        "subject": texts["subject"],
        "type": texts["type"],
        "resource": resource,
    }
    if len(path) >= _WITH_INSTANCE:
        attributes["resourceinstance"] = f"{path[3]}/{path[4]}"
    attributes |= {attribute: texts[name] for name, attribute in _OPTIONAL.items() if name in texts}
    return attributes


def _path(name: str) -> str:
    """The path of the member from which an attribute was made; "" is the body as a whole."""
    return f"$.{name.replace('datacontenttype', 'contenttype')}" if name else "$"
