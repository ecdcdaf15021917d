"""JSON as various clients send it: the same answer on every route that takes a body."""

from __future__ import annotations

import gzip
import json
import uuid
from codecs import BOM_UTF8
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.installation import API, chain, instant, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.servers.installation import Installation

EVENTS = "/events/api/v1"
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "urn:x", "ce-type": "t"}


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    scope = "altinn:serviceowner/notifications.create altinn:events.publish altinn:events.subscribe"
    with installation.client(scope=scope) as client:
        yield client


def event() -> dict[str, Any]:
    name = uuid.uuid4().hex
    return {"specversion": "1.0", "id": name, "source": "urn:x", "type": "t", "resource": f"urn:altinn:resource:{name}"}


ROUTES: dict[str, tuple[str, dict[str, str], Any, int]] = {
    "order": (f"{API}/orders/email", {"Content-Type": "application/json"}, order(), 202),
    "chain": (f"{API}/future/orders", {"Content-Type": "application/json"}, chain("forms@example.no"), 201),
    "instant": (
        f"{API}/future/orders/instant/email",
        {"Content-Type": "application/json"},
        instant("f@example.no"),
        201,
    ),
    "app event": (
        f"{EVENTS}/app",
        {"Content-Type": "application/json"},
        {
            "specversion": "1.0",
            "source": "https://ttd.apps.altinn.no/ttd/apps-test",
            "subject": "/party/1",
            "type": "t",
        },
        201,
    ),
    "event": (f"{EVENTS}/events", {"Content-Type": "application/cloudevents+json"}, event(), 200),
    "batch": (f"{EVENTS}/events", {"Content-Type": "application/cloudevents-batch+json"}, [event()], 200),
    "binary event": (
        f"{EVENTS}/events",
        {"Content-Type": "application/json", **BINARY, "ce-resource": "urn:altinn:resource:x"},
        {"a": 1},
        200,
    ),
    "subscription": (
        f"{EVENTS}/subscriptions",
        {"Content-Type": "application/json"},
        {"endPoint": "https://nobody.example/", "resourceFilter": "urn:altinn:resource:x"},
        201,
    ),
}


def post(client: httpx.Client, installation: Installation, route: str, body: bytes, **more: str) -> httpx.Response:
    path, headers, _, _ = ROUTES[route]
    platform = installation.key.platform_token("ttd", "apps-test", timedelta(hours=1)) if route == "app event" else None
    headers = headers | ({"PlatformAccessToken": platform} if platform else {})
    return client.post(
        path, content=body, headers=headers | {name.replace("_", "-"): each for name, each in more.items()}
    )


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "before", [b"", BOM_UTF8, BOM_UTF8 + b"\r\n\t "], ids=["nothing", "a mark", "a mark and space"]
)
def test_a_byte_order_mark_before_json_is_ignored(
    client: httpx.Client, installation: Installation, route: str, before: bytes
) -> None:
    *_, content, status = ROUTES[route]
    assert post(client, installation, route, before + json.dumps(content).encode()).status_code in (status, 200)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "deflate", "br", "zstd", "gzip, identity", "aws-chunked"])
def test_a_packed_body_is_refused_with_what_is_taken(
    client: httpx.Client, installation: Installation, route: str, coding: str
) -> None:
    body = gzip.compress(json.dumps(ROUTES[route][2]).encode())
    answer = post(client, installation, route, body, content_encoding=coding)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert "Content-Encoding" in answer.json()["detail"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_a_body_that_is_said_to_be_as_it_is_is_taken(
    client: httpx.Client, installation: Installation, route: str, coding: str
) -> None:
    *_, content, status = ROUTES[route]
    answer = post(client, installation, route, json.dumps(content).encode(), content_encoding=coding)
    assert answer.status_code in (status, 200)


def changed(text: str) -> dict[str, bytes]:
    """Make text that is not JSON (RFC 8259) from valid JSON."""
    member = text.rstrip("]}") + ', "x": '
    end = text[len(text.rstrip("]}")) :]
    return {
        "UTF-16": text.encode("utf-16"),
        "UTF-16 without a mark": text.encode("utf-16-le"),
        "UTF-32": text.encode("utf-32"),
        "two byte order marks": BOM_UTF8 * 2 + text.encode(),
        "a byte order mark behind": text.encode() + BOM_UTF8,
        "Latin-1": f'{member}"ø"{end}'.encode("latin-1"),
        "surrogates in UTF-8": member.encode() + b'"\xed\xa0\xbd\xed\xb8\x80"' + end.encode(),
        "overlong UTF-8": member.encode() + b'"\xc0\xaf"' + end.encode(),
        "NUL behind": text.encode() + b"\0",
        "a control character": f'{member}"\t"{end}'.encode(),
        "NaN": f"{member}NaN{end}".encode(),
        "Infinity": f"{member}-Infinity{end}".encode(),
        "a leading zero": f"{member}01{end}".encode(),
        "a comment": f"{member}1/* x */{end}".encode(),
        "a comma too many": f"{member}1,{end}".encode(),
        "single quotes": f"{member}'1'{end}".encode(),
        "no-break space": b"\xc2\xa0" + text.encode(),
        "form feed": b"\x0c" + text.encode(),
        "two documents": (text + text).encode(),
        "deep": (member + "[" * 50_000 + "]" * 50_000 + end).encode(),
        "only a mark": BOM_UTF8,
    }


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("form", changed("{}"))
def test_what_is_no_json_is_told(client: httpx.Client, installation: Installation, route: str, form: str) -> None:
    answer = post(client, installation, route, changed(json.dumps(ROUTES[route][2]))[form])
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_data_that_is_no_json_keeps_its_mark(client: httpx.Client) -> None:
    posted = event()
    headers = {f"ce-{name}": value for name, value in posted.items()} | {"Content-Type": "text/plain"}
    assert client.post(f"{EVENTS}/events", content=BOM_UTF8 + b"text", headers=headers).status_code == 200
    [found] = client.get(f"{EVENTS}/events", params={"resource": posted["resource"], "after": "0"}).json()
    assert found["data"] == "\ufefftext"


@pytest.mark.parametrize(
    "time", ["2026-01-24t08:00:00z", "2026-01-24T08:00:00.1234567890123456Z", "2026-01-24T08:00:00-00:00"]
)
def test_times_of_every_form_of_rfc_3339_are_taken(client: httpx.Client, time: str) -> None:
    posted = event() | {"time": time}
    structured = {"Content-Type": "application/cloudevents+json"}
    assert client.post(f"{EVENTS}/events", content=json.dumps(posted), headers=structured).status_code == 200
    query = {"resource": posted["resource"], "after": "0"}
    [found] = client.get(f"{EVENTS}/events", params=query).json()
    assert found["time"] == time.upper()
    assert client.get(f"{EVENTS}/app/ttd/apps-test", params={"from": time}).status_code == 200
    future = order(requestedSendTime=time.replace("2026", "2099", 1))
    assert client.post(f"{API}/orders/email", json=future).status_code == 202
