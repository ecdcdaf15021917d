"""Publishing events over HTTP (events contract 3.1, 3.4), on both databases."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent as SdkEvent

from engine.runtime import clock
from tests.helpers.processes import stop
from tests.helpers.waiting import wait_for
from tests.servers.installation import Installation
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

API = "/events/api/v1"
EVENTS = f"{API}/events"
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
MISSING = "Missing parameter values: source, subject and type cannot be null"
SEED = {  # of "How to publish Altinn App events"
    "type": "app.instance.created",
    "source": "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
    "subject": "/party/50019855",
    "specversion": "1.0",
    "alternativesubject": "/person/01017512345",
}


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client(scope="altinn:events.publish altinn:events.subscribe") as client:
        yield client


@pytest.fixture
def app(installation: Installation, client: httpx.Client) -> httpx.Client:
    """A client with an app's token beside its own."""
    client.headers["PlatformAccessToken"] = installation.key.platform_token("ttd", "apps-test", timedelta(hours=1))
    return client


def event(**members: object) -> dict[str, Any]:
    name = uuid.uuid4().hex
    return {
        "specversion": "1.0",
        "id": name,
        "source": "https://example.no/x",
        "type": "t",
        "resource": f"urn:altinn:resource:{name}",
    } | members


def publish(client: httpx.Client, posted: object, media: str = STRUCTURED) -> httpx.Response:
    body = posted if isinstance(posted, bytes) else json.dumps(posted).encode()
    return client.post(EVENTS, content=body, headers={"Content-Type": media} if media else {})


def stored(client: httpx.Client, resource: str) -> list[dict[str, Any]]:
    answer = client.get(EVENTS, params={"resource": resource, "after": "0"}).raise_for_status()
    found: list[dict[str, Any]] = answer.json()
    return found


def of_the_app(client: httpx.Client, event_id: str) -> dict[str, Any]:
    """An event of the example's app."""
    since = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    answer = client.get(f"{API}/app/ttd/apps-test", params={"from": since, "size": "1000"}).raise_for_status()
    [found] = [entry for entry in answer.json() if entry["id"] == event_id]
    return dict(found)


# Apps


@pytest.mark.parametrize("path", ["/app", f"{API}/app", f"{API}/App/"])
def test_the_seeds_request_is_answered_with_an_id(app: httpx.Client, path: str) -> None:
    before = datetime.now(UTC)
    answer = app.post(path, json=SEED)
    assert answer.status_code == 201, answer.text
    event_id = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert event_id == str(uuid.UUID(event_id))
    found = of_the_app(app, event_id)
    ahead = timedelta(seconds=clock.SLOW)  # by what asking the database for its time took, at most
    assert before - ahead <= datetime.fromisoformat(found.pop("time")) <= datetime.now(UTC) + ahead
    assert found == SEED | {
        "id": event_id,
        "resource": "urn:altinn:resource:app_ttd_apps-test",
        "resourceinstance": "50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
    }


def test_the_location_shows_the_event(app: httpx.Client, installation: Installation) -> None:
    answer = app.post(f"{API}/app", json=SEED | {"source": "https://ttd.apps.altinn.no/TTD/Apps-Test"})
    location = answer.headers["location"]
    assert location.startswith(f"{installation.address}{API}/app/ttd/apps-test?from=")
    assert answer.json() in [found["id"] for found in app.get(location).raise_for_status().json()]


def test_an_app_has_no_say_in_what_is_made_here(app: httpx.Client) -> None:
    said = {"id": "mine", "time": "2000-01-01T00:00:00Z", "resource": "urn:mine", "resourceinstance": "mine"}
    event_id = app.post(f"{API}/app", json=SEED | said | {"specversion": "0.3", "data": {"a": 1.50}}).json()
    found = of_the_app(app, event_id)
    assert found["specversion"] == "1.0"
    assert found["data"] == {"a": 1.5}
    assert not set(said.values()) & set(map(str, found.values()))


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", STRUCTURED, "application/problem+json"])
def test_an_apps_event_comes_as_any_json(app: httpx.Client, media: str) -> None:
    answer = app.post(f"{API}/app", content=json.dumps(SEED), headers={"Content-Type": media})
    assert answer.status_code == 201


@pytest.mark.parametrize("media", ["text/plain", "application/xml", ""])
def test_an_apps_event_is_json(app: httpx.Client, media: str) -> None:
    answer = app.post(f"{API}/app", content=json.dumps(SEED), headers={"Content-Type": media} if media else {})
    assert (answer.status_code, answer.json()["status"]) == (415, 415)


@pytest.mark.parametrize("member", ["source", "type", "subject", "specversion"])
@pytest.mark.parametrize("value", ["", None, ...])
def test_what_an_app_must_say_is_told(app: httpx.Client, member: str, value: object) -> None:
    posted = {name: given for name, given in (SEED | {member: value}).items() if given is not ...}
    answer = app.post(f"{API}/app", json=posted)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert list(answer.json()) == ["type", "title", "status", "detail", "traceId"]
    assert (answer.json()["title"], answer.json()["detail"]) == ("Bad Request", MISSING)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", ""),
        (b"{", "$"),
        (b"[]", "$"),
        (json.dumps(SEED | {"source": "abc"}).encode(), "$.source"),
        (json.dumps(SEED | {"source": "https://ttd.apps.altinn.no/ttd"}).encode(), "$.source"),
        (json.dumps(SEED | {"type": 1}).encode(), "$.type"),
        (json.dumps(SEED | {"subject": "/party/\n"}).encode(), "$.subject"),
    ],
)
def test_what_is_wrong_with_an_apps_event_is_told_by_its_place(app: httpx.Client, body: bytes, place: str) -> None:
    answer = app.post(f"{API}/app", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["title"] == "One or more validation errors occurred."
    assert list(answer.json()["errors"]) == [place]


# Anybody


def test_an_event_is_stored_as_it_was_published(client: httpx.Client) -> None:
    posted = event(
        subject="/party/1",
        time="2026-01-01T00:00:00+01:00",
        number=7,
        text="æ'<&+>",
        data={"price": 1.10, "text": "\u2028", "deep": [[{"a": None}]]},
    )
    answer = publish(client, posted, f"{STRUCTURED}; charset=utf-8")
    assert (answer.status_code, answer.content) == (200, b"")
    assert stored(client, posted["resource"]) == [posted | {"datacontenttype": "application/json"}]


def test_neither_time_nor_subject_is_needed_nor_made_up(client: httpx.Client) -> None:
    posted = event()
    assert publish(client, posted).status_code == 200
    assert stored(client, posted["resource"]) == [posted]


def test_a_batch_is_stored_in_its_order(client: httpx.Client) -> None:
    resource = event()["resource"]
    posted = [event(resource=resource) for _ in range(20)]
    assert publish(client, posted, BATCH).status_code == 200
    assert stored(client, resource) == posted
    assert publish(client, [], BATCH).status_code == 200


@pytest.mark.parametrize(
    ("spoilt", "status"),
    [
        ({"specversion": "0.3"}, 400),
        ({"resource": ""}, 400),
        ({"resource": "none"}, 400),
        ({"resource": "urn:altinn:resource:app_skd_flyttemelding"}, 403),
        ({"resource": "urn:altinn:resource:varsel:ttd"}, 403),
    ],
)
def test_of_a_batch_with_one_bad_event_nothing_is_stored(
    client: httpx.Client, spoilt: dict[str, str], status: int
) -> None:
    good = event()
    assert publish(client, [good, event(**spoilt)], BATCH).status_code == status
    assert stored(client, good["resource"]) == []


def test_the_place_of_a_bad_event_in_its_batch_is_told(client: httpx.Client) -> None:
    answer = publish(client, [event(), event(type="")], BATCH)
    assert list(answer.json()["errors"]) == ["RequestBody[1]"]
    assert list(publish(client, event(), BATCH).json()["errors"]) == ["RequestBody"]


def test_an_event_comes_in_binary_mode(client: httpx.Client) -> None:
    posted = event(subject="/party/1", text="Bl\u00e5b\u00e6r % \u20ac")
    headers = {f"ce-{name}": str(value) for name, value in posted.items() if name != "text"}
    headers |= {"ce-text": "Bl%C3%A5b%C3%A6r %25 %E2%82%AC", "Content-Type": "application/json"}
    answer = client.post(EVENTS, content=b'{ "a" : 1.0 }', headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    expected = posted | {"datacontenttype": "application/json", "data": {"a": 1.0}}
    assert stored(client, posted["resource"]) == [expected]


def test_binary_data_stays_bytes_and_no_data_is_no_data(client: httpx.Client) -> None:
    picture, nothing = event(), event()
    for posted, body, media in ((picture, b"\xff\x00", {"Content-Type": "image/png"}), (nothing, b"", {})):
        headers = {f"CE-{name}": value for name, value in posted.items()} | media
        assert client.post(EVENTS, content=body, headers=headers).status_code == 200
    assert stored(client, picture["resource"]) == [picture | {"datacontenttype": "image/png", "data_base64": "/wA="}]
    assert stored(client, nothing["resource"]) == [nothing]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/cloudevents"},
        {"Content-Type": "application/cloudevents+xml", "ce-specversion": "1.0"},
    ],
)
def test_what_is_no_event_by_its_headers_is_of_the_wrong_media_type(
    client: httpx.Client, headers: dict[str, str]
) -> None:
    answer = client.post(EVENTS, content=json.dumps(event()).encode(), headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (415, 415)


@pytest.mark.parametrize(
    ("spoilt", "text"),
    [
        ({"specversion": ...}, "Structured mode content does not represent a CloudEvent"),
        ({"specversion": 1}, "Structured mode content does not represent a CloudEvent"),
        ({"specversion": "0.3"}, "Unsupported CloudEvents spec version '0.3'"),
        ({"id": ...}, "CloudEvent is missing required attributes: id (Parameter 'data')"),
        (
            {"id": ..., "source": ..., "type": None},
            "CloudEvent is missing required attributes: id, source, type (Parameter 'data')",
        ),
        ({"type": 7}, "Invalid token type 'Number' for CloudEvent attribute 'type' with type 'String'"),
        ({"other": {}}, "Invalid token type 'Object' for CloudEvent attribute 'other'"),
        ({"other": 2**31}, "The number for attribute 'other' is not a 32-bit integer"),
        ({"Other": "x"}, "Invalid character 'O' in attribute name 'Other'"),
        ({"subject": ""}, "The value for attribute 'subject' must be non-empty"),
        ({"subject": "\0"}, "The text for attribute 'subject' must not contain U+0000"),
        ({"data": 1, "data_base64": "AA=="}, "An event cannot have both data and data_base64"),
    ],
)
def test_what_is_wrong_with_an_event_is_told(client: httpx.Client, spoilt: dict[str, object], text: str) -> None:
    posted = {name: value for name, value in (event() | spoilt).items() if value is not ...}
    answer = publish(client, posted)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert list(answer.json()) == ["type", "title", "status", "errors", "traceId"]
    assert answer.json()["title"] == "One or more validation errors occurred."
    assert answer.json()["errors"] == {"RequestBody": [text]}


@pytest.mark.parametrize(
    "spoilt",
    [{"time": "2026-01-01"}, {"time": "2026-01-01T00:00:00+00"}, {"dataschema": "x"}, {"datacontenttype": "x"}],
)
def test_attributes_have_their_forms(client: httpx.Client, spoilt: dict[str, str]) -> None:
    [[text]] = publish(client, event(**spoilt)).json()["errors"].values()
    assert text.startswith(f"The text for attribute '{next(iter(spoilt))}' is invalid: ")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b'"x"', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_told_so(client: httpx.Client, body: bytes) -> None:
    answer = publish(client, body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["RequestBody"])


@pytest.mark.parametrize(
    ("resource", "text"),
    [
        (None, "A 'resource' property must be defined."),
        ("", "A 'resource' property must be defined."),
        ("skattemelding", "'Resource' must be a valid urn."),
        ("urn:altinn:resource:Skattemelding", "'Resource' must be a valid urn."),
    ],
)
def test_an_event_needs_a_resource(client: httpx.Client, resource: str | None, text: str) -> None:
    answer = publish(client, event(resource=resource))
    assert (answer.status_code, answer.json()["detail"]) == (400, text)
    assert (answer.json()["title"], "errors" in answer.json()) == ("Bad Request", False)


def test_a_body_is_bounded(client: httpx.Client, app: httpx.Client) -> None:
    large = b" " * 8_000_001
    assert publish(client, large).status_code == 413
    assert app.post(f"{API}/app", content=large, headers={"Content-Type": "application/json"}).status_code == 413


def test_an_event_is_stored_once_however_often_it_comes(client: httpx.Client) -> None:
    posted = event()
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(publish(client, posted).status_code)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert publish(client, [posted, posted | {"type": "later"}], BATCH).status_code == 200
    assert statuses == [200] * 8
    assert stored(client, posted["resource"]) == [posted]
    other = posted | {"source": "https://example.no/other"}
    assert publish(client, other).status_code == 200
    assert stored(client, posted["resource"]) == [posted, other]


@pytest.mark.parametrize("write", [to_structured_event, to_binary_event])
@pytest.mark.parametrize(
    ("media", "data"),
    [("application/json", {"a": [1, 2.5, None, "\u00e6"]}), ("text/plain", "tekst"), ("image/png", b"\xff\x00\x01")],
)
def test_the_cloudevents_package_is_understood_and_understands(
    client: httpx.Client, write: Any, media: str, data: Any
) -> None:
    attributes: dict[str, Any] = event(
        subject="/party/1 \u00e6%",
        time=datetime(2026, 11, 23, 8, 0, 0, 123456, UTC),
        datacontenttype=media,
        dataschema="https://example.no/schema",
        resourceinstance="1/2",
    )
    sent = SdkEvent(dict(attributes), data)
    message = write(sent)
    assert client.post(EVENTS, content=message.body, headers=message.headers).status_code == 200
    [found] = stored(client, attributes["resource"])
    read = from_structured_event(HTTPMessage({"content-type": STRUCTURED}, json.dumps(found).encode()))
    assert read.get_attributes() == sent.get_attributes()
    assert read.get_data() == data


def test_while_the_database_is_away_events_are_kept_and_readers_are_told_to_come_again(tmp_path: Path) -> None:
    kept = event()
    scopes = "altinn:events.publish altinn:events.subscribe"
    with (
        Postgres() as postgres,
        Installation(tmp_path, database_url=postgres.database()) as alone,
        alone.client(scope=scopes) as client,
    ):
        postgres.stop()
        refused = [client.get(EVENTS, params={"resource": kept["resource"], "after": "0"})]
        assert publish(client, kept).status_code == 200
        stop(alone.pid("redis"))  # now there is nowhere to keep anything
        refused.append(publish(client, event()))
        os.kill(alone.pid("redis"), signal.SIGCONT)
        for answer in refused:
            assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
            assert int(answer.headers["retry-after"]) > 0
        postgres.start()
        asked = {"resource": kept["resource"], "after": "0"}
        wait_for(lambda: (answer := client.get(EVENTS, params=asked)).is_success and answer.json() == [kept])
