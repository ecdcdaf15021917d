"""Subscriptions over HTTP, as the contract has them and beyond, on both databases."""

from __future__ import annotations

import json
import re
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from sqlalchemy import event, select
from standardwebhooks import Webhook

from api.subscription_answers import SubscriptionList
from engine.db.store import Store
from engine.db.tables import audit_log
from engine.subscriptions import registry
from tests.helpers.client import ask, connect
from tests.helpers.rows import add_subscription
from tests.helpers.waiting import wait_for
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from tests.servers.installation import Installation

EVENTS = "/events/api/v1"
SUBSCRIPTIONS = f"{EVENTS}/subscriptions"
SCOPES = "altinn:events.subscribe altinn:events.publish"
NOBODY_LISTENS = "http://127.0.0.1:9/events"
APP = "urn:altinn:resource:app_ttd_apps-test"
APP_SOURCE = "https://ttd.apps.altinn.no/ttd/apps-test"
ORG, USER, NOBODY = {"urn:altinn:org": "ttd"}, {"urn:altinn:userid": 1337}, {"sub": "nobody"}
ENDPOINT_TEXT = "Missing or invalid endpoint to push events towards"
SOURCE_TEXT = "SourceFilter must be an absolute URL with the https scheme."
URN_TEXT = "Resource filter must be a valid urn"
SUBJECT_TEXT = "A valid subject to the authenticated identity is required"
SUBUNITS_TEXT = "IncludeSubunits requires a subject filter."
CONSUMER_TEXT = "Missing event consumer"
APP_ID_TEXT = "A valid app id is required in source filter {environment}/{org}/{app}"
BLANK_TEXT = "subjectFilter must not be empty, since nothing would match; leave it out to match everything."
STRANGE_IDS = ["abc", "1.5", "2147483648", "-2147483649", "99999999999999999999", "1e3", "%00", "%F0%9F%92%8C", "1_0"]
ACTS = [
    ("GET", ""),
    ("DELETE", ""),
    ("PUT", "/pause"),
    ("PUT", "/resume"),
    ("POST", "/secret"),
    ("GET", "/deliveries"),
    ("POST", "/replay?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"),
    ("POST", "/deliveries/1/retry"),
]


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client(scope=SCOPES) as client:
        yield client


@pytest.fixture
def fresh(installation: Installation) -> Iterator[httpx.Client]:
    """A client of an organisation that nobody else uses."""
    with installation.client(f"o{uuid.uuid4().hex}", SCOPES) as client:
        yield client


def resource() -> str:
    return f"urn:altinn:resource:r{uuid.uuid4().hex}"


def body(**members: object) -> dict[str, object]:
    return {"endPoint": NOBODY_LISTENS, "resourceFilter": resource()} | members


def subscribe(client: httpx.Client, **members: object) -> dict[str, Any]:
    answer = client.post(SUBSCRIPTIONS, json=body(**members))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def token(installation: Installation, claims: Mapping[str, object]) -> dict[str, str]:
    """The header of somebody whom the development key does not know how to name."""
    key = (installation.folder / "keys" / "development.pem").read_bytes()
    given = {"iss": "varsel-development", "exp": datetime.now(UTC) + timedelta(hours=1), "scope": SCOPES, **claims}
    return {"Authorization": f"Bearer {jwt.encode(given, key, 'ES256', headers={'kid': 'development'})}"}


def publish(client: httpx.Client, about: str, count: int = 1, **members: object) -> list[str]:
    ids = [uuid.uuid4().hex for _ in range(count)]
    for name in ids:
        event = {"specversion": "1.0", "id": name, "source": "urn:test:a", "type": "test.a", "resource": about}
        answer = client.post(
            f"{EVENTS}/events", json=event | members, headers={"Content-Type": "application/cloudevents+json"}
        )
        assert answer.status_code == 200, answer.text
    return ids


def validated(client: httpx.Client, seq: int) -> None:
    wait_for(lambda: client.get(f"{SUBSCRIPTIONS}/{seq}").json()["validated"])


def deliveries(client: httpx.Client, seq: int, **query: object) -> list[dict[str, Any]]:
    answer = client.get(f"{SUBSCRIPTIONS}/{seq}/deliveries", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


def all_delivered(client: httpx.Client, seq: int, count: int) -> list[dict[str, Any]]:
    found = deliveries(client, seq, state="Delivered")
    return found if len(found) == count else []


def around() -> dict[str, str]:
    """From an hour ago until in an hour."""
    now, hour = datetime.now(UTC), timedelta(hours=1)
    return {"from": (now - hour).isoformat(), "to": (now + hour).isoformat()}


def test_a_subscription_is_stored_with_its_filters_and_a_link(client: httpx.Client, installation: Installation) -> None:
    about = resource()
    posted = body(resourceFilter=about, subjectFilter="/party/1", typeFilter="a.b", unknown=1, consumer="/org/other")
    answer = client.post(SUBSCRIPTIONS, json=posted)
    found = answer.json()
    seq, created, secret = found.pop("id"), found.pop("created"), found.pop("secret")

    assert answer.status_code == 201
    assert answer.headers["location"] == f"{installation.address}{SUBSCRIPTIONS}/{seq}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", created)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert found == {
        "endPoint": NOBODY_LISTENS,
        "resourceFilter": about,
        "subjectFilter": "/party/1",
        "typeFilter": "a.b",
        "includeSubunits": False,
        "ordered": False,
        "consumer": "/org/ttd",
        "createdBy": "/org/ttd",
        "validated": False,
    }


def test_filters_of_all_kinds_come_back(client: httpx.Client) -> None:
    app = subscribe(
        client,
        endPoint="http://LOCALHOST:9",
        resourceFilter=None,
        sourceFilter="https://TTD.apps.altinn.no/ttd/apps-test",
        alternativeSubjectFilter="/org/910514318",
    )
    assert (app["endPoint"], app["sourceFilter"]) == ("http://localhost:9/", APP_SOURCE)
    assert (app["resourceFilter"], app["alternativeSubjectFilter"]) == (APP, "/organisation/910514318")
    types = ["a.*", "b"]
    ours = subscribe(client, typeFilter=types, sourcePrefixFilter="urn:test:", ordered=True)
    assert (ours["typeFilter"], ours["sourcePrefixFilter"], ours["ordered"]) == (types, "urn:test:", True)


def test_members_and_paths_are_read_in_any_spelling(client: httpx.Client) -> None:
    posted = {"ENDPOINT": NOBODY_LISTENS, "resourcefilter": resource()}
    found = client.post(f"{EVENTS}//Subscriptions/", json=posted)
    assert found.status_code == 201
    assert client.get(f"{SUBSCRIPTIONS}//{found.json()['id']}/").status_code == 200


def test_the_same_subscription_is_the_same_one_and_shows_no_secret_again(client: httpx.Client) -> None:
    posted = body(typeFilter=["a", "b"])
    first = client.post(SUBSCRIPTIONS, json=posted).json()
    again = client.post(SUBSCRIPTIONS, json=posted | {"typeFilter": ["b", "a"]})
    assert again.status_code == 201
    assert again.json()["id"] == first["id"]
    assert again.headers["location"].endswith(f"/subscriptions/{first['id']}")
    assert client.post(SUBSCRIPTIONS, json=posted | {"subjectFilter": "x"}).json()["id"] != first["id"]
    for answer in (again, client.get(f"{SUBSCRIPTIONS}/{first['id']}"), client.get(SUBSCRIPTIONS)):
        assert first["secret"] not in answer.text
        assert "salt" not in answer.text
    assert "secret" not in again.json()


@pytest.mark.parametrize(
    ("who", "members", "text"),
    [
        (ORG, {"endPoint": None}, ENDPOINT_TEXT),
        (ORG, {"endPoint": "/events"}, ENDPOINT_TEXT),
        (ORG, {"endPoint": "ftp://example.no/"}, ENDPOINT_TEXT),
        (ORG, {"sourceFilter": "http://ttd.apps.altinn.no/ttd/apps-test"}, SOURCE_TEXT),
        (ORG, {"sourceFilter": "ttd/apps-test"}, SOURCE_TEXT),
        (ORG, {"resourceFilter": ""}, URN_TEXT),
        (ORG, {"resourceFilter": "urn:altinn:resource:Capital"}, URN_TEXT),
        (ORG, {"resourceFilter": "urn:altinn:resource:a\n"}, URN_TEXT),
        # Of an app's events
        (USER, {"resourceFilter": APP}, SUBJECT_TEXT),
        (ORG, {"resourceFilter": APP, "alternativeSubjectFilter": "910514318"}, SUBJECT_TEXT),
        (ORG, {"resourceFilter": APP, "includeSubunits": True}, SUBUNITS_TEXT),
        (NOBODY, {"resourceFilter": APP, "subjectFilter": "/party/1"}, CONSUMER_TEXT),
        (ORG, {"resourceFilter": APP, "sourceFilter": "https://ttd.apps.altinn.no/ttd/apps-test/"}, APP_ID_TEXT),
        (ORG, {"resourceFilter": APP, "sourceFilter": "https://ttd.apps.altinn.no/ttd"}, APP_ID_TEXT),
        (ORG, {"resourceFilter": None, "sourceFilter": "https://ttd.apps.altinn.no/a/b/instances/1/2"}, APP_ID_TEXT),
        (
            ORG,
            {"resourceFilter": APP, "sourceFilter": "https://ttd.apps.altinn.no/ttd/other"},
            "Provided resource filter and source filter are not compatible",
        ),
        # Of other events
        (ORG, {"resourceFilter": None}, "Resource filter is required."),
        (
            ORG,
            {"sourceFilter": "https://example.no/a"},
            "Source filter is not supported for subscriptions on this resource.",
        ),
        (
            ORG,
            {"alternativeSubjectFilter": "/org/910514318"},
            "AlternativeSubject filter is not supported for subscriptions on this resource.",
        ),
        (ORG, {"includeSubunits": True}, SUBUNITS_TEXT),
        (NOBODY, {}, CONSUMER_TEXT),
        # Ours
        (ORG, {"subjectFilter": ""}, BLANK_TEXT),
        (ORG, {"subjectFilter": "a\r\nb"}, "subjectFilter must not contain control characters."),
        (ORG, {"subjectFilter": "a\u0085b"}, "subjectFilter must not contain control characters."),
        (ORG, {"typeFilter": ["a", "b\0"]}, "typeFilter must not contain control characters."),
        (ORG, {"typeFilter": ["a"] * 21}, "typeFilter has at most 20 types."),
        (ORG, {"sourcePrefixFilter": "x" * 2001}, "sourcePrefixFilter has at most 2000 bytes of UTF-8."),
        (ORG, {"template": "none"}, "template stands only beside a mailto: endPoint."),
    ],
)  # fmt: skip
def test_a_broken_rule_is_told_as_a_json_string(
    installation: Installation, who: dict[str, object], members: dict[str, object], text: str
) -> None:
    answer = ask("POST", installation.address + SUBSCRIPTIONS, json=body(**members), headers=token(installation, who))
    assert (answer.status_code, answer.json()) == (400, text)
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", ""),
        ("{", "$"),
        ("[]", "$"),
        ('{"endPoint": "a",}', "$"),
        ('{"endPoint": 1}', "$.endPoint"),
        ('{"typeFilter": [1]}', "$.typeFilter"),
        ('{"includeSubunits": "yes"}', "$.includeSubunits"),
        ('{"subjectFilter": "\\ud800"}', "$"),
    ],
)
def test_a_body_of_the_wrong_kind_is_told_per_field(client: httpx.Client, body: str, field: str) -> None:
    answer = client.post(SUBSCRIPTIONS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["title"] == "One or more validation errors occurred."
    assert list(answer.json()["errors"]) == [field]


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/json; charset=utf-8", 201),
        ("application/cloudevents+json", 201),
        ("text/plain", 415),
        ("application/xml", 415),
        ("", 415),
    ],
)
def test_every_kind_of_json_is_taken_and_nothing_else(client: httpx.Client, media: str, status: int) -> None:
    body = f'{{"endPoint": "{NOBODY_LISTENS}", "resourceFilter": "{resource()}"}}'
    answer = client.post(SUBSCRIPTIONS, content=body, headers={"Content-Type": media} if media else {})
    assert answer.status_code == status


def test_other_than_app_events_need_a_scope_which_is_asked_after_the_endpoint(installation: Installation) -> None:
    with installation.client(scope="altinn:other") as client:
        denied = client.post(SUBSCRIPTIONS, json=body())
        assert (denied.status_code, denied.content) == (403, b"")
        assert client.post(SUBSCRIPTIONS, json=body(endPoint="x")).json() == ENDPOINT_TEXT
        assert client.post(SUBSCRIPTIONS, json=body(resourceFilter="x")).status_code == 403
        assert client.post(SUBSCRIPTIONS, json=body(resourceFilter=APP)).status_code == 201
    with installation.client(scope="ALTINN:EVENTS.Subscribe") as client:
        assert client.post(SUBSCRIPTIONS, json=body()).status_code == 201


def test_who_has_no_access_to_the_resource_is_told_so_as_a_json_string(
    client: httpx.Client, installation: Installation
) -> None:
    foreign = "urn:altinn:resource:app_skd_taxes"
    denied = client.post(SUBSCRIPTIONS, json=body(resourceFilter=foreign))
    assert denied.status_code == 403
    assert denied.json() == f"Not authorized to create a subscription for resource {foreign}."
    person = token(installation, USER)
    by_subject = {"/user/1337": 201, "/user/1338": 403}
    for subject, status in by_subject.items():
        posted = body(resourceFilter=APP, subjectFilter=subject)
        answer = ask("POST", installation.address + SUBSCRIPTIONS, json=posted, headers=person)
        assert answer.status_code == status


def test_an_end_user_subscribes_to_the_own_partys_events(client: httpx.Client, installation: Installation) -> None:
    own, other = (uuid.uuid4().int % 2**31 + 1 for _ in range(2))
    user = token(installation, {"urn:altinn:userid": own, "urn:altinn:partyid": own})
    with Receiver(Say(200)) as receiver:
        members = {"endPoint": receiver.url, "resourceFilter": APP}
        address = installation.address + SUBSCRIPTIONS
        denied = ask("POST", address, json=members | {"subjectFilter": f"/party/{other}"}, headers=user)
        made = ask("POST", address, json=members | {"subjectFilter": f"/party/{own}"}, headers=user)
        assert (denied.status_code, made.status_code) == (403, 201)
        receiver.wait_for(lambda: len(receiver.requests) == 1)
        wait_for(lambda: ask("GET", f"{address}/{made.json()['id']}", headers=user).json()["validated"])
        for party in (other, own):
            publish(client, APP, subject=f"/party/{party}")
        receiver.wait_for(lambda: len(receiver.requests) == 2)
    assert json.loads(receiver.requests[1].body)["subject"] == f"/party/{own}"


def test_a_subscription_that_a_410_has_paused_goes_on_when_it_is_posted_again(client: httpx.Client) -> None:
    with Receiver(Say(410), Say(200)) as receiver:
        posted = body(endPoint=receiver.url)
        seq = client.post(SUBSCRIPTIONS, json=posted).json()["id"]
        wait_for(lambda: "410" in client.get(f"{SUBSCRIPTIONS}/{seq}").json().get("paused", ""))
        again = client.post(SUBSCRIPTIONS, json=posted)
        assert (again.status_code, again.json()["id"], "paused" in again.json()) == (201, seq, False)
        validated(client, seq)


def test_without_a_good_bearer_token_nothing_is_answered(installation: Installation) -> None:
    platform = installation.key.platform_token("ttd", "apps-test", timedelta(hours=1))
    for headers in ({}, {"PlatformAccessToken": platform}, {"Authorization": "Bearer x.y.z"}):
        with connect(installation.address, headers=headers) as client:
            answers = [client.request(method, f"{SUBSCRIPTIONS}/1{path}") for method, path in ACTS]
            answers += [client.get(SUBSCRIPTIONS), client.post(SUBSCRIPTIONS, json=body())]
            assert {(answer.status_code, answer.content) for answer in answers} == {(401, b"")}


def test_the_list_shows_the_callers_own_at_once(fresh: httpx.Client, client: httpx.Client) -> None:
    assert fresh.get(SUBSCRIPTIONS).json() == {"count": 0, "subscriptions": []}
    made = [subscribe(fresh) for _ in range(2)]
    subscribe(client)
    found = fresh.get(SUBSCRIPTIONS).json()
    assert found["count"] == 2
    assert [entry["id"] for entry in found["subscriptions"]] == [entry["id"] for entry in made]
    assert all("secret" not in entry for entry in found["subscriptions"])
    removed = fresh.delete(f"{SUBSCRIPTIONS}/{made[0]['id']}")
    assert (removed.status_code, removed.content) == (200, b"")
    assert fresh.get(SUBSCRIPTIONS).json()["count"] == 1
    assert fresh.get(f"{SUBSCRIPTIONS}/{made[0]['id']}").status_code == 404


def test_who_has_no_identity_has_no_subscriptions(installation: Installation) -> None:
    answer = ask("GET", installation.address + SUBSCRIPTIONS, headers=token(installation, NOBODY))
    assert (answer.status_code, answer.json()) == (200, {"count": 0, "subscriptions": []})


@pytest.mark.parametrize(("method", "path"), ACTS)
def test_a_subscription_is_its_creators_only(
    client: httpx.Client, fresh: httpx.Client, installation: Installation, method: str, path: str
) -> None:
    seq = subscribe(client)["id"]
    anonymous = ask(
        method, f"{installation.address}{SUBSCRIPTIONS}/{seq}{path}", headers=token(installation, NOBODY),
    )  # fmt: skip
    foreign = fresh.request(method, f"{SUBSCRIPTIONS}/{seq}{path}")
    unknown = client.request(method, f"{SUBSCRIPTIONS}/2147483647{path}")
    assert (foreign.status_code, foreign.content) == (403, b"")
    assert (anonymous.status_code, anonymous.content) == (403, b"")
    assert (unknown.status_code, unknown.content) == (404, b"")
    assert client.get(f"{SUBSCRIPTIONS}/{seq}").status_code == 200


@pytest.mark.parametrize(("method", "path"), ACTS)
def test_an_id_that_is_no_number_is_told_as_a_problem(client: httpx.Client, method: str, path: str) -> None:
    for strange in STRANGE_IDS:
        answer = client.request(method, f"{SUBSCRIPTIONS}/{strange}{path}")
        assert answer.status_code == 400, strange
        assert list(answer.json()["errors"]) == ["id"]
    assert client.request(method, f"{SUBSCRIPTIONS}/-1{path}").status_code == 404


def test_a_good_endpoint_is_validated_at_once_and_a_bad_one_tells_why(client: httpx.Client) -> None:
    with Receiver(Say(200)) as good, Receiver(Say(404, b"no such path")) as bad:
        wanted, unwanted = subscribe(client, endPoint=f"{good.url}/a"), subscribe(client, endPoint=f"{bad.url}/b")
        validated(client, wanted["id"])
        failed = wait_for(
            lambda: (found := client.get(f"{SUBSCRIPTIONS}/{unwanted['id']}").json()).get("lastError") and found
        )
        [shown] = deliveries(client, unwanted["id"])
    assert failed["validated"] is False
    assert "404" in failed["lastError"]
    assert shown["validation"] is True
    assert "eventType" not in shown
    assert "eventId" not in shown
    assert shown["state"] == "Waiting"
    assert shown["nextAttempt"] > shown["created"]
    reply = shown["replies"][0]
    assert (reply["status"], reply["body"], reply["outcome"]) == (404, "no such path", "deferred")
    assert reply["durationMs"] >= 0
    assert reply["at"] >= shown["created"]
    assert "lastError" not in client.get(f"{SUBSCRIPTIONS}/{wanted['id']}").json()


def test_deliveries_are_listed_the_newest_first_and_by_page(client: httpx.Client) -> None:
    about = resource()
    with Receiver(Say(200)) as receiver:
        seq = subscribe(client, endPoint=receiver.url, resourceFilter=about)["id"]
        validated(client, seq)
        ids = publish(client, about, 4)
        everything = wait_for(lambda: all_delivered(client, seq, 5))
    assert [entry.get("eventId") for entry in everything] == [*reversed(ids), None]
    newest = everything[0]
    assert (newest["eventSource"], newest["eventType"], newest["attempts"]) == ("urn:test:a", "test.a", 1)
    assert "validation" not in newest
    assert "nextAttempt" not in newest
    assert [reply["outcome"] for reply in newest["replies"]] == ["accepted"]

    seen: list[dict[str, Any]] = []
    address = f"{SUBSCRIPTIONS}/{seq}/deliveries?SIZE=2&state=delivered"
    while address:
        answer = client.get(address)
        seen += answer.json()["deliveries"]
        address = answer.headers.get("next", "")
        assert not address or "state=Delivered" in address
    assert seen == everything
    assert deliveries(client, seq, state="Dead") == []
    assert deliveries(client, seq, size=0, state="") == everything
    assert len(deliveries(client, seq, size=100_000)) == 5
    assert deliveries(client, seq, after=-1) == everything


@pytest.mark.parametrize(
    "query", ["state=Lost", "after=x", "after=9223372036854775808", "size=x", "size=2147483648", "size=%00"]
)
def test_a_page_that_cannot_be_is_told_per_parameter(client: httpx.Client, query: str) -> None:
    seq = subscribe(client)["id"]
    answer = client.get(f"{SUBSCRIPTIONS}/{seq}/deliveries?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [query.partition("=")[0]]


def test_while_a_subscription_is_paused_events_wait(client: httpx.Client) -> None:
    about = resource()
    with Receiver(Say(200)) as receiver:
        seq = subscribe(client, endPoint=receiver.url, resourceFilter=about)["id"]
        validated(client, seq)
        paused = client.put(f"{SUBSCRIPTIONS}/{seq}/pause")
        assert paused.status_code == 200
        assert paused.json()["paused"] == "Paused by its consumer."
        assert client.put(f"{SUBSCRIPTIONS}/{seq}/pause").json() == paused.json()
        [name] = publish(client, about)
        waiting = wait_for(lambda: deliveries(client, seq, state="Waiting"))
        assert [(entry["eventId"], entry["attempts"]) for entry in waiting] == [(name, 0)]
        resumed = client.put(f"{SUBSCRIPTIONS}/{seq}/resume")
        assert resumed.status_code == 200
        assert "paused" not in resumed.json()
        receiver.wait_for(lambda: len(receiver.requests) == 2)
        assert name.encode() in receiver.requests[1].body


def test_a_new_secret_signs_beside_the_old_one(client: httpx.Client) -> None:
    about = resource()
    with Receiver(Say(200)) as receiver:
        made = subscribe(client, endPoint=receiver.url, resourceFilter=about)
        validated(client, made["id"])
        answer = client.post(f"{SUBSCRIPTIONS}/{made['id']}/secret")
        new = answer.json()["secret"]
        publish(client, about)
        receiver.wait_for(lambda: len(receiver.requests) == 2)
    assert answer.status_code == 200
    assert set(answer.json()) == {"secret", "oldSecretValidUntil"}
    left = datetime.fromisoformat(answer.json()["oldSecretValidUntil"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert new.startswith("whsec_")
    assert new != made["secret"]
    first, second = receiver.requests
    Webhook(made["secret"]).verify(first.body, first.headers)
    for secret in (made["secret"], new):
        Webhook(secret).verify(second.body, second.headers)


def test_stored_events_are_counted_and_then_pushed_again(client: httpx.Client, installation: Installation) -> None:
    about = resource()
    with Receiver(Say(200)) as receiver:
        before = publish(client, about, 2) + publish(client, about, type="test.b")
        seq = subscribe(client, endPoint=receiver.url, resourceFilter=about, typeFilter="test.a")["id"]
        validated(client, seq)
        address = f"{SUBSCRIPTIONS}/{seq}/replay"
        asked = client.post(address, params=around())
        assert (asked.status_code, asked.json()) == (200, {"count": 2, "replayed": 0})
        differs = client.post(address, params=around() | {"count": "3"})
        assert differs.status_code == 409
        assert "2 events match" in differs.json()["detail"]
        assert len(deliveries(client, seq)) == 1
        done = client.post(address, params=around() | {"count": "2"})
        assert (done.status_code, done.json()) == (200, {"count": 2, "replayed": 2})
        receiver.wait_for(lambda: len(receiver.requests) == 3)
        pushed = b"".join(request.body for request in receiver.requests)
    assert [name.encode() in pushed for name in before] == [True, True, False]
    past = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T01:00:00+01:00"}
    assert client.post(address, params=past | {"count": "0"}).json() == {"count": 0, "replayed": 0}
    with closing(Store(installation.environment()["VARSEL_DATABASE_URL"])) as store, store.read() as connection:
        lines = select(audit_log.c.detail).where(audit_log.c.target == f"subscriptions/{seq}")
        told = connection.scalars(lines.order_by(audit_log.c.seq))
        assert [json.loads(detail).get("count") for detail in told] == [None, 2]  # subscribed; what pushed none is none


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("to=2026-01-01T00:00:00Z", "from"),
        ("from=2026-01-01T00:00:00Z", "to"),
        ("from=2026-01-01T00:00:00&to=2026-01-01T00:00:00Z", "from"),
        ("from=2026-01-01T00:00:00Z&to=soon", "to"),
        ("from=2026-02-30T00:00:00Z&to=2026-03-01T00:00:00Z", "from"),
        ("from=0001-01-01T00:00:00%2B01:00&to=2026-01-01T00:00:00Z", "from"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00%00Z", "to"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&count=many", "count"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&count=2147483648", "count"),
    ],
)
def test_a_replay_needs_two_times_with_their_zones(client: httpx.Client, query: str, field: str) -> None:
    seq = subscribe(client)["id"]
    answer = client.post(f"{SUBSCRIPTIONS}/{seq}/replay?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_a_delivery_is_attempted_again_when_that_is_asked_for(client: httpx.Client) -> None:
    about = resource()
    with Receiver(Say(200), Say(500, b"not today"), Say(200)) as receiver:
        seq = subscribe(client, endPoint=receiver.url, resourceFilter=about)["id"]
        validated(client, seq)
        [name] = publish(client, about)
        failed = wait_for(lambda: [entry for entry in deliveries(client, seq, state="Waiting") if entry["replies"]])[0]
        assert (failed["eventId"], failed["attempts"]) == (name, 1)
        retry = f"{SUBSCRIPTIONS}/{seq}/deliveries/{failed['id']}/retry"
        again = client.post(retry)
        assert (again.status_code, again.content) == (202, b"")
        [now, _] = deliveries(client, seq)
        assert now.get("nextAttempt", "") < failed["nextAttempt"], "the schedule stands"
        found = wait_for(lambda: all_delivered(client, seq, 2))[0]
    assert [reply["status"] for reply in found["replies"]] == [500, 200]
    done = client.post(retry)
    assert done.status_code == 409
    assert "accepted" in done.json()["detail"]


def test_only_a_subscriptions_own_deliveries_are_attempted_again(client: httpx.Client) -> None:
    mine, other = subscribe(client)["id"], subscribe(client)["id"]
    [delivery] = deliveries(client, other)
    for named in (delivery["id"], 0, -1, 2**63 - 1):
        unknown = client.post(f"{SUBSCRIPTIONS}/{mine}/deliveries/{named}/retry")
        assert (unknown.status_code, unknown.content) == (404, b"")
    strange = client.post(f"{SUBSCRIPTIONS}/{mine}/deliveries/{2**63}/retry")
    assert list(strange.json()["errors"]) == ["delivery"]


def test_however_many_subscriptions_are_one_question_to_the_database(store: Store) -> None:
    with store.write() as connection:
        for number in range(500):
            add_subscription(connection, f"https://example.no/{number}", types=("a", "b"))
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    with store.read() as connection:
        rows = registry.find_all(connection, "/org/ttd")
    assert SubscriptionList.of(rows).count == 500
    assert len([statement for statement in asked if "SELECT" in statement]) == 1
