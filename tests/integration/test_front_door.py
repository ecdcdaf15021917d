"""What every route checks before its handler: the host name, headers that occur once, the page's origin."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.helpers.client import ask
from tests.servers.installation import order

if TYPE_CHECKING:
    import httpx

    from tests.servers.installation import Installation

HOUR = timedelta(hours=1)
SCOPES = "altinn:events.publish altinn:events.subscribe altinn:notifications.create"
ORDERS, SUBSCRIPTIONS = "/notifications/api/v1/orders/email", "/events/api/v1/subscriptions"
FOREIGN = (
    *("evil.example", "evil.example:5090", "127.0.0.1.evil.example", "localhost.evil.example", "a.b:80"),
    *("[::1]evil.example", "127.0.0.1:80@evil.example", "127.0.0.1:80.evil.example", "[::1", "localhost:x"),
)
OPEN = ["/inbox/messages", "/inbox/messages/0", "/inbox", "/docs", "/openapi.json", "/metrics"]
CHANGES = [
    ("POST", ORDERS),
    ("PUT", "/notifications/api/v1/orders/00000000-0000-0000-0000-000000000000/cancel"),
    ("POST", "/events/api/v1/app"),
    ("POST", "/events/api/v1/events"),
    ("POST", SUBSCRIPTIONS),
    ("DELETE", f"{SUBSCRIPTIONS}/1"),
    ("PUT", f"{SUBSCRIPTIONS}/1/pause"),
    ("PUT", f"{SUBSCRIPTIONS}/1/resume"),
    ("POST", f"{SUBSCRIPTIONS}/1/secret"),
    ("POST", f"{SUBSCRIPTIONS}/1/replay?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"),
    ("POST", f"{SUBSCRIPTIONS}/1/deliveries/1/retry"),
]


def visit(
    installation: Installation, method: str, path: str, headers: list[tuple[str, str]], body: str = "{}"
) -> httpx.Response:
    return ask(method, f"{installation.address}{path}", headers=headers, content=body)


@pytest.mark.parametrize("path", OPEN)
def test_pages_without_sign_in_answer_to_names_of_ours_alone(installation: Installation, path: str) -> None:
    for host in FOREIGN:
        answer = visit(installation, "GET", path, [("Host", host)])
        assert answer.status_code == 421
        assert "VARSEL_HOSTS" in answer.json()["detail"]
    for host in ("127.0.0.1", "localhost:5090", "[::1]:5090", "10.1.2.3:80", "varsel-web:5090", "LOCALHOST"):
        assert visit(installation, "GET", path, [("Host", host)]).status_code in (200, 303, 404)


def test_nobody_empties_the_inbox_by_another_name(installation: Installation) -> None:
    assert visit(installation, "DELETE", "/inbox/messages", [("Host", "evil.example")]).status_code == 421


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health"])
def test_health_is_told_under_any_name(installation: Installation, path: str) -> None:
    assert visit(installation, "GET", path, [("Host", "balancer.example")]).status_code == 200


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_nothing_is_changed_for_a_page_of_another_site(installation: Installation, method: str, path: str) -> None:
    token = installation.key.bearer("ttd", SCOPES, HOUR)
    cookie = [("Cookie", f"AltinnStudioRuntime={token}"), ("Content-Type", "application/json")]
    if path.endswith("/events"):
        cookie[1] = ("Content-Type", "application/cloudevents+json")

    for said in ([("Sec-Fetch-Site", "cross-site")], [("Origin", "https://evil.example")], []):
        answer = visit(installation, method, path, cookie + said)
        assert answer.status_code == 403
        assert "Authorization: Bearer" in answer.json()["detail"]
    for said in ([("Sec-Fetch-Site", "same-origin")], [("Origin", installation.address)]):
        answer = visit(installation, method, path, cookie + said)
        assert b"Authorization: Bearer" not in answer.content  # it is refused for what it asks, if at all


@pytest.mark.parametrize(
    "name", ["Idempotency-Key", "Content-Type", "Origin", "person", "Altinn-AlternativeSubject", "ce-id", "ce-resource"]
)
def test_a_header_that_comes_once_is_refused_twice(installation: Installation, name: str) -> None:
    bearer = ("Authorization", f"Bearer {installation.key.bearer('ttd', SCOPES, HOUR)}")
    for values in (("one", "two"), ("one", "one")):
        answer = visit(
            installation, "POST", ORDERS, [bearer, *((name, value) for value in values)], json.dumps(order())
        )
        assert answer.status_code == 400
        assert answer.json()["errors"] == {name.lower(): ["The header came more than once."]}


def test_a_token_that_lives_too_long_is_refused(installation: Installation) -> None:
    long_lived = installation.key.bearer("ttd", SCOPES, timedelta(hours=49))
    answer = visit(installation, "GET", SUBSCRIPTIONS, [("Authorization", f"Bearer {long_lived}")])
    assert answer.status_code == 401
