"""The part to which /metrics counts an answer: the operation's tag in the document, or the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.app import OPERATIONS
from api.docs import ROUTES as DOCS
from tests.helpers.client import ask
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

EVENTS = "/events/api/v1"
PARTS = (
    *("orders", "recurring orders", "shipments", "support", "templates"),
    *("events", "subscriptions", "console", "other"),
)
PLACES = [
    (f"{API}/orders/1", "orders"),
    (f"{API}/orders/1/notifications/sms", "orders"),
    (f"{API}/future/orders/instant", "orders"),
    (f"{API}/future/shipment/feed", "shipments"),
    (f"{API}/future/dashboard/recipients/notifications/nin", "support"),
    (f"{API}/recurring-orders", "recurring orders"),
    (f"{API}/templates", "templates"),
    (f"{EVENTS}/events", "events"),
    (f"{EVENTS}/app/party", "events"),
    (f"{EVENTS}/subscriptions", "subscriptions"),
    (f"{EVENTS}/subscriptions/1/deliveries", "subscriptions"),
    ("/console", "console"),
    ("/console/overview", "console"),
    ("/console/sign-in", "console"),
    ("/console/orders/1/cancel", "console"),
    (DOCS[0].path, "other"),
    ("/livez", "other"),
    ("/nowhere", "other"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("site")) as running:
        yield running


def answers(site: Installation) -> dict[str, float]:
    """How many answers each part has given."""
    text = ask("GET", f"{site.address}/metrics").raise_for_status().text
    found = dict.fromkeys(PARTS, 0.0)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "varsel_requests_total":
                found[sample.labels["part"]] += sample.value
    return found


@pytest.mark.parametrize(("path", "part"), PLACES)
def test_an_answer_counts_to_the_part_that_gives_it(path: str, part: str, site: Installation) -> None:
    before = answers(site)
    ask("GET", f"{site.address}{path}")
    wait_for(lambda: answers(site)[part] > before[part] + (part == "other"))  # /metrics itself is an answer, too
    after = answers(site)
    assert {each for each in PARTS if after[each] > before[each]} == {part, "other"}


def test_the_parts_are_the_documents_tags_and_the_console(site: Installation) -> None:
    assert {*answers(site)} == {operation.part for operation in OPERATIONS} | {"console", "other"}
