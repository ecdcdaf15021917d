"""CloudEvents that are refused: the rows of the contract's table."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.events.cloudevent import decode
from tests.helpers.cloudevents import MISSING, body, message

NO_TIME = "The text for attribute 'time' is invalid: Invalid timestamp"


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
    assert message(sent) == "The name 'id' occurs twice"


@pytest.mark.parametrize("sent", [b"[" * 1_000_000, b'{"data":' * 1_000_000, b'{"x":' + b"[" * 1_000_000])
def test_depth_cannot_break_the_reader(sent: bytes) -> None:
    assert message(sent) == "The body is nested too deeply"


@pytest.mark.parametrize("data", ["[" * 65 + "]" * 65, '{"a":' * 65 + "1" + "}" * 65, '[{"a":' * 33 + "1" + "}]" * 33])
def test_depth_is_bounded_for_those_who_read_later(data: str) -> None:
    sent = body().replace(b"}", f',"data":{data}}}'.encode())
    assert message(sent) == "The data is nested more than 64 levels deep"
