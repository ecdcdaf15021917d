"""Events of apps: the event made from a request, and what is refused (events contract 3.1 and 5.1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from engine.errors import BadRequest, Invalid
from engine.events.app_event import read_app_event
from engine.events.app_source import publishes_for
from engine.resources import app_resource

NOW = datetime(2026, 11, 23, 13, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
PATH = "https://ttd.apps.altinn.no/ttd/apps-test"
SOURCE = f"{PATH}/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
VALID = {"type": "app.instance.created", "source": SOURCE, "subject": "/party/50019855", "specversion": "1.0"}
MISSING = "Missing parameter values: source, subject and type cannot be null"
NO_APP = "The source must be an http or https URL with the path /org/app or below it."


def made(**members: Any) -> dict[str, Any]:
    """The event of a valid request with these members changed."""
    event: dict[str, Any] = json.loads(read_app_event(json.dumps(VALID | members).encode(), NOW).text)
    return event


def errors(body: bytes) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as refused:
        read_app_event(body, NOW)
    return refused.value.errors


def errors_of(**members: Any) -> dict[str, list[str]]:
    return errors(json.dumps(VALID | members).encode())


def test_the_event_has_what_was_sent_and_what_follows_from_it() -> None:
    event = read_app_event(json.dumps(VALID | {"alternativesubject": "/person/01017512345"}).encode(), NOW)
    assert str(UUID(event.id)) == event.id
    assert event.time == NOW
    assert event.resource == "urn:altinn:resource:app_ttd_apps-test"
    assert (event.source, event.subject, event.type) == (SOURCE, "/party/50019855", "app.instance.created")
    assert event.alternative_subject == "/person/01017512345"
    assert list(json.loads(event.text).items()) == [
        ("specversion", "1.0"),
        ("id", event.id),
        ("time", "2026-11-23T12:30:00.250000Z"),
        ("source", SOURCE),
        ("subject", "/party/50019855"),
        ("type", "app.instance.created"),
        ("resource", "urn:altinn:resource:app_ttd_apps-test"),
        ("resourceinstance", "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"),
        ("alternativesubject", "/person/01017512345"),
    ]


def test_every_event_has_an_id_of_its_own() -> None:
    assert made()["id"] != made()["id"]


def test_names_are_matched_in_any_case() -> None:
    body = json.dumps({name.upper(): value for name, value in VALID.items()}).encode()
    assert read_app_event(body, NOW).source == SOURCE


def test_a_whole_second_has_no_fraction() -> None:
    event = read_app_event(json.dumps(VALID).encode(), datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert json.loads(event.text)["time"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize("member", ["source", "type", "subject", "specversion"])
@pytest.mark.parametrize("value", [None, "", ...])
def test_a_required_member_must_be_there(member: str, value: Any) -> None:
    members: dict[str, Any] = {name: text for name, text in VALID.items() if name != member}
    if value is not ...:
        members[member] = value
    with pytest.raises(BadRequest) as refused:
        read_app_event(json.dumps(members).encode(), NOW)
    assert str(refused.value) == MISSING


def test_the_specversion_that_was_sent_does_not_count() -> None:
    assert made(specversion="0.3")["specversion"] == "1.0"


@pytest.mark.parametrize("member", ["id", "time", "resource", "resourceinstance", "Resource", "something"])
def test_what_is_not_the_apps_to_say_is_ignored(member: str) -> None:
    assert "mine" not in made(**{member: "mine"}).values()


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_alternative_subject_is_none(value: str | None) -> None:
    assert "alternativesubject" not in made(alternativesubject=value)


@pytest.mark.parametrize(
    ("path", "resource", "instance"),
    [
        ("/ttd/apps-test", "app_ttd_apps-test", None),
        ("/ttd/apps-test/", "app_ttd_apps-test", None),
        ("/ttd/apps-test/instances/1", "app_ttd_apps-test", None),
        ("/ttd/apps-test/instances/1/2", "app_ttd_apps-test", "1/2"),
        ("/ttd/apps-test/instances/1/2/data/3", "app_ttd_apps-test", "1/2"),
        ("/ttd/apps-test/instances/1/2?a=/b#c", "app_ttd_apps-test", "1/2"),
        ("/TTD/Apps-Test/instances/1/Ab", "app_ttd_apps-test", "1/Ab"),
        ("/ttd/apps.test", "app_ttd_apps.test", None),
    ],
)
def test_resource_and_instance_come_from_the_path(path: str, resource: str, instance: str | None) -> None:
    event = made(source=f"http://local.altinn.cloud:8000{path}")
    assert event["resource"] == f"urn:altinn:resource:{resource}"
    assert event.get("resourceinstance") == instance


@pytest.mark.parametrize(
    "source",
    [
        "abc",
        "/ttd/apps-test/instances/1/2",
        "//ttd.apps.altinn.no/ttd/apps-test",
        "urn:ttd:apps-test",
        "ftp://ttd.apps.altinn.no/ttd/apps-test",
        "https:///ttd/apps-test",
        "https://:443/ttd/apps-test",
        "https://ttd@apps.altinn.no/ttd/apps-test",
        "https://ttd.apps.altinn.no",
        "https://ttd.apps.altinn.no/",
        "https://ttd.apps.altinn.no/ttd",
        "https://ttd.apps.altinn.no/ttd/",
        "https://ttd.apps.altinn.no//ttd/apps-test",
        "https://ttd.apps.altinn.no/ttd//apps-test",
        "https://ttd.apps.altinn.no/ttd?/apps-test",
        "https://ttd.apps.altinn.no/ttd/apps-test/../other",
        "https://ttd.apps.altinn.no/ttd/apps-test/%2e%2E/other",
        "https://ttd.apps.altinn.no/ttd/apps-test/a%2F..%2Fb",
        "https://ttd.apps.altinn.no/ttd/apps%2dtest",
        "https://ttd.apps.altinn.no/ttd/apps:test",
        "https://ttd.apps.altinn.no/ttd/" + "a" * 100,
        "https://ttd.apps.altinn.no/ttd/apps-test ",
        "https://ttd.apps.altinn.no/ttd/apps-test\n",
        "https://ttd.apps.altinn.no/ttd/apps-test/\u0000",
        "https://ttd.apps.altinn.no/ttd/apps-test\\..\\other",
        "https://ttd.apps.altinn.no/ttd/åpen",
        "https://ttd.apps.altinn.no/ttd/apps-test/\ud800",
    ],
)
def test_a_source_that_names_no_app_is_refused(source: str) -> None:
    assert errors_of(source=source) == {"$.source": [NO_APP]}
    assert not publishes_for("ttd/apps-test", source)


@pytest.mark.parametrize(
    ("body", "place", "message"),
    [
        (b"", "", "A non-empty request body is required."),
        (b" \n", "", "A non-empty request body is required."),
        (b"{", "$", "The body is not valid JSON"),
        (b'{"type":1,}', "$", "The body is not valid JSON"),
        (b"// no\n{}", "$", "The body is not valid JSON"),
        (b'{"type":"\xff"}', "$", "The body is not valid JSON: it is not UTF-8"),
        (b"[]", "$", "Cannot decode element of kind 'Array'"),
        (b'{"type":"a","type":"b"}', "$", "The name 'type' occurs twice"),
        (b'{"data":' + b"[" * 100_000, "$", "The body is nested too deeply"),
    ],
)
def test_a_body_must_be_a_json_object(body: bytes, place: str, message: str) -> None:
    found = errors(body)
    assert list(found) == [place]
    assert found[place][0].startswith(message)


@pytest.mark.parametrize(
    "member", ["source", "type", "subject", "specversion", "alternativesubject", "dataschema", "contenttype"]
)
@pytest.mark.parametrize("value", [1, 0, True, ["a"]])
def test_a_member_of_another_kind_is_refused(member: str, value: Any) -> None:
    assert errors_of(**{member: value}) == {f"$.{member}": ["The JSON value must be a string."]}


def test_all_members_of_another_kind_are_told_together() -> None:
    assert list(errors_of(type=1, subject={})) == ["$.type", "$.subject"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("type", "a\r\nb"),
        ("subject", "/party/\u0000"),
        ("alternativesubject", "\ud800"),
        ("type", "æ" * 251),
        ("subject", "s" * 1_001),
        ("source", PATH + "/" + "s" * 2_000),
        ("alternativesubject", "a" * 2_001),
        ("dataschema", "relative"),
        ("contenttype", "nonsense"),
        ("contenttype", {"mediaType": "nonsense"}),
    ],
)
def test_a_text_that_no_attribute_can_have_is_refused(member: str, value: Any) -> None:
    assert list(errors_of(**{member: value})) == [f"$.{member}"]


def test_data_is_kept_as_it_was_sent() -> None:
    body = json.dumps(VALID).encode()[:-1] + b', "Data": {"a": 1.10, "b": 1e400, "c": "\\u0000"} }'
    event = read_app_event(body, NOW)
    assert event.text.endswith(',"datacontenttype":"application/json","data":{"a":1.10,"b":1e400,"c":"\\u0000"}}')


@pytest.mark.parametrize("data", ["", 0, False, [], {}])
def test_empty_data_is_data(data: Any) -> None:
    assert made(data=data)["data"] == data


def test_data_that_is_null_is_none() -> None:
    assert "data" not in made(data=None)


@pytest.mark.parametrize(
    "kind", ["text/plain", {"mediaType": "text/plain", "charSet": None}, {"MEDIATYPE": "text/plain"}]
)
def test_schema_and_content_type_are_kept(kind: Any) -> None:
    event = made(contenttype=kind, dataschema="https://example.no/schema", data="hei")
    assert (event["datacontenttype"], event["dataschema"]) == ("text/plain", "https://example.no/schema")
    assert event["data"] == "hei"


def test_a_content_type_without_a_media_type_is_none() -> None:
    assert "datacontenttype" not in made(contenttype={"charSet": "utf-8"})


@pytest.mark.parametrize(
    ("content_type", "data"), [("text/plain", {"a": 1}), ("application/json", json.loads("[" * 65 + "]" * 65))]
)
def test_data_that_does_not_fit_is_refused(content_type: str, data: Any) -> None:
    assert list(errors_of(contenttype=content_type, data=data)) == ["$.data"]


@pytest.mark.parametrize(
    ("publisher", "own"),
    [
        ("ttd/apps-test", True),
        ("TTD/Apps-Test", True),
        ("ttd/apps", False),
        ("ttd/apps-test2", False),
        ("ttd/", False),
        ("ttd", False),
        ("", False),
        ("/", False),
        ("ttd/apps-test/instances", False),
        ("other/apps-test", False),
        ("ttd/apps-te\u017ft", False),
        ("\u212a/a", False),
    ],
)
def test_a_publisher_is_compared_by_whole_segments(publisher: str, own: bool) -> None:  # noqa: FBT001 a row of the table
    assert publishes_for(publisher, SOURCE) is own


def test_no_other_letter_passes_for_an_ascii_one() -> None:
    assert publishes_for("k/a", "https://example.no/K/a")
    assert not publishes_for("\u212a/a", "https://example.no/k/a")


def test_an_apps_resource_is_one_whatever_its_case() -> None:
    assert app_resource("TTD", "My.App") == app_resource("ttd", "my.app") == "urn:altinn:resource:app_ttd_my.app"
