"""CloudEvents from the wire: the contract's table row by row, and the CloudEvents SDK as the second opinion."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.errors import BadRequest, Invalid
from engine.events.cloudevent import decode, decode_batch, decode_binary, encode, require_resource
from tests.helpers.cloudevents import MISSING, VALID, body, message


def binary(headers: dict[str, str], content: bytes = b"") -> dict[str, Any]:
    defaults = {"ce-specversion": "1.0", "ce-id": "a", "ce-source": "/b", "ce-type": "c"}
    event: dict[str, Any] = json.loads(decode_binary((defaults | headers).items(), content).text)
    return event


# What is kept


def test_an_event_is_stored_as_it_came() -> None:
    sent = (
        b' { "id" : "a", "source": "/b", "type":"c", "specversion":"1.0", "subject":"s", "x":7, "y":true, "z":"",\n'
        b'"resource":"urn:altinn:resource:r","alternativesubject":"/org/1","time":"2026-11-23T12:00:00.123456789+01:00",'
        b'"none":null,"data":[ 1.10 , { "a b" : "c \\" d" } ] } '
    )
    event = decode(sent)
    assert (event.id, event.source, event.type, event.subject) == ("a", "/b", "c", "s")
    assert (event.resource, event.alternative_subject) == ("urn:altinn:resource:r", "/org/1")
    assert event.time == datetime(2026, 11, 23, 11, 0, 0, 123456, tzinfo=UTC)
    assert event.text == (
        '{"specversion":"1.0","id":"a","source":"/b","type":"c","subject":"s","x":7,"y":true,"z":"",'
        '"resource":"urn:altinn:resource:r","alternativesubject":"/org/1","time":"2026-11-23T12:00:00.123456789+01:00",'
        '"datacontenttype":"application/json","data":[1.10,{"a b":"c \\" d"}]}'
    )


def test_the_least_event_has_four_attributes() -> None:
    event = decode(body())
    assert (event.subject, event.resource, event.alternative_subject, event.time) == (None, None, None, None)
    assert event.text == '{"specversion":"1.0","id":"a","source":"/b","type":"c"}'


def test_what_is_stored_reads_as_itself() -> None:
    event = decode(body(data={"a": [1, "ø", None]}, x="æ", time="2026-11-23T12:00:00Z"))
    assert decode(event.text.encode()) == event


@pytest.mark.parametrize(
    "data",
    ["12345678901234567890123", "1.00000000000000000000001", "1e400", "-0", "1E+2", "9" * 5_000, '"\\u0000\\ud800"',
     '{"\\u0000":"\\/é\x7f"}', "false", "0", '""', "[]", "[" * 64 + "]" * 64, '"[[[["', '"' + "[" * 99 + '"'],
)  # fmt: skip
def test_data_is_kept_to_the_letter(data: str) -> None:
    event = decode(body().replace(b"}", f',"data":{data}}}'.encode()))
    assert event.text.endswith(f',"data":{data}}}')
    assert "\0" not in event.text
    assert event.text.encode()


@pytest.mark.parametrize("value", [True, False, 0, 2**31 - 1, -(2**31), "", "10"])
def test_an_extension_keeps_its_kind(value: Any) -> None:
    kept = json.loads(decode(body(x=value)).text)["x"]
    assert (type(kept), kept) == (type(value), value)


@pytest.mark.parametrize("kind", ["application/json", "text/json", "Application/Cloud+JSON ; a=b"])
def test_json_of_any_kind_is_data_of_a_json_type(kind: str) -> None:
    assert json.loads(decode(body(datacontenttype=kind, data={"a": 1})).text)["data"] == {"a": 1}


@pytest.mark.parametrize("kind", ["application/xml", "text/plain; charset=utf-8", 'text/xml;a="b;\\"c";d=e'])
def test_a_string_is_data_of_any_type(kind: str) -> None:
    event = json.loads(decode(body(datacontenttype=kind, data="<a/>")).text)
    assert (event["datacontenttype"], event["data"]) == (kind, "<a/>")


def test_bytes_stay_bytes_without_a_type() -> None:
    assert decode(body(data_base64="AP8=", data=None)).text.endswith('"type":"c","data_base64":"AP8="}')


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 12, tzinfo=UTC)),
        ("2026-11-23T12:00:00.9Z", datetime(2026, 11, 23, 12, 0, 0, 900_000, tzinfo=UTC)),
        ("2026-11-23T12:00:00.9999999999Z", datetime(2026, 11, 23, 12, 0, 0, 999_999, tzinfo=UTC)),
        ("2026-11-23T12:00:00+14:00", datetime(2026, 11, 22, 22, tzinfo=UTC)),
        ("2026-11-23T12:00:00-00:00", datetime(2026, 11, 23, 12, tzinfo=UTC)),
    ],
)
def test_time_is_an_instant_and_its_text_is_kept(text: str, instant: datetime) -> None:
    event = decode(body(time=text))
    assert event.time == instant
    assert json.loads(event.text)["time"] == text


def test_bounds_are_in_bytes_and_can_be_reached() -> None:
    extensions = {f"x{number}": "" for number in range(44)} | {"n" * 50: "æ" * 1_000}
    assert decode(body(id="æ" * 250, source="s" * 2_000, type="t" * 500, subject="s" * 1_000, **extensions)).id


# Batches


def test_a_batch_is_read_in_its_order() -> None:
    sent = b" [ " + b" , ".join(body(id=str(number), data=[number]) for number in range(1_000)) + b" ] "
    assert [event.id for event in decode_batch(sent)] == [str(number) for number in range(1_000)]
    assert decode_batch(b"[" + body(data=1) + b"]") == [decode(body(data=1))]


@pytest.mark.parametrize("sent", [b"[]", b" [ ] "])
def test_a_batch_may_be_empty(sent: bytes) -> None:
    assert decode_batch(sent) == []


@pytest.mark.parametrize(
    ("sent", "place", "text"),
    [
        (body(), "RequestBody", "Cannot decode element of kind 'Object' as a batch of CloudEvents"),
        (b'{"a":{"b":1,"b":2}}', "RequestBody", "The name 'b' occurs twice"),
        (b"", "RequestBody", "The body is not valid JSON"),
        (b"[" + body(), "RequestBody", "The body is not valid JSON"),
        (b"[" + body() + b",]", "RequestBody", "The body is not valid JSON"),
        (b"[" + body() + b"}", "RequestBody", "The body is not valid JSON"),
        (b"[" + body() + b"]]", "RequestBody", "The body is not valid JSON"),
        (b"[1]", "RequestBody[0]", "Cannot decode element of kind 'Number' as CloudEvent"),
        (b"[" + (body() + b",") * 3 + body(id=...) + b"]", "RequestBody[3]", MISSING.format("id")),
        (b"[" + body() + b',{"a":1,"a":1}]', "RequestBody[1]", "The name 'a' occurs twice"),
        (b"[" + body() + b',{"a":[{"b":1,"b":1}]}]', "RequestBody[1]", "The name 'b' occurs twice"),
        (b"[" + (body() + b",") * 1_000 + body() + b"]", "RequestBody", "A batch has at most 1000 events"),
        (b'[{"a":' * 1_000_000, "RequestBody", "The body is nested too deeply"),
    ],
)
def test_a_batch_is_refused_as_a_whole_and_says_where(sent: bytes, place: str, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_batch(sent)
    assert list(refused.value.errors) == [place]
    assert refused.value.errors[place][0].startswith(text)


# Binary mode


def test_headers_are_attributes() -> None:
    headers = {"CE-Subject": "s%20%C3%A6", "ce-x": '"a \\"b\\" %41"', "ce-y": "100%", "ce-Z": "1", "Other": "o"}
    event = binary(headers)
    assert event == VALID | {"subject": "s æ", "x": 'a "b" A', "y": "100%", "z": "1"}


def test_a_value_is_decoded_once_and_raw_utf_8_is_understood() -> None:
    assert binary({"ce-x": "%2541", "ce-y": "æ".encode().decode("latin-1")}) == VALID | {"x": "%41", "y": "æ"}


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        (None, b' {"a": 1.10} ', {"datacontenttype": "application/json", "data": {"a": 1.1}}),
        ("application/json", b"[1]", {"data": [1]}),
        ("application/problem+json; charset=utf-8", b'"a"', {"data": "a"}),
        ("application/json", b"null", {}),
        ("text/plain", b"a\0\n", {"data": "a\0\n"}),
        ("text/plain; charset=UTF-8", "æ".encode(), {"data": "æ"}),
        ('TEXT/plain;charset="us-ascii"', b"a", {"data": "a"}),
        ("text/plain; charset=iso-8859-1", b"a", {"data_base64": "YQ=="}),
        ("text/plain", b"\xff", {"data_base64": "/w=="}),
        ("application/octet-stream", b"\0\xff", {"data_base64": "AP8="}),
        ("application/xml", b"<a/>", {"data_base64": "PGEvPg=="}),
        ("application/xml", b"", {}),
        ("application/json", b"", {}),
        (None, b"", {}),
    ],
)
def test_the_body_is_data_by_its_type(kind: str | None, content: bytes, expected: dict[str, Any]) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    assert binary(headers, content) == VALID | ({} if kind is None else {"datacontenttype": kind}) | expected


def test_numbers_in_a_body_are_kept_to_the_letter() -> None:
    headers = [("ce-specversion", "1.0"), ("ce-id", "a"), ("ce-source", "/b"), ("ce-type", "c")]
    event = decode_binary(headers, b"[1e400, 1.10, 12345678901234567890123]")
    assert event.text.endswith('"data":[1e400,1.10,12345678901234567890123]}')


@pytest.mark.parametrize(
    ("headers", "content", "text"),
    [
        ([], b"", "The request does not represent a CloudEvent: it has no ce-specversion header"),
        ([("ce-specversion", "2.0")], b"", "Unsupported CloudEvents spec version '2.0'"),
        ([("ce-specversion", "1.0")], b"", MISSING.format("id, source, type")),
        ([("ce-id", "a"), ("CE-ID", "a")], b"", "The name 'id' occurs twice"),
        ([("content-type", "a/b"), ("Content-Type", "a/b")], b"", "The name 'datacontenttype' occurs twice"),
        ([("ce-id", "%ff")], b"", "The header 'ce-id' is not UTF-8 when percent-decoded"),
        ([("ce-id", "\u2028")], b"", "The header 'ce-id' is not UTF-8 when percent-decoded"),
        ([("ce-specversion", "1.0"), ("ce-id", "%00")], b"", "The text for attribute 'id' must not contain U+0000"),
        ([("ce-specversion", "1.0"), ("ce-data", "a")], b"", "No attribute can have the name 'data'"),
        ([("ce-specversion", "1.0"), ("ce-", "a")], b"", "The attribute name '' must have 1 to 50 characters"),
        ([("ce-specversion", "1.0"), ("ce-subject", "")], b"", "The value for attribute 'subject' must be non-empty"),
        ([("ce-specversion", "1.0")], b"{", "The body is not valid JSON"),
        ([("ce-specversion", "1.0")], b"[" * 65 + b"]" * 65, "The data is nested more than 64 levels deep"),
    ],
)
def test_what_headers_cannot_say_is_refused(headers: list[tuple[str, str]], content: bytes, text: str) -> None:
    with pytest.raises(Invalid) as refused:
        decode_binary(headers, content)
    assert list(refused.value.errors) == ["RequestBody"]
    assert refused.value.errors["RequestBody"][0].startswith(text)


# Records of our own, and the resource


def test_encode_names_the_attribute() -> None:
    with pytest.raises(Invalid) as refused:
        encode(VALID | {"subject": ""})
    assert list(refused.value.errors) == ["subject"]


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (..., "A 'resource' property must be defined."),
        (None, "A 'resource' property must be defined."),
        ("", "A 'resource' property must be defined."),
        ("altinn", "'Resource' must be a valid urn."),
        ("urn:altinn:resource:Big", "'Resource' must be a valid urn."),
    ],
)
def test_a_generic_event_needs_a_resource(resource: Any, text: str) -> None:
    event = decode(body(resource=resource))
    with pytest.raises(BadRequest) as refused:
        require_resource(event)
    assert str(refused.value) == text


def test_any_urn_is_a_resource() -> None:
    require_resource(decode(body(resource="urn:other:thing")))


@pytest.mark.parametrize(
    "path", ["ttd/apps-test", "TTD/Apps-Test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"]
)
def test_an_apps_old_resource_becomes_the_one_of_its_source(path: str) -> None:
    old, new = "urn:altinn:resource:altinnapp.whatever", "urn:altinn:resource:app_ttd_apps-test"
    sent = body(source=f"https://ttd.apps.altinn.no/{path}", resource=old, subject="/party/1")
    headers = {f"ce-{name}": value for name, value in json.loads(sent).items()}
    for event in (decode(sent), *decode_batch(b"[" + sent + b"]"), decode_binary(headers.items(), b"")):
        assert event.resource == json.loads(event.text)["resource"] == new


@pytest.mark.parametrize("source", ["urn:x", "/ttd/apps-test", "https://ttd.apps.altinn.no/ttd", "https://x.no/a_b/c"])
def test_an_apps_old_resource_needs_a_source_that_names_the_app(source: str) -> None:
    told = message(body(source=source, resource="urn:altinn:resource:altinnapp.ttd.apps-test"))
    assert "/org/app" in told


def test_only_what_begins_as_an_apps_old_resource_is_one() -> None:
    for resource in ("urn:altinn:resource:altinnapp", "urn:altinn:resource:altinnapps.x", "urn:x:altinnapp.ttd.a"):
        assert decode(body(resource=resource)).resource == resource
