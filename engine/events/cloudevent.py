"""CloudEvents 1.0 as they come in: structured, batched and binary (events contract 4.5 and 5.4).

Data keeps its JSON text, without the space between its tokens: no number and no escape is changed. In this file and for
its callers, `Invalid` names an attribute, or "" for the event as a whole.
"""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from pydantic_core import to_json

from engine.errors import BadRequest, Invalid
from engine.events.app_source import resource_of
from engine.events.json_text import compact, invalid, kind, placed, read_batch, read_object, read_value, shown, twice
from engine.models import CloudEvent
from engine.resources import OLD_APP
from engine.text.controls import CONTROLS, SURROGATES
from engine.text.urn import is_urn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.events.json_text import Members

VERSION = "1.0"
MOST_ATTRIBUTES = 50
LONGEST_NAME = 50  # characters
# UTF-8 bytes that fit into a PostgreSQL index entry
LONGEST = {"id": 500, "source": 2_000, "type": 500, "subject": 1_000}
LONGEST_OTHER = 2_000  # likewise, for every other attribute

_TYPES = {  # all strings; other extensions may be booleans and integers
    "specversion": "String",
    "id": "String",
    "source": "URI-reference",
    "type": "String",
    "datacontenttype": "String",
    "dataschema": "URI",
    "subject": "String",
    "time": "Timestamp",
    "resource": "String",
    "resourceinstance": "String",
    "alternativesubject": "String",
}
_NOT_EMPTY = frozenset({"id", "source", "type", "subject", "dataschema"})

_NOT_IN_A_NAME = re.compile("[^a-z0-9]")
_NOT_IN_A_STRING = re.compile(  # CloudEvents 1.0.2, section 3: controls, lone surrogates, noncharacters
    f"[{CONTROLS}{SURROGATES}\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
    + "]"
)
_TIME = re.compile(  # RFC 3339, 5.6, without leap seconds, which many receivers cannot read
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
)
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"  # a token of RFC 2045, 5.1
_FORMS = {
    "dataschema": (re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+"), "it must be an absolute URI"),
    "datacontenttype": (
        re.compile(rf'{_NAME}/{_NAME}(?:[ \t]*;[ \t]*{_NAME}=(?:{_NAME}|"(?:[^"\\]|\\.)*+"))*[ \t]*'),
        "it must be a media type (RFC 2046), such as application/json",
    ),
}
_BASE64 = re.compile("(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_CHARSET = re.compile(r';[ \t]*charset="?([^";]*)', re.IGNORECASE)
_QUOTED_PAIR = re.compile(r"\\(.)")


def decode(body: bytes) -> CloudEvent:
    """Read an event in structured mode; Invalid (`RequestBody`) says what is wrong with it (events contract 5.4)."""
    try:
        return _event(read_object(body))
    except Invalid as error:
        raise placed(error, "RequestBody") from None


def decode_batch(body: bytes) -> list[CloudEvent]:
    """Read a JSON array of events, all or none; Invalid names the place, such as `RequestBody[3]`."""
    try:
        return read_batch(body, _event)
    except Invalid as error:
        raise placed(error, f"RequestBody{next(iter(error.errors))}") from None


def decode_binary(headers: Iterable[tuple[str, str]], body: bytes) -> CloudEvent:
    """Read an event in binary mode (HTTP binding 3.1), headers as Latin-1 text; Invalid (`RequestBody`) as in `decode`.

    Data that is neither JSON nor UTF-8 text stays bytes: `data_base64`.
    """
    try:
        attributes: dict[str, str] = {}
        for header, value in headers:
            name = header.lower()
            if name.startswith("ce-"):
                _add(attributes, name.removeprefix("ce-"), _unescaped(name, value))
            elif name == "content-type":
                _add(attributes, "datacontenttype", value)
        if "specversion" not in attributes:
            raise invalid("specversion", "The request does not represent a CloudEvent: it has no ce-specversion header")
        return encode(_renamed(attributes), *_content(body, attributes.get("datacontenttype")))
    except Invalid as error:
        raise placed(error, "RequestBody") from None


def encode(attributes: Mapping[str, Any], data: str | None = None, data_base64: str | None = None) -> CloudEvent:
    """Check attributes and make the record; `data` is a JSON text. Invalid names the attribute."""
    version = attributes["specversion"]
    if version != VERSION:
        raise invalid("specversion", f"Unsupported CloudEvents spec version {shown(version)}")
    if len(attributes) > MOST_ATTRIBUTES:
        raise invalid("", f"An event has at most {MOST_ATTRIBUTES} attributes")
    for name, value in attributes.items():
        _check(name, value)
    missing = [name for name in ("id", "source", "type") if name not in attributes]
    if missing:
        text = f"CloudEvent is missing required attributes: {', '.join(missing)} (Parameter 'data')"
        raise invalid(missing[0], text)
    moment = None
    if (time := attributes.get("time")) is not None:
        moment = _instant(time)
        attributes = {**attributes, "time": time.upper()}  # RFC 3339 allows t and z, but not all receivers read them
    text = to_json({"specversion": VERSION, **attributes}).decode()[:-1]
    if data is not None:
        media_type = attributes.get("datacontenttype")
        if media_type is None:
            text += ',"datacontenttype":"application/json"'
        elif not data.startswith('"') and not _is_json(media_type):
            raise invalid("data", f"Only a string can be data of the type {shown(media_type)}")
        text += f',"data":{data}'
    elif data_base64 is not None:
        text += f',"data_base64":"{data_base64}"'
    return CloudEvent(
        id=attributes["id"],
        source=attributes["source"],
        type=attributes["type"],
        subject=attributes.get("subject"),
        resource=attributes.get("resource"),
        alternative_subject=attributes.get("alternativesubject"),
        time=moment,
        text=text + "}",
    )


def _renamed(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes, with an app's old resource replaced by its present one (events contract 6.2).

    It follows from the source, which names the app; Invalid when it does not.
    """
    resource = attributes.get("resource")
    if not isinstance(resource, str) or not resource.startswith(OLD_APP):
        return attributes
    source = attributes.get("source")
    renamed = resource_of(source) if isinstance(source, str) else None
    if renamed is None:
        raise invalid("source", f"For a resource {OLD_APP}... the source must be a URL with the path /org/app or below")
    return {**attributes, "resource": renamed}


def require_resource(event: CloudEvent) -> None:
    """Require the resource of a generic event (events contract 3.4); BadRequest when it is missing or not a URN."""
    if not event.resource:
        raise BadRequest("A 'resource' property must be defined.")
    if not is_urn(event.resource):
        raise BadRequest("'Resource' must be a valid urn.")


def _event(members: Members) -> CloudEvent:
    attributes = {name: value for name, (value, _) in members.items() if value is not None}
    if not isinstance(attributes.get("specversion"), str):
        raise invalid("specversion", "Structured mode content does not represent a CloudEvent")
    data = compact(*members["data"]) if attributes.pop("data", None) is not None else None
    data_base64 = attributes.pop("data_base64", None)
    if data_base64 is not None:
        if data is not None:
            raise invalid("data", "An event cannot have both data and data_base64")
        _check_base64(data_base64)
    return encode(_renamed(attributes), data, data_base64)


def _check(name: str, value: Any) -> None:
    if name not in _TYPES:
        _check_name(name)
    if isinstance(value, str):
        _check_text(name, value)
    elif name in _TYPES:
        text = f"Invalid token type '{kind(value)}' for CloudEvent attribute '{name}' with type '{_TYPES[name]}'"
        raise invalid(name, text)
    elif isinstance(value, (dict, list)):
        raise invalid(name, f"Invalid token type '{kind(value)}' for CloudEvent attribute '{name}'")
    elif not isinstance(value, int) or not -(2**31) <= value < 2**31:
        raise invalid(name, f"The number for attribute '{name}' is not a 32-bit integer")


def _check_name(name: str) -> None:
    if bad := _NOT_IN_A_NAME.search(name):
        raise invalid(name, f"Invalid character {shown(bad[0])} in attribute name {shown(name)}")
    if not 1 <= len(name) <= LONGEST_NAME:
        raise invalid(name, f"The attribute name {shown(name)} must have 1 to {LONGEST_NAME} characters")
    if name == "data":
        raise invalid(name, "No attribute can have the name 'data'")


def _check_text(name: str, value: str) -> None:
    if not value and name in _NOT_EMPTY:
        raise invalid(name, f"The value for attribute '{name}' must be non-empty")
    if not value.isprintable() and (bad := _NOT_IN_A_STRING.search(value)):  # isprintable() is quick and mostly enough
        raise invalid(name, f"The text for attribute '{name}' must not contain U+{ord(bad[0]):04X}")
    most = LONGEST.get(name, LONGEST_OTHER)
    if len(value.encode()) > most:
        raise invalid(name, f"The text for attribute '{name}' has more than {most} bytes of UTF-8")
    if name in _FORMS:
        form, rule = _FORMS[name]
        if not form.fullmatch(value):
            raise invalid(name, f"The text for attribute '{name}' is invalid: {rule}")


def _check_base64(value: Any) -> None:
    if not isinstance(value, str):
        raise invalid("data_base64", f"Invalid token type '{kind(value)}' for data_base64 with type 'Binary'")
    if not _BASE64.fullmatch(value):
        raise invalid("data_base64", "The text for data_base64 is not base64 (RFC 4648, 4)")


def _instant(text: str) -> datetime:
    """The time in UTC, to the microsecond."""
    if _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):  # no such day, or none in UTC
            pass
    rule = "Invalid timestamp; RFC 3339 has times such as 2026-12-24T08:00:00Z"
    raise invalid("time", f"The text for attribute 'time' is invalid: {rule}")


def _is_json(media_type: str) -> bool:
    return media_type.partition(";")[0].rstrip(" \t").lower().endswith(("/json", "+json"))


def _add(attributes: dict[str, str], name: str, value: str) -> None:
    if name in attributes:
        raise twice(name)
    attributes[name] = value


def _unescaped(header: str, value: str) -> str:
    """The value without quotes, then percent-decoded once (HTTP binding 3.1.3.2)."""
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _QUOTED_PAIR.sub(r"\1", value[1:-1])
    try:
        return unquote_to_bytes(value.encode("latin-1")).decode()
    except UnicodeError:
        raise invalid(header, f"The header {shown(header)} is not UTF-8 when percent-decoded") from None


def _content(body: bytes, media_type: str | None) -> tuple[str | None, str | None]:
    """The body in the JSON format: `data` and `data_base64`, of which at most one is set."""
    if not body:
        return None, None
    if media_type is None or _is_json(media_type):
        value, text = read_value(body)
        return (None if value is None else compact(value, text)), None
    charset = _CHARSET.search(media_type)
    if media_type.lower().startswith("text/") and (not charset or charset[1].lower() in ("utf-8", "us-ascii")):
        try:
            return to_json(body.decode()).decode(), None
        except UnicodeDecodeError:
            pass
    return None, b64encode(body).decode()
