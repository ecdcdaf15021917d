"""A path below which everything is: one that cannot be told from Varsel's own paths is refused."""

from __future__ import annotations

import pytest
from starlette.routing import Mount, Route

from api import docs, events, health, orders
from api.root_path import check
from engine.errors import Misconfigured

ROUTES = [
    *health.ROUTES,
    *docs.ROUTES,
    *(Route(each.path, each.handler) for part in (orders, events) for each in part.OPERATIONS),
    Mount("/console", routes=[]),
]


@pytest.mark.parametrize("root", ["/console", "/events", "/Notifications/a", "/docs", "/readyz"])
def test_a_path_like_one_of_varsels_own_is_refused(root: str) -> None:
    with pytest.raises(Misconfigured, match=r"^VARSEL_BASE_URL: the path cannot begin with /"):
        check(root, ROUTES)


@pytest.mark.parametrize("root", ["", "/varsel", "/notify/events", "/event", "/consoles"])
def test_any_other_path_is_taken(root: str) -> None:
    check(root, ROUTES)
