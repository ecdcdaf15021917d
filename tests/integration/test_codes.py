"""Every status that the notifications API says it gives, asked for once, and what comes with it."""

from __future__ import annotations

import json
import re
import uuid
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import text

from api.app import OPERATIONS
from api.orders import PREFIX
from api.problems import TITLES, Problem
from api.recipients import BLOCK, NDJSON
from engine.db.store import Store
from engine.resources import SCOPE_COMPOSED, SCOPE_SUPPORT, SCOPE_TEMPLATES
from engine.settings import Settings
from tests.helpers.client import connect
from tests.servers.installation import OPEN, Installation, at, chain, instant, order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

SERVED = {f"{each.method} {each.path.removeprefix(PREFIX)}": each for each in OPERATIONS if PREFIX in each.path}
# 408: test_connections.py; 429: test_quota_answers.py; 503: test_connections.py and test_failures.py.
ELSEWHERE = {408, 429, 503}
FURTHER = ELSEWHERE | {409, 413, 422}  # which the contract's section 2 tells of once, for all
CONTRACT = Path(__file__).parents[2] / "docs" / "contracts" / "notifications.md"
DASHBOARD = "GET /future/dashboard/recipients/notifications/"
CREATE, POOR = "altinn:notifications.create", "altinn:other"
NOBODY, NO_ID = str(uuid.UUID(int=0)), "7"
LARGE = {"idempotencyId": "x" * Settings().max_order_bytes}
HOUR = timedelta(hours=1)
USED = {"Idempotency-Key": "codes"}
RUNNING = {"Idempotency-Key": "another, twice at once"}
SETTINGS = {"subject": "Hei", "body": "Hei!"}
ANY_CHANNEL = {
    "notificationChannel": "Email",
    "emailTemplate": SETTINGS,
    "recipients": [{"emailAddress": "kari@example.no"}],
}
LINE = '{"emailAddress":"kari@example.no"}'
RECURRING = {"name": "known", "cron": "0 9 * * 1", "zone": "Europe/Oslo", "order": order()}
KNOWN, URGENT = chain("known@codes.example"), instant("known@codes.example")
COMPOSED, POSTED = (
    {"idempotencyId": name, "recipient": {"emailAddress": "known@codes.example", "emailSettings": SETTINGS}}
    for name in ("composed", "composed before")
)
TEMPLATE = {"subject": "Hei, {{ name }}", "text": "Hei, {{ name }}!"}
LARGER = {"html": "x" * 1_000_001}
UNREACHABLE = {
    "idempotencyId": "unreachable",
    "recipient": {
        "recipientPerson": {
            "nationalIdentityNumber": "01017512399", "channelSchema": "Email", "emailSettings": SETTINGS
        }
    },
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A request, and the status that it gets; `id` stands in the path, or names what was placed before."""

    operation: str
    status: int
    id: str = "order"
    query: str = ""
    body: object = None
    text: str | None = None  # a body that is no JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json"
    scope: str | None = CREATE  # None: no credential

    def __str__(self) -> str:
        return f"{self.operation} {self.status}"


def cases(operation: str, status: int, *others: Mapping[str, Any], **asked: Any) -> list[Case]:
    """What is asked usually; the same as nobody, and as somebody who may not; and `others`, which differ from it."""
    first = Case(operation, status, **asked)
    posted = [refused(415, media="text/plain")] if operation.startswith("POST") else []
    usual = [refused(401, scope=None), refused(403, scope=POOR)]
    return [first, *(replace(first, **other) for other in (*usual, *posted, *others))]


def refused(status: int = 400, **members: Any) -> Mapping[str, Any]:
    return {"status": status, **members}


def by_id(operation: str, *others: Mapping[str, Any], **asked: Any) -> list[Case]:
    return cases(operation, 200, refused(id=NO_ID), refused(404, id=NOBODY), *others, **asked)


def looked_up(path: str, header: str, value: str) -> list[Case]:
    return cases(f"{DASHBOARD}{path}", 200, refused(headers={header: ""}), headers={header: value}, scope=SCOPE_SUPPORT)


def of_templates(operation: str, status: int, *others: Mapping[str, Any], **asked: Any) -> list[Case]:
    return cases(operation, status, *others, scope=SCOPE_TEMPLATES, **asked)


IN_USE = [refused(422, headers=USED), refused(409, headers=RUNNING), refused(413, body=LARGE), refused(body={})]
TABLE = [
    *cases("POST /orders/email", 202, *IN_USE, body=order()),
    *cases("POST /orders", 202, *IN_USE, body=ANY_CHANNEL),
    *cases("POST /orders/sms", 400, body={}),
    *by_id("GET /orders/{id}"),
    *cases("GET /orders", 200, refused(query=""), query="sendersReference=codes"),
    *by_id("GET /orders/{id}/status"),
    *by_id("PUT /orders/{id}/cancel", refused(409, id="due")),
    *by_id("GET /orders/{id}/notifications/email"),
    *cases(
        "POST /orders/{id}/recipients", 200, refused(id=NO_ID), refused(404, id=NOBODY), refused(409, id="cancelled"),
        refused(413, text="x" * BLOCK), id="open", media=NDJSON, text=LINE,
    ),
    *by_id("GET /orders/{id}/recipients", id="open"),
    *by_id("PUT /orders/{id}/close", refused(409, id="cancelled"), id="open"),
    *by_id("GET /orders/{id}/notifications/sms"),
    *cases(
        "POST /future/orders", 201, refused(200, body=KNOWN), refused(422, body=UNREACHABLE),
        refused(413, body=LARGE), refused(body={}), body=chain("new@codes.example"),
    ),
    *cases(
        "POST /future/orders/instant/email", 201, refused(200, body=URGENT),
        refused(422, body=URGENT | {"sendersReference": "x"}, headers=USED),
        refused(413, body=LARGE), refused(body={}), body=instant("new@codes.example"),
    ),
    *cases("POST /future/orders/instant/sms", 400, body={}),
    *cases(
        "POST /future/orders/composed-email", 201, refused(200, body=POSTED),
        refused(422, body=POSTED | {"sendersReference": "x"}, headers=USED),
        refused(413, body=LARGE), refused(body={}), body=COMPOSED, scope=SCOPE_COMPOSED,
    ),
    *cases("GET /orders/chain/{id}", 200, refused(404, id=NOBODY), id="chain"),
    *cases("GET /future/shipment/{id}", 200, refused(404, id=NOBODY)),
    *cases("GET /future/shipment/feed", 200, refused(query="seq=-1")),
    *cases(
        "POST /recurring-orders", 201, refused(200, body=RECURRING), refused(409, body=RECURRING | {"runs": 7}),
        refused(413, body=LARGE), refused(body={}), body=RECURRING | {"name": "codes"},
    ),
    *cases("GET /recurring-orders", 200),
    *cases("GET /recurring-orders/{id}", 200, refused(id=NO_ID), refused(404, id=NOBODY), id="recurring"),
    *cases("DELETE /recurring-orders/{id}", 204, refused(id=NO_ID), refused(404, id=NOBODY), id="removed"),
    *by_id("GET /orders/{id}/plan"),
    *by_id("PUT /orders/{id}/withdraw"),
    *cases(
        "PUT /orders/{id}/reschedule", 200, refused(id=NO_ID), refused(404, id=NOBODY),
        refused(415, media="text/plain"), refused(413, body=LARGE), refused(body={}),
        body={"requestedSendTime": at(HOUR)},
    ),
    *cases("GET /future/enduser/log", 200, refused(query=""), query="dialogId=codes"),
    *looked_up("nin", "NationalIdentityNumber", "01017512345"),
    *looked_up("orgnumber", "OrganizationNumber", "910150804"),
    *looked_up("email", "Email", "kari@example.no"),
    *looked_up("phonenumber", "PhoneNumber", "+4799999999"),
    *of_templates(
        "PUT /templates/{name}", 201, refused(200, id="known"), refused(409, id="busy", query="waiting=true"),
        refused(413, body=LARGER), refused(415, media="text/plain"), refused(body={}), id="new", body=TEMPLATE,
    ),
    *of_templates("GET /templates", 200),
    *of_templates("GET /templates/{name}", 200, refused(404, id="nothing"), refused(query="version=x"), id="known"),
    *of_templates(
        "POST /templates/{name}/preview", 200, refused(404, id="nothing"), refused(413, body=LARGER), refused(body={}),
        id="known", body={"values": {"name": "Kari"}},
    ),
    *of_templates("DELETE /templates/{name}", 204, refused(404, id="nothing"), refused(id="A."), id="deleted"),
]  # fmt: skip


@dataclass(frozen=True)
class Asker:
    """A client of an installation: its tokens by scope, and by a case's `id` what it has placed."""

    client: httpx.Client
    tokens: Mapping[str, str]
    placed: Mapping[str, str]
    database: str

    def ask(self, case: Case) -> httpx.Response:
        method, path = case.operation.split()
        its = self.placed.get(case.id, case.id)
        path = path.format(id=its, name=its)
        content = case.text if case.body is None else json.dumps(case.body)
        headers = {**case.headers, "Content-Type": case.media}
        if case.scope:
            headers["Authorization"] = f"Bearer {self.tokens[case.scope]}"
        return self.client.request(method, f"{PREFIX}{path}?{case.query}", content=content, headers=headers)

    def ask_twice_at_once(self, case: Case) -> httpx.Response:
        """The answer that comes while nothing can be stored; the other request is answered afterwards."""
        with closing(Store(self.database)) as store, ThreadPoolExecutor(2) as pool:
            with store.write() as connection:
                if store.dialect.name == "postgresql":
                    connection.execute(text("LOCK TABLE idempotency_keys"))
                case = replace(case, headers={"Idempotency-Key": uuid.uuid4().hex})
                both = [pool.submit(self.ask, case) for _ in range(2)]
                [first], [second] = wait(both, return_when=FIRST_COMPLETED)
            assert second.result().status_code == 202
            answer: httpx.Response = first.result()
        return answer


@pytest.fixture(scope="module")
def asker(installation: Installation) -> Iterator[Asker]:
    scopes = CREATE, SCOPE_COMPOSED, SCOPE_SUPPORT, SCOPE_TEMPLATES, POOR
    tokens = {scope: installation.key.bearer("ttd", scope, HOUR) for scope in scopes}
    with installation.client() as ours, connect(installation.address) as client:
        later, due = (
            ours.post(f"{PREFIX}/orders/email", json=body, headers=headers).json()["orderId"]
            for body, headers in ((order(requestedSendTime=at(HOUR)), USED), (order(), {}))
        )
        first = ours.post(f"{PREFIX}/future/orders", json=KNOWN).json()["notificationOrderId"]
        ours.post(f"{PREFIX}/future/orders/instant/email", json=URGENT)
        composing = {"Authorization": f"Bearer {tokens[SCOPE_COMPOSED]}"}
        client.post(f"{PREFIX}/future/orders/composed-email", json=POSTED, headers=composing)
        storing = {"Authorization": f"Bearer {tokens[SCOPE_TEMPLATES]}"}
        for name, body in (("known", TEMPLATE), ("deleted", TEMPLATE), ("busy", SETTINGS | {"text": "Hei!"})):
            client.put(f"{PREFIX}/templates/{name}", json=body, headers=storing)
        waits = {"template": {"name": "busy"}, "requestedSendTime": at(HOUR), "subject": None, "body": None}
        ours.post(f"{PREFIX}/orders/email", json=order(**waits))
        opened, cancelled = (ours.post(f"{PREFIX}/orders/email", json=OPEN).json()["orderId"] for _ in range(2))
        ours.post(f"{PREFIX}/orders/{opened}/recipients", content=LINE, headers={"Content-Type": NDJSON})
        ours.put(f"{PREFIX}/orders/{cancelled}/cancel")
        recurring, removed = (
            ours.post(f"{PREFIX}/recurring-orders", json=RECURRING | {"name": name}).json()["id"]
            for name in ("known", "removed")
        )
        placed = {"order": later, "due": due, "chain": first, "open": opened, "cancelled": cancelled}
        placed |= {"recurring": recurring, "removed": removed}
        yield Asker(client, tokens, placed, installation.environment()["VARSEL_DATABASE_URL"])


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_a_status_comes_with_what_is_described(asker: Asker, case: Case) -> None:
    answer = asker.ask_twice_at_once(case) if case.headers is RUNNING else asker.ask(case)
    assert answer.status_code == case.status, answer.text
    described = SERVED[case.operation].responses[case.status]
    if described.body is None:
        assert answer.content == b""
        assert case.status != 401 or answer.headers["www-authenticate"].startswith("Bearer")
        return
    TypeAdapter(described.body).validate_json(answer.content)
    if described.body is Problem:
        check_problem(answer, case)
    else:
        assert answer.headers["content-type"].startswith("application/json")


def check_problem(answer: httpx.Response, case: Case) -> None:
    """In the form of contract 4.1: broken rules have fields, and what the second generation alone has, a code."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert (problem["status"], problem["traceId"][:3]) == (case.status, "00-")
    assert ("errors" in problem) == (case.status == 400)
    if case.status == 400:
        assert problem["title"] == "One or more validation errors occurred."
        assert all(field and told for field, told in problem["errors"].items())
    elif "code" in problem:
        assert problem["type"] == f"urn:altinn:error:{problem['code']}"
    else:
        assert problem["title"] == TITLES[case.status]


def test_every_status_of_every_operation_is_in_the_table() -> None:
    told = {(name, status) for name, operation in SERVED.items() for status in operation.responses}
    assert {(case.operation, case.status) for case in TABLE} == {each for each in told if each[1] not in ELSEWHERE}


def test_the_contract_names_the_errors_of_every_operation() -> None:
    rows = re.findall(r"^\| `([A-Z]+ /[^`?…]+)[^|]*\|[^|]*\|([^|]*)\|$", CONTRACT.read_text(), re.MULTILINE)
    named = {row: {int(status) for status in re.findall(r"\b\d{3}\b", errors)} for row, errors in rows}
    for name, operation in SERVED.items():
        row = DASHBOARD if name.startswith(DASHBOARD) else name
        told = {status for status in operation.responses if status >= 400}
        assert named[row] <= told
        assert told - named[row] <= FURTHER, name
