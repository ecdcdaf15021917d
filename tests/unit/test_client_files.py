"""What is committed of the clients follows from the API as it is now; names are made by a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.app import OPERATIONS
from clients.generate.document import Document
from clients.generate.files import ROOT, stale, written
from clients.generate.names import NAMES, method_name, part_name

if TYPE_CHECKING:
    from clients.generate.types import Api

REMEDY = "run `make clients`, and commit what it writes"


def test_what_follows_from_the_api_is_current() -> None:
    differing = [str(path) for path, text in written().items() if not path.exists() or path.read_text() != text]
    assert differing + [str(path) for path in stale()] == [], REMEDY


def test_each_exception_from_the_rule_is_of_an_operation_and_is_documented() -> None:
    assert NAMES.keys() <= {operation.id for operation in OPERATIONS}
    page = (ROOT / "docs" / "clients.md").read_text()
    assert [name for name in NAMES.values() if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("verb", "path", "named"),
    [
        ("GET", "/templates", "list"),
        ("GET", "/templates/{name}", "get"),
        ("PUT", "/templates/{name}", "put"),
        ("DELETE", "/templates/{name}", "delete"),
        ("POST", "/templates", "create"),
        ("POST", "/templates/{name}/preview", "preview"),
        ("POST", "/future/templates/short-ones", "create_short_ones"),
        ("GET", "/templates/{name}/users", "get_users"),
        ("PUT", "/templates/{name}/lock", "lock"),
    ],
)
def test_a_method_is_named_by_verb_and_path(verb: str, path: str, named: str) -> None:
    assert method_name(verb, f"/notifications/api/v1{path}", "Templates", paged=False, readable=False) == named


def test_what_has_pages_is_a_list_and_what_can_be_read_is_created() -> None:
    path = "/notifications/api/v1/orders/{id}/recipients"
    assert method_name("GET", path, "Orders", paged=True, readable=True) == "list_recipients"
    assert method_name("POST", path, "Orders", paged=False, readable=True) == "create_recipients"


def test_a_part_of_several_words_has_one_name() -> None:
    path = "/notifications/api/v1/recurring-orders/{id}"
    assert part_name("Recurring orders") == "RecurringOrders"
    assert method_name("GET", path, "RecurringOrders", paged=False, readable=True) == "get"


def described(*paths: str) -> Api:
    """An API that deletes what stands at these paths."""
    told = {"tags": ["Things"], "summary": "", "description": "", "responses": {"204": {}}}
    verbs = {path: {"delete": {"operationId": path, **told}} for path in paths}
    return Document({"info": {"version": "1"}, "paths": verbs, "components": {"schemas": {}}}).api()


def test_two_operations_with_one_name_are_an_error() -> None:
    assert [each.name for each in described("/api/v1/things/{id}").operations] == ["delete"]
    with pytest.raises(ValueError, match=r"Things\.delete: two operations"):
        described("/api/v1/things/{id}", "/api/v1/future/things/{id}")
