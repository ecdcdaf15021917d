"""CloudEvents of any shape: valid ones are read as the SDK reads them, and none breaks the reader."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_structured_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent as SdkEvent
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.events.cloudevent import decode, decode_batch, decode_binary
from tests.helpers.cloudevents import VALID

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=40)
KNOWN = {"specversion", "id", "source", "type", "datacontenttype", "dataschema", "subject", "time", "data"}
NAME = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in KNOWN)
TIME = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001 the zone is the next strategy's
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
ATTRIBUTES = st.builds(
    lambda extensions, own: extensions | own,
    st.dictionaries(NAME, TEXT, max_size=3),
    st.fixed_dictionaries(
        {"specversion": st.just("1.0"), "id": TEXT, "source": TEXT, "type": TEXT, "time": TIME},
        optional={"subject": TEXT, "dataschema": st.just("https://example.no/schema")},
    ),
)


def sdk_reads(text: bytes) -> tuple[dict[str, Any], Any]:
    """The SDK's reading; it invents a time if there is none."""
    event = from_structured_event(HTTPMessage({"content-type": "application/cloudevents+json"}, text))
    attributes = event.get_attributes()
    if "time" not in json.loads(text):
        attributes.pop("time")
    return attributes, event.get_data()


@given(
    st.dictionaries(st.sampled_from(sorted(KNOWN)) | NAME | st.text(max_size=5), DATA | TEXT, max_size=4),
    st.sampled_from([{}, {"data": "a"}, {"data_base64": "AP8="}, {"time": "2026-11-23T12:00:00.1234567+01:00"}]),
)
def test_what_is_accepted_the_sdk_reads_alike(strange: dict[str, Any], usual: dict[str, str]) -> None:
    """Exceptions: null members, which the SDK refuses, and the content type that it does not infer."""
    sent = {name: value for name, value in (VALID | usual | strange).items() if value is not None}
    try:
        event = decode(json.dumps(sent).encode())
    except Invalid as refused:
        assert list(refused.errors) == ["RequestBody"]  # noqa: PT017 either is right; what is accepted is judged below
        return
    attributes, data = sdk_reads(json.dumps(sent).encode())
    if "data" in sent:
        attributes.setdefault("datacontenttype", "application/json")
    assert sdk_reads(event.text.encode()) == (attributes, data)
    assert (event.id, event.source, event.type) == (attributes["id"], attributes["source"], attributes["type"])
    assert event.subject == attributes.get("subject")
    assert "time" not in attributes or event.time == attributes["time"]


@given(
    ATTRIBUTES,
    st.dictionaries(NAME, st.booleans() | st.integers(-(2**31), 2**31 - 1), max_size=2),
    st.tuples(st.sampled_from([None, "application/json"]), DATA)
    | st.tuples(st.sampled_from([None, "application/octet-stream", "application/json"]), st.binary())
    | st.tuples(st.sampled_from(["text/plain", "application/xml"]), st.text()),
)
def test_what_the_sdk_writes_structured_is_read_alike(
    attributes: dict[str, Any], more: dict[str, Any], content: tuple[str | None, Any]
) -> None:
    kind, data = content
    given_ = more | attributes | ({"datacontenttype": kind} if kind else {})
    event = decode(to_structured_event(SdkEvent(dict(given_), data)).body)
    if data is not None and not isinstance(data, bytes):
        given_.setdefault("datacontenttype", "application/json")
    assert sdk_reads(event.text.encode()) == (given_, data)
    assert event.time == attributes["time"]


@given(
    ATTRIBUTES,
    st.tuples(st.sampled_from([None, "application/json"]), st.dictionaries(st.text(max_size=5), DATA, max_size=3))
    | st.tuples(st.just("application/octet-stream"), st.binary(min_size=1))
    | st.tuples(st.just("text/plain"), st.text(min_size=1))
    | st.just((None, None)),
)
def test_what_the_sdk_writes_binary_is_read_alike(attributes: dict[str, Any], content: tuple[str | None, Any]) -> None:
    """Exceptions: the SDK writes JSON strings without quotes, and cannot tell empty data from none."""
    kind, data = content
    given_ = attributes | ({"datacontenttype": kind} if kind else {})
    written = to_binary_event(SdkEvent(dict(given_), data))
    event = decode_binary(written.headers.items(), written.body)
    if data is not None:
        given_.setdefault("datacontenttype", "application/json")
    assert sdk_reads(event.text.encode()) == (given_, data)
    assert event.time == attributes["time"]


@given(st.binary(max_size=200) | DATA.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_event_or_refused(sent: bytes) -> None:
    for read in (decode, decode_batch, lambda content: decode_binary([("ce-specversion", "1.0")], content)):
        try:
            found = read(sent)
        except Invalid as refused:
            assert all(place.startswith("RequestBody") for place in refused.errors)  # noqa: PT017 either is right
        else:
            assert found == []


@given(DATA)
def test_data_of_any_shape_is_kept(data: Any) -> None:
    event = decode(json.dumps(VALID | {"data": data}, indent=2).encode())
    compact = json.dumps(data, separators=(",", ":"))
    assert event.text.partition(',"data":')[2] == ("" if data is None else compact + "}")
