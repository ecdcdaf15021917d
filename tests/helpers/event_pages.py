"""Events over HTTP (events contract 3.2, 3.3, 3.5, 5.2, 5.3): publishing, and reading them page by page."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

API = "/events/api/v1"
EVENTS = f"{API}/events"
SCOPES = "altinn:events.publish altinn:events.subscribe"
LISTED = "application/cloudevents+json; charset=utf-8"


def a_person() -> str:
    return f"{uuid.uuid4().int % 10**11:011}"


def resource() -> str:
    return f"urn:altinn:resource:{uuid.uuid4().hex}"


def publish(client: httpx.Client, *events: dict[str, Any]) -> list[str]:
    """Publish events, with missing members added; returns their ids."""
    whole = [{"specversion": "1.0", "id": uuid.uuid4().hex, "source": "urn:x", "type": "t"} | event for event in events]
    media = {"Content-Type": "application/cloudevents-batch+json"}
    client.post(EVENTS, content=json.dumps(whole).encode(), headers=media).raise_for_status()
    return [str(event["id"]) for event in whole]


def of_app(app: str, **members: object) -> dict[str, Any]:
    return {"resource": f"urn:altinn:resource:app_ttd_{app}", "source": f"https://x.no/ttd/{app}"} | members


def ids(answer: httpx.Response) -> list[str]:
    answer.raise_for_status()
    assert answer.headers["content-type"] == LISTED
    return [event["id"] for event in answer.json()]


def walk(client: httpx.Client, path: str, params: Sequence[tuple[str, str]], **headers: str) -> list[list[str]]:
    """The ids on all pages, following the links."""
    pages = []
    answer = client.get(f"{path}?{urlencode(params)}", headers=headers)
    while link := answer.headers.get("next"):
        pages.append(ids(answer))
        answer = client.get(link, headers=headers)
    assert ids(answer) == []
    return pages
