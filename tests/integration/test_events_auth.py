"""Who may publish and read events, over HTTP and on both databases (events contract 1.5)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import jwt
import pytest

from tests.helpers.client import ask

if TYPE_CHECKING:
    import httpx

    from tests.servers.installation import Installation

API = "/events/api/v1"
HOUR = timedelta(hours=1)
PUBLISH, ADMIN, SUBSCRIBE = "altinn:events.publish", "altinn:events.publish.admin", "altinn:events.subscribe"
EMPTY = b""
Headers = list[tuple[str, str]]


def signed(installation: Installation, **claims: object) -> str:
    """A token with these claims, of the installation's own key."""
    key = (installation.folder / "keys" / "development.pem").read_text()
    return jwt.encode({"exp": datetime.now(UTC) + HOUR} | claims, key, "ES256", {"kid": "development"})


def credentials(installation: Installation, words: str) -> Headers:
    """Headers by their names in the tables below."""
    key = installation.key
    good = key.platform_token("ttd", "apps-test", HOUR)
    known = {
        "bearer": ("Authorization", f"Bearer {key.bearer('ttd', 'altinn:other', HOUR)}"),
        "publisher": ("Authorization", f"Bearer {key.bearer('ttd', PUBLISH, HOUR)}"),
        "admin": ("Authorization", f"Bearer {key.bearer('ttd', ADMIN, HOUR)}"),
        "subscriber": ("Authorization", f"Bearer {key.bearer('ttd', SUBSCRIBE, HOUR)}"),
        "nameless": ("Authorization", f"Bearer {signed(installation, scope=f'{PUBLISH} {SUBSCRIBE}')}"),
        "altinn-cookie": ("Cookie", f".ALTINNTOKEN={key.bearer('ttd', 'altinn:other', HOUR)}"),
        "cookie": ("Cookie", f"AltinnStudioRuntime={key.bearer('ttd', 'altinn:other', HOUR)}"),
        "expired-bearer": ("Authorization", f"Bearer {key.bearer('ttd', f'{PUBLISH} {SUBSCRIBE}', -HOUR)}"),
        "basic": ("Authorization", "Basic dTpw"),
        "platform": ("PlatformAccessToken", good),
        "expired-platform": ("PlatformAccessToken", key.platform_token("ttd", "apps-test", -HOUR)),
        "broken-platform": ("PlatformAccessToken", good[:-4] + "AAAA"),
        "appless-platform": ("PlatformAccessToken", signed(installation, iss="ttd")),
    }
    return [known[word] for word in words.split()]


def event(**members: object) -> dict[str, object]:
    resource = f"urn:altinn:resource:{uuid.uuid4().hex}"
    return {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "urn:x",
        "type": "t",
        "resource": resource,
    } | members


def app_event(source: str = "https://ttd.apps.altinn.no/ttd/apps-test", **members: object) -> dict[str, object]:
    return {"specversion": "1.0", "type": "t", "source": source, "subject": "/party/1"} | members


def publish(installation: Installation, headers: Headers, posted: object) -> httpx.Response:
    media = [("Content-Type", "application/cloudevents+json")]
    address = f"{installation.address}{API}/events"
    return ask("POST", address, content=json.dumps(posted), headers=headers + media)


def read(installation: Installation, headers: Headers, path: str) -> httpx.Response:
    return ask("GET", f"{installation.address}{API}/{path}", headers=headers)


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("", 401),
        ("platform", 401),
        ("basic platform", 401),
        ("expired-bearer platform", 401),
        ("bearer bearer platform", 401),
        ("bearer", 403),
        ("publisher", 403),
        ("bearer expired-platform", 403),
        ("bearer broken-platform", 403),
        ("bearer appless-platform", 403),
        ("bearer platform platform", 403),
        ("bearer platform", 201),
        ("nameless platform", 201),
        ("cookie platform", 201),
        ("altinn-cookie platform", 201),
    ],
)
def test_an_apps_event_needs_both_tokens(installation: Installation, who: str, status: int) -> None:
    headers = credentials(installation, who)
    address = f"{installation.address}{API}/app"
    answer = ask("POST", address, json=app_event(), headers=headers)
    assert answer.status_code == status
    if status != 201:
        assert answer.content == EMPTY
        headers.append(("Content-Type", "application/json"))
        empty = ask("POST", address, content=b"", headers=headers)
        assert empty.status_code == status  # asked before the body is read


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("", 401),
        ("platform", 401),
        ("expired-bearer", 401),
        ("publisher publisher", 401),
        ("bearer", 403),
        ("subscriber", 403),
        ("admin", 403),
        ("nameless", 403),
        ("bearer broken-platform", 403),
        ("bearer platform platform", 403),
        ("bearer platform", 200),
        ("bearer appless-platform", 200),
        ("publisher", 200),
        ("publisher broken-platform", 200),
    ],
)
def test_publishing_needs_a_scope_or_a_platform_token(installation: Installation, who: str, status: int) -> None:
    answer = publish(installation, credentials(installation, who), event())
    assert (answer.status_code, answer.content) == (status, EMPTY)
    lacks = who in ("bearer", "subscriber", "admin")
    assert (f'scope="{PUBLISH}"' in answer.headers.get("www-authenticate", "")) == lacks


@pytest.mark.parametrize(
    ("path", "who", "status"),
    [
        ("events?resource=urn:altinn:resource:x&after=0", "", 401),
        ("events?resource=urn:altinn:resource:x&after=0", "platform", 401),
        ("events?resource=urn:altinn:resource:x&after=0", "bearer", 403),
        ("events?resource=urn:altinn:resource:x&after=0", "bearer platform", 403),
        ("events?resource=urn:altinn:resource:x&after=0", "publisher", 403),
        ("events?resource=urn:altinn:resource:x&after=0", "subscriber", 200),
        ("app/party?after=0&party=1", "", 401),
        ("app/party?after=0&party=1", "platform", 401),
        ("app/party?after=0&party=1", "bearer", 200),
        ("app/party?after=0&party=1", "nameless", 200),
        ("app/ttd/apps-test?after=0", "", 401),
        ("app/ttd/apps-test?after=0", "platform", 401),
        ("app/ttd/apps-test?after=0", "bearer", 200),
        ("app/ttd/apps-test?after=0", "cookie", 200),
    ],
)
def test_reading_needs_a_bearer_token(installation: Installation, path: str, who: str, status: int) -> None:
    answer = read(installation, credentials(installation, who), path)
    assert answer.status_code == status
    if status != 200:
        assert answer.content == EMPTY
        told = answer.headers["www-authenticate"]
        assert told.startswith("Bearer")
        assert ('error="insufficient_scope"' in told and f'scope="{SUBSCRIBE}"' in told) == (status == 403)


WHO: dict[str, tuple[dict[str, object], str]] = {  # claims, and scopes
    "org": ({"urn:altinn:org": "ttd"}, "altinn:other"),
    "org-subscriber": ({"urn:altinn:org": "ttd"}, SUBSCRIBE),
    "org-publisher": ({"urn:altinn:org": "ttd"}, f"{PUBLISH} {ADMIN}"),
    "other-org": ({"urn:altinn:org": "skd"}, "altinn:other"),
    "other-org-subscriber": ({"urn:altinn:org": "skd"}, SUBSCRIBE),
    "user": ({"urn:altinn:userid": 1337}, "altinn:other"),
    "user-subscriber": ({"urn:altinn:userid": 1337}, SUBSCRIBE),
    "organisation": ({"urn:altinn:orgNumber": "987564321"}, "altinn:other"),
    "organisation-subscriber": ({"urn:altinn:orgNumber": "987564321"}, SUBSCRIBE),
    "systemuser": ({"authorization_details": {"systemuser_id": ["2e2e2e2e-0000-4000-8000-000000000001"]}}, "x"),
    "nameless": ({}, "altinn:other"),
    "nameless-subscriber": ({}, SUBSCRIBE),
}
SEEN = {  # by GET /app/party, /app/ORG/APP, /events of the generic resource, /events of the app's: 401, 403, or which
    "org": ("app", "app", 403, 403),
    "org-subscriber": ("app", "app", "generic", "app"),
    "org-publisher": ("app", "app", 403, 403),
    "other-org": ("", "", 403, 403),
    "other-org-subscriber": ("", "", "generic", ""),
    "user": ("", 401, 403, 403),
    "user-subscriber": ("", 401, "generic", ""),
    "organisation": ("", 401, 403, 403),
    "organisation-subscriber": ("", 401, "generic", ""),
    "systemuser": ("", 401, 403, 403),
    "nameless": ("", 401, 403, 403),
    "nameless-subscriber": ("", 401, "", ""),
}


@pytest.mark.parametrize("who", WHO)
def test_each_route_shows_each_caller_what_its_scopes_and_name_allow(installation: Installation, who: str) -> None:
    party = str(uuid.uuid4().int % 2**31)
    generic = event(subject=f"/party/{party}", alternativesubject="/organisation/987564321")
    both = installation.key.bearer("ttd", f"{PUBLISH} {ADMIN}", HOUR)
    assert publish(installation, [("Authorization", f"Bearer {both}")], generic).status_code == 200
    posted = app_event(subject=f"/party/{party}", alternativesubject="/organisation/987564321")
    headers = credentials(installation, "bearer platform")
    ask("POST", f"{installation.address}{API}/app", json=posted, headers=headers).raise_for_status()
    claims, scopes = WHO[who]
    caller = [("Authorization", f"Bearer {signed(installation, scope=scopes, **claims)}")]

    def seen(path: str) -> int | str:
        answer = read(installation, caller, path)
        if answer.status_code != 200:
            return answer.status_code
        kinds = {"generic" if found["id"] == generic["id"] else "app" for found in answer.json()}
        return " ".join(sorted(kinds))

    subject = f"subject=/party/{party}"
    assert SEEN[who] == (
        seen(f"app/party?after=0&party={party}"),
        seen(f"app/ttd/apps-test?after=0&party={party}"),
        seen(f"events?resource={generic['resource']}&after=0&{subject}"),
        seen(f"events?resource=urn:altinn:resource:app_ttd_apps-test&after=0&{subject}"),
    )


def test_what_became_of_orders_is_no_event_of_an_app(installation: Installation) -> None:
    who = [("Authorization", f"Bearer {signed(installation, **{'urn:altinn:org': 'ttd'})}")]
    for asked in ("unit=987564321", "party=1"):
        found = read(installation, who, f"app/party?after=0&size=1000&{asked}").json()
        assert {each["resource"].startswith("urn:altinn:resource:app_") for each in found} <= {True}


def test_credentials_are_asked_for_before_what_is_asked(installation: Installation) -> None:
    for path in ("events", "app/party", "app/ttd/apps-test"):
        assert read(installation, [], path).status_code == 401
    assert read(installation, credentials(installation, "bearer"), "events").status_code == 403


@pytest.mark.parametrize("path", ["app", "events"])
def test_the_media_type_is_told_before_the_credentials(installation: Installation, path: str) -> None:
    answer = ask("POST", f"{installation.address}{API}/{path}", content=b"x")
    assert answer.status_code == 415
    assert answer.json()["title"] == "Unsupported Media Type"


def test_an_apps_events_are_for_organisations(installation: Installation) -> None:
    user = [("Authorization", f"Bearer {signed(installation, **{'urn:altinn:userid': 1337})}")]
    answer = read(installation, user, "app/ttd/apps-test?size=0")
    assert (answer.status_code, answer.json()) == (401, "Only orgs can call this api")


def test_an_app_publishes_for_itself_only(installation: Installation) -> None:
    headers = credentials(installation, "bearer platform")

    def post(source: str) -> httpx.Response:
        address = f"{installation.address}{API}/app"
        return ask("POST", address, json=app_event(source), headers=headers)

    for source in (
        "https://ttd.apps.altinn.no/ttd/apps",
        "https://ttd.apps.altinn.no/ttd/apps-test-2/instances/1/2",
        "https://ttd.apps.altinn.no/skd/apps-test",
    ):
        answer = post(source)
        text = f"ttd/apps-test is not authorized to create events for {source}"
        assert (answer.status_code, answer.json()) == (401, text)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert post("https://elsewhere.example.no/ttd/apps-test/").status_code == 201  # the contract looks at the path only


def test_an_apps_old_resource_is_published_on_by_its_organisation_alone(installation: Installation) -> None:
    posted = event(source="https://x.no/skd/apps-test", resource="urn:altinn:resource:altinnapp.ttd.apps-test")
    for org, status in (("ttd", 403), ("skd", 200)):
        headers = [("Authorization", f"Bearer {installation.key.bearer(org, PUBLISH, HOUR)}")]
        assert publish(installation, headers, posted).status_code == status


@pytest.mark.parametrize("path", ["app/party?after=0&party={party}", "app/party?after=0&person={person}"])
def test_an_end_user_reads_the_events_of_the_own_party_alone(installation: Installation, path: str) -> None:
    own, other = (uuid.uuid4().int % 2**31 + 1 for _ in range(2))
    person = f"{uuid.uuid4().int % 10**11:011}"
    for party in (own, other):
        posted = app_event(subject=f"/party/{party}", alternativesubject=f"/person/{person}")
        headers = credentials(installation, "bearer platform")
        ask("POST", f"{installation.address}{API}/app", json=posted, headers=headers).raise_for_status()

    def seen(party: int, **claims: object) -> list[str]:
        headers = [("Authorization", f"Bearer {signed(installation, scope='openid', **claims)}")]
        by_person = "person=" in path
        asked = path.partition("&person=")[0] if by_person else path.format(party=party)
        answer = read(installation, [*headers, ("person", person)] if by_person else headers, asked)
        return [event["subject"] for event in answer.raise_for_status().json()]

    user = {"urn:altinn:userid": 1337}
    assert seen(own, **user, **{"urn:altinn:partyid": own}) == [f"/party/{own}"]
    assert seen(own, **user, **{"urn:altinn:partyid": str(own)}) == [f"/party/{own}"]
    assert f"/party/{other}" not in seen(other, **user, **{"urn:altinn:partyid": own})
    for strange in (None, True, f"{own}/", f" {own}", "*", 0, [own]):
        assert seen(own, **user, **{"urn:altinn:partyid": strange}) == []


def test_another_organisations_app_is_published_for_by_an_admin_only(installation: Installation) -> None:
    posted = event(resource="urn:altinn:resource:app_skd_flyttemelding")
    assert publish(installation, credentials(installation, "publisher"), posted).status_code == 403
    for scope in (ADMIN, ADMIN.upper(), "Altinn:Events.Publish.Admin"):
        admin = [("Authorization", f"Bearer {installation.key.bearer('ttd', f'{PUBLISH} {scope}', HOUR)}")]
        assert publish(installation, admin, posted).status_code == 200
    nameless = [("Authorization", f"Bearer {signed(installation, scope=f'{PUBLISH} {ADMIN}')}")]
    assert publish(installation, nameless, event()).status_code == 200


@pytest.mark.parametrize(
    "posted",
    [event(resource="urn:altinn:resource:varsel:ttd"), event(source="urn:varsel:orders")],
    ids=["there", "as it"],
)
def test_nobody_publishes_what_varsel_itself_tells(installation: Installation, posted: dict[str, object]) -> None:
    admin = [("Authorization", f"Bearer {installation.key.bearer('ttd', f'{PUBLISH} {ADMIN}', HOUR)}")]
    nameless = [("Authorization", f"Bearer {signed(installation, scope=f'{PUBLISH} {ADMIN}')}")]
    for headers in (admin, nameless, credentials(installation, "publisher")):
        answer = publish(installation, headers, posted)
        assert (answer.status_code, answer.content) == (403, EMPTY)


def test_events_that_the_reader_may_not_see_are_left_out_and_the_next_page_is_told(installation: Installation) -> None:
    person = f"{uuid.uuid4().int % 10**11:011}"
    address = f"{installation.address}{API}/app"
    headers = credentials(installation, "bearer platform")
    ids = []
    for subject in ("/party/1", "/user/1337", "/user/1338"):
        posted = app_event(subject=subject, alternativesubject=f"/person/{person}")
        ids.append(ask("POST", address, json=posted, headers=headers).json())

    def seen(**claims: object) -> tuple[list[str], str]:
        asked = [("Authorization", f"Bearer {signed(installation, **claims)}"), ("person", person)]
        answer = read(installation, asked, "app/party?after=0").raise_for_status()
        return [found["id"] for found in answer.json()], answer.headers["next"].partition("?")[2].partition("&alt")[0]

    after = urlencode({"after": ids[-1], "afterSource": posted["source"]})
    assert seen(**{"urn:altinn:org": "ttd"}) == (ids, after)
    assert seen(**{"urn:altinn:org": "skd"}) == ([], after)
    assert seen(**{"urn:altinn:userid": 1337}) == ([ids[1]], after)
    assert seen() == ([], after)
