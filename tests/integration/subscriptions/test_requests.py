"""Subscriptions as they are asked for over HTTP, and what is refused."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.helpers.client import ask, connect
from tests.helpers.subscriptions import (
    ACTS,
    EVENTS,
    NOBODY,
    NOBODY_LISTENS,
    ORG,
    SUBSCRIPTIONS,
    USER,
    body,
    publish,
    resource,
    subscribe,
    token,
    validated,
)
from tests.helpers.waiting import wait_for
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    import httpx

    from tests.servers.installation import Installation

APP = "urn:altinn:resource:app_ttd_apps-test"
APP_SOURCE = "https://ttd.apps.altinn.no/ttd/apps-test"
ENDPOINT_TEXT = "Missing or invalid endpoint to push events towards"
SOURCE_TEXT = "SourceFilter must be an absolute URL with the https scheme."
URN_TEXT = "Resource filter must be a valid urn"
SUBJECT_TEXT = "A valid subject to the authenticated identity is required"
SUBUNITS_TEXT = "IncludeSubunits requires a subject filter."
CONSUMER_TEXT = "Missing event consumer"
APP_ID_TEXT = "A valid app id is required in source filter {environment}/{org}/{app}"
BLANK_TEXT = "subjectFilter must not be empty, since nothing would match; leave it out to match everything."


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
        (ORG, {"template": "none"}, "A template is allowed only with a mailto: endPoint."),
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
