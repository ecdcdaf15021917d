"""Every route that the contracts list, and its answer without, with poor and with good credentials."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from api.app import OPERATIONS
from engine.resources import SCOPE_COMPOSED
from tests.helpers.client import ask
from tests.servers.installation import Installation, order

if TYPE_CHECKING:
    import httpx

ORDERS, EVENTS = "/notifications/api/v1", "/events/api/v1"
HOUR = timedelta(hours=1)
JSON, CLOUDEVENT = "application/json", "application/cloudevents+json"
SUPPORT = "altinn:notifications.support.admin"
CREATE, PUBLISH, SUBSCRIBE = "altinn:notifications.create", "altinn:events.publish", "altinn:events.subscribe"
NOBODY, NOTHING = uuid.UUID(int=0), 2**31 - 1
EVENT = {
    "specversion": "1.0",
    "id": "contract",
    "source": "urn:x",
    "type": "t",
    "resource": "urn:altinn:resource:contract",
}
APP_EVENT = {"specversion": "1.0", "type": "t", "subject": "/party/1", "source": "https://x.no/ttd/apps-test"}
SUBSCRIPTION = {"endPoint": "http://127.0.0.1:9/contract", "resourceFilter": "urn:altinn:resource:contract"}
ANY_ORDER = {
    "notificationChannel": "Email",
    "emailTemplate": {"subject": "Hei", "body": "Hei!"},
    "recipients": [{"emailAddress": "kari@example.no"}],
}
UNKNOWN = {
    "nationalIdentityNumber": "01017512399",
    "channelSchema": "Email",
    "emailSettings": {"subject": "Hei", "body": "Hei!"},
}
CHAIN = {"idempotencyId": "contract", "recipient": {"recipientPerson": UNKNOWN}}


@dataclass(frozen=True)
class Route:
    """A row of a contract; `scope` "": any bearer token; `poor`: the answer to a token without the scope."""

    method: str
    path: str
    answer: int
    scope: str = ""
    body: object = None
    media: str = JSON
    poor: int = 403
    platform: bool = False  # a PlatformAccessToken is needed besides

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


ROUTES = [
    # Notifications, section 2
    Route("POST", f"{ORDERS}/orders/email", 202, CREATE, order()),
    Route("POST", f"{ORDERS}/orders/sms", 400, CREATE, {"body": "Hei"}),
    Route("POST", f"{ORDERS}/orders", 202, CREATE, ANY_ORDER),
    Route("GET", f"{ORDERS}/orders/{NOBODY}", 404, CREATE),
    Route("GET", f"{ORDERS}/orders/7", 400, CREATE),
    Route("GET", f"{ORDERS}/orders?sendersReference=nobody", 200, CREATE),
    Route("GET", f"{ORDERS}/orders", 400, CREATE),
    Route("GET", f"{ORDERS}/orders/{NOBODY}/status", 404, CREATE),
    Route("PUT", f"{ORDERS}/orders/{NOBODY}/cancel", 404, CREATE),
    Route("GET", f"{ORDERS}/orders/{NOBODY}/notifications/email", 404, CREATE),
    Route("GET", f"{ORDERS}/orders/{NOBODY}/notifications/sms", 404, CREATE),
    Route("POST", f"{ORDERS}/future/orders", 422, CREATE, CHAIN),
    Route("POST", f"{ORDERS}/future/orders/instant/email", 400, CREATE, {}),
    Route("POST", f"{ORDERS}/future/orders/instant/sms", 400, CREATE, {}),
    Route("POST", f"{ORDERS}/future/orders/composed-email", 400, SCOPE_COMPOSED, {}),
    Route("GET", f"{ORDERS}/orders/chain/{NOBODY}", 404, CREATE),
    Route("GET", f"{ORDERS}/future/shipment/{NOBODY}", 404, CREATE),
    Route("GET", f"{ORDERS}/future/shipment/feed?seq=0", 200, CREATE),
    Route("GET", f"{ORDERS}/future/shipment/feed?seq=-1", 400, CREATE),
    Route("GET", f"{ORDERS}/future/enduser/log?dialogId={NOBODY}", 200, CREATE),
    *(
        Route("GET", f"{ORDERS}/future/dashboard/recipients/notifications/{known_as}", 400, SUPPORT)
        for known_as in ("nin", "orgnumber", "email", "phonenumber")
    ),
    # Events, section 2
    Route("POST", f"{EVENTS}/app", 201, "", APP_EVENT, platform=True),
    Route("GET", f"{EVENTS}/app/party?after=0&party=1", 200),
    Route("GET", f"{EVENTS}/app/ttd/apps-test?after=0", 200),
    Route("POST", f"{EVENTS}/events", 200, PUBLISH, EVENT, CLOUDEVENT),
    Route("GET", f"{EVENTS}/events?resource=urn:altinn:resource:contract&after=0", 200, SUBSCRIBE),
    Route("POST", f"{EVENTS}/subscriptions", 201, SUBSCRIBE, SUBSCRIPTION),
    Route("GET", f"{EVENTS}/subscriptions", 200),
    Route("GET", f"{EVENTS}/subscriptions/{NOTHING}", 404),
    Route("DELETE", f"{EVENTS}/subscriptions/{NOTHING}", 404),
]
NOT_OFFERED = [  # what only the contracts' own processes and operators call
    ("POST", f"{ORDERS}/trigger/pastdueorders"),
    ("GET", f"{ORDERS}/tests/sendcondition?conditionMet=true"),
    ("PUT", f"{EVENTS}/subscriptions/validate/1"),
    ("POST", f"{EVENTS}/inbound"),
    ("POST", f"{EVENTS}/outbound"),
    ("POST", f"{EVENTS}/storage/events"),
    ("POST", f"{EVENTS}/storage/events/logs"),
    ("POST", f"{EVENTS}/tests/webhookreceiver"),
]


def call(installation: Installation, route: Route, scope: str | None, media: str | None = None) -> httpx.Response:
    """Ask; `scope` None: without credentials."""
    headers = {}
    if scope is not None:
        headers["Authorization"] = f"Bearer {installation.key.bearer('ttd', scope, HOUR)}"
        if route.platform:
            headers["PlatformAccessToken"] = installation.key.platform_token("ttd", "apps-test", HOUR)
    if route.body is not None:
        headers["Content-Type"] = route.media if media is None else media
    content = None if route.body is None else json.dumps(route.body)
    return ask(route.method, installation.address + route.path, content=content, headers=headers)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_route_answers_as_its_contract_has_it(installation: Installation, route: Route) -> None:
    assert call(installation, route, route.scope or "altinn:other").status_code == route.answer
    nobody = call(installation, route, None)
    assert (nobody.status_code, nobody.content) == (401, b"")
    if route.scope:
        poor = call(installation, route, "altinn:other")
        assert (poor.status_code, poor.content) == (route.poor, b"")


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body is not None], ids=str)
def test_a_body_of_another_kind_is_told_before_the_credentials(installation: Installation, route: Route) -> None:
    for scope in (None, route.scope):
        assert call(installation, route, scope, "text/plain").status_code == 415
    if route.media == JSON:
        assert call(installation, route, route.scope or "altinn:other", CLOUDEVENT).status_code == route.answer


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_case_and_slashes_of_a_path_do_not_matter(installation: Installation, route: Route) -> None:
    path, mark, query = route.path.partition("?")
    for spelt in (f"{path}/", path.upper(), path.replace("/api/", "//api/")):
        other = Route(**(vars(route) | {"path": f"{spelt}{mark}{query}"}))
        assert call(installation, other, route.scope or "altinn:other").status_code == route.answer


@pytest.mark.parametrize(("method", "path"), NOT_OFFERED)
def test_what_is_not_offered_is_not_there(installation: Installation, method: str, path: str) -> None:
    assert ask(method, installation.address + path).status_code in (404, 405)


def test_health_is_told_to_everybody(installation: Installation) -> None:
    answer = ask("GET", f"{installation.address}/health")
    assert (answer.status_code, answer.text) == (200, "Healthy")


def test_every_operation_of_the_contracts_is_in_the_table() -> None:
    listed = {
        (
            route.method,
            "/".join(part if not _is_name(part) else "{}" for part in route.path.partition("?")[0].split("/")),
        )
        for route in ROUTES
    }
    beyond = (  # of our own
        *("/pause", "/resume", "/secret", "/replay", "/deliveries", "/retry"),
        *("/recipients", "/close", "/plan", "/withdraw", "/reschedule"),
    )
    things = (f"{ORDERS}/templates", f"{ORDERS}/recurring-orders")  # likewise
    served = {
        (operation.method, "/".join("{}" if part.startswith("{") else part for part in operation.path.split("/")))
        for operation in OPERATIONS
        if not (operation.path.endswith(beyond) or operation.path.startswith(things))
    }
    assert listed == served


def _is_name(part: str) -> bool:
    return part in (str(NOBODY), str(NOTHING), "7", "ttd", "apps-test")
