"""Quotas over HTTP: what clients are told, on both databases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.helpers.waiting import LEASE
from tests.servers.installation import API, Installation, chain, instant, order

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("same_day")]

QUOTAS = """
[default]
per_day = 3

[creators.skd]
per_day = 1
exceeded = "pace"

[creators.nav]
"""
MAIL = {"recipientEmail": {"emailAddress": "a@example.no", "emailSettings": {"subject": "a", "body": "b"}}}
POLICY = '"day";q=3;qu="recipients";w=86400'


@pytest.fixture(scope="module")
def limited(
    database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("limited")
    file = folder / "quotas.toml"
    file.write_text(QUOTAS)
    settings: dict[str, object] = {"lease": LEASE, "worker_processes": 1, "quotas_file": file}
    if database == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres").database()
    with Installation(folder, **settings) as running:
        yield running


def left(field: str) -> tuple[int, int]:
    """Recipients and seconds."""
    found = re.fullmatch(r'"day";r=(\d+);t=(\d+)', field)
    assert found
    return int(found[1]), int(found[2])


def test_accepted_and_refused_orders_tell_what_is_left(limited: Installation) -> None:
    with limited.client() as client:
        first = client.post(f"{API}/orders/email", json=order("a@example.no", "b@example.no"))
        refused = client.post(f"{API}/orders/email", json=order("a@example.no", "b@example.no"))
        second = client.post(
            f"{API}/orders",
            json={
                "notificationChannel": "Email",
                "emailTemplate": {"subject": "a", "body": "b"},
                "recipients": [{"emailAddress": "a@example.no"}],
            },
        )
        chained = client.post(f"{API}/future/orders", json=chain("a@example.no", "b@example.no"))
        urgent = client.post(f"{API}/future/orders/instant/email", json=instant("a@example.no"))
        larger = client.post(f"{API}/orders/email", json=order(*["a@example.no"] * 4))
        reminders = [{"delayDays": 1, "recipient": MAIL}] * 3
        reminding = client.post(
            f"{API}/future/orders", json={"idempotencyId": "large", "recipient": MAIL, "reminders": reminders}
        )
    assert [answer.status_code for answer in (first, refused, second, larger)] == [202, 429, 202, 400]
    assert [answer.status_code for answer in (chained, urgent)] == [429, 429]
    assert {answer.headers["ratelimit-policy"] for answer in (first, refused, second, chained, urgent)} == {POLICY}
    assert [left(answer.headers["ratelimit"])[0] for answer in (first, refused, second)] == [1, 1, 0]
    assert left(refused.headers["ratelimit"])[1] == int(refused.headers["retry-after"]) <= 86_400
    assert refused.headers["content-type"] == "application/problem+json; charset=utf-8"
    problem = refused.json()
    assert problem.pop("traceId").startswith("00-")
    assert problem == {
        "type": "https://tools.ietf.org/html/rfc6585#section-4",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "The quota of this creator is 3 recipients a day, of which 1 are left;"
        " an order to 2 can be taken in later.",
    }
    assert larger.json()["errors"] == {"Recipients": ["An order of this creator has at most 3 recipients; split it."]}
    told = "An order of this creator has at most 3 recipients, those of its reminders included; split it."
    assert (reminding.status_code, reminding.json()["errors"]) == (400, {"Reminders": [told]})


def test_a_paced_order_is_accepted_and_shows_the_send_time_that_was_asked_for(limited: Installation) -> None:
    with limited.client("skd") as client:
        answers = [client.post(f"{API}/orders/email", json=order()) for _ in range(2)]
        shown = client.get(answers[1].headers["location"]).json()
        status = client.get(f"{answers[1].headers['location']}/status").json()
    assert [answer.status_code for answer in answers] == [202, 202]
    assert [left(answer.headers["ratelimit"])[0] for answer in answers] == [0, 0]
    assert shown["requestedSendTime"] == shown["created"]
    assert status["processingStatus"]["status"] == "Registered"


def test_a_creator_without_a_quota_is_told_of_none(limited: Installation) -> None:
    with limited.client("nav") as client:
        answer = client.post(f"{API}/orders/email", json=order())
    assert answer.status_code == 202
    assert not [name for name in answer.headers if name.startswith("ratelimit")]
