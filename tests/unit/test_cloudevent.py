"""CloudEvents from the wire: the contract's table row by row, and the CloudEvents SDK as the second opinion."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_structured_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent as SdkEvent
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest, Invalid
from engine.events.cloudevent import decode, decode_batch, decode_binary, encode, require_resource

VALID: dict[str, Any] = {"specversion": "1.0", "id": "a", "source": "/b", "type": "c"}
MISSING = "CloudEvent is missing required attributes: {} (Parameter 'data')"
NO_TIME = "The text for attribute 'time' is invalid: Invalid timestamp"
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


def body(**members: Any) -> bytes:
    """A valid event with these members on top; `...` takes one away."""
    return json.dumps({name: value for name, value in (VALID | members).items() if value is not ...}).encode()


def message(sent: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        decode(sent)
    assert list(refused.value.errors) == ["RequestBody"]
    (text,) = refused.value.errors["RequestBody"]
    assert text.isprintable()
    return text


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


# What is refused: the rows of the contract's table


@pytest.mark.parametrize(
    "sent",
    [b"", b" ", b"{", b"{}x", b"\xff", b'"\x01"', b'{"a":1,}', b'{"a" 1}', b"{'a':1}", b"{1:2}", b'{"a":1 "b":2}',
     b'{"a\n":1}', b'{"\\x":1}', b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":01}', b"\xef\xbb\xbf\xef\xbb\xbf{}", b"{,}",
     b'{"a":"\0"}', b"{]", b'{"a":1]'],
)  # fmt: skip
def test_what_is_not_json_is_told_as_such(sent: bytes) -> None:
    assert message(sent).startswith("The body is not valid JSON: ")


@pytest.mark.parametrize(
    ("sent", "kind"),
    [(b"[]", "Array"), (b'"a"', "String"), (b"1", "Number"), (b"1.5", "Number"), (b"true", "True"),
     (b"false", "False"), (b"null", "Null")],
)  # fmt: skip
def test_an_event_is_an_object(sent: bytes, kind: str) -> None:
    assert message(sent) == f"Cannot decode element of kind '{kind}' as CloudEvent"


@pytest.mark.parametrize("version", [..., None, 1, 1.0, True, ["1.0"]])
def test_without_a_specversion_it_is_no_event(version: Any) -> None:
    assert message(body(specversion=version, id=...)) == "Structured mode content does not represent a CloudEvent"


@pytest.mark.parametrize("version", ["0.3", "1", "1.0.2", ""])
def test_only_one_version_is_known(version: str) -> None:
    assert message(body(specversion=version)) == f"Unsupported CloudEvents spec version '{version}'"


@pytest.mark.parametrize("missing", [["id"], ["source"], ["type"], ["id", "type"], ["id", "source", "type"]])
@pytest.mark.parametrize("value", [..., None])
def test_missing_attributes_are_named(missing: list[str], value: Any) -> None:
    assert message(body(**dict.fromkeys(missing, value))) == MISSING.format(", ".join(missing))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("id", "String"), ("source", "URI-reference"), ("type", "String"), ("subject", "String"), ("time", "Timestamp"),
     ("dataschema", "URI"), ("datacontenttype", "String"), ("resource", "String"), ("resourceinstance", "String"),
     ("alternativesubject", "String")],
)  # fmt: skip
@pytest.mark.parametrize(
    ("value", "found"), [(1, "Number"), (1.5, "Number"), (True, "True"), (["a"], "Array"), ({"a": 1}, "Object")]
)
def test_an_attribute_has_its_kind(name: str, kind: str, value: Any, found: str) -> None:
    expected = f"Invalid token type '{found}' for CloudEvent attribute '{name}' with type '{kind}'"
    assert message(body(**{name: value})) == expected


@pytest.mark.parametrize(("value", "found"), [([], "Array"), ({}, "Object")])
def test_an_extension_is_a_single_value(value: Any, found: str) -> None:
    assert message(body(x=value)) == f"Invalid token type '{found}' for CloudEvent attribute 'x'"


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 10**30, 1.0, 1.5, 1e3])
def test_a_number_has_32_bits(number: float) -> None:
    assert message(body(x=number)) == "The number for attribute 'x' is not a 32-bit integer"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("aB", "'B' in attribute name 'aB'"), ("a_b", "'_' in attribute name 'a_b'"), ("ø", "'ø' in attribute name 'ø'"),
     ("a\n", "'\\n' in attribute name 'a\\n'"), ("\ud800", "'\\ud800' in attribute name '\\ud800'"),
     ("a" * 60 + "-", "'-' in attribute name '" + "a" * 50 + "'")],
)  # fmt: skip
def test_a_name_has_small_letters_and_digits(name: str, shown: str) -> None:
    assert message(body(**{name: "v"})) == f"Invalid character {shown}"


@pytest.mark.parametrize(
    "text", ["2026-11-23t12:00:00z", "2026-11-23T12:00:00z", "2026-11-23t12:00:00Z", "2026-11-23t12:00:00.000000z"]
)
def test_time_may_have_small_letters_and_is_stored_with_capital_ones(text: str) -> None:
    event = decode(body(time=text))
    assert event.time == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert json.loads(event.text)["time"] == text.upper()


@pytest.mark.parametrize("name", ["", "a" * 51])
def test_a_name_has_its_length(name: str) -> None:
    assert "must have 1 to 50 characters" in message(body(**{name: "v"}))


@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "dataschema"])
def test_these_are_never_empty(name: str) -> None:
    assert message(body(**{name: ""})) == f"The value for attribute '{name}' must be non-empty"


@pytest.mark.parametrize(
    "character",
    ["\0", "\n", "\x1f", "\x7f", "\x85", "\x9f", "\ud800", "\ufdd0", "\ufdef", "\ufffe", "\uffff",
     "\U0001fffe", "\U0010ffff"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "resource", "x"])
def test_a_text_has_no_characters_that_are_none(name: str, character: str) -> None:
    expected = f"The text for attribute '{name}' must not contain U+{ord(character):04X}"
    assert message(body(**{name: f"a{character}"})) == expected


@pytest.mark.parametrize(
    "time",
    ["", "now", "2026-11-23", "2026-11-23T12:00:00", "2026-11-23 12:00:00Z",
     "2026-11-23T12:00Z", "2026-11-23T12:00:00.Z", "2026-11-23T12:00:00,5Z", "2026-11-23T12:00:00+00",
     "2026-11-23T12:00:00+0000", "2026-11-23T12:00:00+14:01", "2026-11-23T12:00:00+15:00", "2026-11-23T12:00:00+01:60",
     "2026-02-29T12:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T12:60:00Z", "2026-12-31T23:59:60Z",
     "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-W48-1T12:00:00Z",
     "٢026-11-23T12:00:00Z", " 2026-11-23T12:00:00Z"],
)  # fmt: skip
def test_time_is_rfc_3339(time: str) -> None:
    assert message(body(time=time)).startswith(NO_TIME)


@pytest.mark.parametrize("uri", ["relative", "/a", "//a/b", "1a:b", ":a", "a:", "a:b c", "?"])
def test_a_schema_is_an_absolute_uri(uri: str) -> None:
    assert message(body(dataschema=uri)) == "The text for attribute 'dataschema' is invalid: it must be an absolute URI"


@pytest.mark.parametrize(
    "kind",
    ["", "json", "application/", "/json", "a/b/c", "a b/c", "a/b;", "a/b;c", "a/b;c=", "a/b;c=d e", 'a/b;c="d',
     "a/b, c/d", " a/b", "æ/b"],
)  # fmt: skip
def test_a_content_type_is_a_media_type(kind: str) -> None:
    assert message(body(datacontenttype=kind)).startswith("The text for attribute 'datacontenttype' is invalid: ")


def test_an_event_has_one_kind_of_data() -> None:
    assert message(body(data=1, data_base64="AA==")) == "An event cannot have both data and data_base64"


@pytest.mark.parametrize("data", [1, True, None, [], {"a": 1}])
def test_only_a_string_can_be_data_of_another_type(data: Any) -> None:
    sent = body(datacontenttype="text/plain", data=data)
    if data is None:
        assert "data" not in json.loads(decode(sent).text)
    else:
        assert message(sent) == "Only a string can be data of the type 'text/plain'"


@pytest.mark.parametrize("data", ["A", "AA", "A===", "AA==\n", "A-_=", "æ===", "AAAA=", "AAAA====", "=", " AA=="])
def test_bytes_are_base64(data: str) -> None:
    assert message(body(data_base64=data)) == "The text for data_base64 is not base64 (RFC 4648, 4)"


def test_bytes_are_a_string() -> None:
    assert message(body(data_base64=1)) == "Invalid token type 'Number' for data_base64 with type 'Binary'"


@pytest.mark.parametrize(
    ("name", "most"),
    [("id", 500), ("source", 2_000), ("type", 500), ("subject", 1_000), ("resource", 2_000), ("x", 2_000),
     ("datacontenttype", 2_000), ("dataschema", 2_000), ("time", 2_000)],
)  # fmt: skip
def test_a_text_is_bounded(name: str, most: int) -> None:
    for text in ("a" * (most + 1), "æ" * (most // 2 + 1)):
        assert message(body(**{name: text})) == f"The text for attribute '{name}' has more than {most} bytes of UTF-8"


def test_attributes_are_counted() -> None:
    extensions = {f"x{number}": True for number in range(47)}
    assert message(body(**extensions)) == "An event has at most 50 attributes"


@pytest.mark.parametrize(
    "members",
    [b'"id":"a","id":"a"', b'"id":null,"i\\u0064":"a"', b'"data":{"id":1,"id":1}', b'"data":[{"id":1,"id":2}]'],
)
def test_a_name_stands_once(members: bytes) -> None:
    sent = b'{"specversion":"1.0","source":"/b","type":"c",' + members + b"}"
    assert message(sent) == "The name 'id' stands there twice"


@pytest.mark.parametrize("sent", [b"[" * 1_000_000, b'{"data":' * 1_000_000, b'{"x":' + b"[" * 1_000_000])
def test_depth_cannot_break_the_reader(sent: bytes) -> None:
    assert message(sent) == "The body is nested too deeply"


@pytest.mark.parametrize("data", ["[" * 65 + "]" * 65, '{"a":' * 65 + "1" + "}" * 65, '[{"a":' * 33 + "1" + "}]" * 33])
def test_depth_is_bounded_for_those_who_read_later(data: str) -> None:
    sent = body().replace(b"}", f',"data":{data}}}'.encode())
    assert message(sent) == "The data is nested more than 64 levels deep"


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
        (b'{"a":{"b":1,"b":2}}', "RequestBody", "The name 'b' stands there twice"),
        (b"", "RequestBody", "The body is not valid JSON"),
        (b"[" + body(), "RequestBody", "The body is not valid JSON"),
        (b"[" + body() + b",]", "RequestBody", "The body is not valid JSON"),
        (b"[" + body() + b"}", "RequestBody", "The body is not valid JSON"),
        (b"[" + body() + b"]]", "RequestBody", "The body is not valid JSON"),
        (b"[1]", "RequestBody[0]", "Cannot decode element of kind 'Number' as CloudEvent"),
        (b"[" + (body() + b",") * 3 + body(id=...) + b"]", "RequestBody[3]", MISSING.format("id")),
        (b"[" + body() + b',{"a":1,"a":1}]', "RequestBody[1]", "The name 'a' stands there twice"),
        (b"[" + body() + b',{"a":[{"b":1,"b":1}]}]', "RequestBody[1]", "The name 'b' stands there twice"),
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
        ([("ce-id", "a"), ("CE-ID", "a")], b"", "The name 'id' stands there twice"),
        ([("content-type", "a/b"), ("Content-Type", "a/b")], b"", "The name 'datacontenttype' stands there twice"),
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


# The SDK as the second opinion


def sdk_reads(text: bytes) -> tuple[dict[str, Any], Any]:
    """What the SDK reads; it invents a time where there is none."""
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
