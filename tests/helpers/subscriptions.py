"""Subscriptions over HTTP: asking for them, publishing to them, and reading their deliveries."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt

from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from tests.servers.installation import Installation

EVENTS = "/events/api/v1"
SUBSCRIPTIONS = f"{EVENTS}/subscriptions"
SCOPES = "altinn:events.subscribe altinn:events.publish"
NOBODY_LISTENS = "http://127.0.0.1:9/events"
ORG, USER, NOBODY = {"urn:altinn:org": "ttd"}, {"urn:altinn:userid": 1337}, {"sub": "nobody"}
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
    """A header that names an identity which development tokens cannot."""
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
