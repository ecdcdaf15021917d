"""Only its consumer lists, reads and removes a subscription."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.helpers.client import ask
from tests.helpers.subscriptions import ACTS, NOBODY, SCOPES, SUBSCRIPTIONS, subscribe, token

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.servers.installation import Installation

STRANGE_IDS = ["abc", "1.5", "2147483648", "-2147483649", "99999999999999999999", "1e3", "%00", "%F0%9F%92%8C", "1_0"]


@pytest.fixture
def fresh(installation: Installation) -> Iterator[httpx.Client]:
    """A client of an organisation that nobody else uses."""
    with installation.client(f"o{uuid.uuid4().hex}", SCOPES) as client:
        yield client


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
