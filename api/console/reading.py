"""What the console's pages show: the overview, the lists, and one of each."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import redis
from starlette.routing import Route

from api.console.pages import look, page
from api.console.sessions import found, require
from api.console.zones import with_offset
from engine.admin import actions, failures, lists, searching
from engine.admin.details import DETAILS
from engine.admin.exposition import LISTS
from engine.admin.filters import TIMES
from engine.admin.overview import overview
from engine.admin.pausing import LANES
from engine.admin.resources import (
    AUDIT,
    DELIVERIES,
    EMAILS,
    EVENTS,
    JOBS,
    KEYS,
    ORDERS,
    RECURRING,
    SENDERS,
    SUBSCRIPTIONS,
)
from engine.auth.operators import Role
from engine.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.admin.resources import Resource

    Handler = Callable[[Request], Awaitable[Response]]

FRESH = 0.9  # seconds for which all readers of the overview share one


@dataclass
class Snapshot:
    """The overview of a moment ago, shared by all readers."""

    values: dict[str, Any] = field(default_factory=dict)
    read_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


async def overview_page(request: Request) -> Response:
    """The lanes, the processes, the plots, and what is wrong."""
    await require(request, Role.VIEWER)
    return await page(request, "overview.html", _overview)


async def _overview(request: Request) -> dict[str, Any]:
    state = request.app.state
    snapshot: Snapshot = state.snapshot
    async with snapshot.lock:
        if time.monotonic() - snapshot.read_at > FRESH:
            values = await state.readers.read("operators", overview)  # for all who look
            snapshot.values = values | {"broker": await asyncio.to_thread(_broker, state.redis), "lanes_known": LANES}
            snapshot.read_at = time.monotonic()
    return snapshot.values


def _broker(client: redis.Redis) -> dict[str, int] | None:
    """The lengths of the broker's own queues; None when Redis does not answer."""
    try:
        return {name: int(client.llen(key)) for name, key in LISTS.items()}
    except (redis.RedisError, OSError):
        return None


def _fields(request: Request, resource: Resource) -> Collection[str]:
    """What the operator may narrow the list by."""
    operator = found(request)
    return resource.fields if operator and operator.role.sees_personal_data else resource.open_fields


def narrowed(request: Request, resource: Resource) -> dict[str, str]:
    """What the list is narrowed by; Forbidden for what the operator does not see."""
    given = with_offset(request, dict(request.query_params), TIMES)
    given = {name: value for name, value in given.items() if value.strip() and name != "cursor"}
    fields = _fields(request, resource)
    if hidden := [name for name in resource.fields if name in given and name not in fields]:
        raise Forbidden(f"A viewer cannot narrow this list by {', '.join(hidden)}: that is masked.")
    return given


def _list_of(resource: Resource) -> Handler:
    async def read(request: Request) -> dict[str, Any]:
        given, cursor = narrowed(request, resource), request.query_params.get("cursor") or None
        listed = await look(request, lists.page, resource, given, cursor)
        return {
            "resource": resource,
            "fields": _fields(request, resource),
            "items": listed.items,
            "next": listed.next and urlencode(given | {"cursor": listed.next}),
            "looked_back": listed.looked_back,
            "newest": urlencode(given) if cursor else None,
            "filter": given,
            "group": await look(request, failures.said, given["failure"]) if given.get("failure") else None,
            "also": await look(request, searching.orders_that_wait, given) if resource is EMAILS else 0,
            "bulk": [action for action in actions.ACTIONS if action.resource is resource and action.for_all],
        }

    async def show(request: Request) -> Response:
        await require(request, Role.VIEWER)
        return await page(request, f"{resource.name}.html", read)

    return show


def _one_of(resource: Resource, name: str) -> Handler:
    async def read(request: Request) -> dict[str, Any]:
        try:
            key = resource.read_key(request.path_params["key"])
        except ValueError:
            raise NotFound(f"There is no such page among the {resource.name}.") from None

        def whole(connection: Connection) -> dict[str, Any]:
            item = DETAILS[resource.name](connection, key)
            own = item[resource.key.name]  # of an order that was asked for by its chain's
            return {"item": item, "key": own, "actions": actions.possible(connection, resource, own)}

        return {"resource": resource, **await look(request, whole)}

    async def show(request: Request) -> Response:
        await require(request, Role.VIEWER)
        return await page(request, name, read)

    return show


LISTED = (ORDERS, EMAILS, RECURRING, EVENTS, SUBSCRIPTIONS, DELIVERIES, JOBS, AUDIT, KEYS, SENDERS)
SINGLE = (
    (ORDERS, "order.html"),
    (EMAILS, "email.html"),
    (RECURRING, "recurring_order.html"),
    (EVENTS, "event.html"),
    (SUBSCRIPTIONS, "subscription.html"),
    (DELIVERIES, "delivery.html"),
    (JOBS, "job.html"),
)
ROUTES = [
    Route("/overview", overview_page),
    *(Route(f"/{resource.name}", _list_of(resource)) for resource in LISTED),
    *(Route(f"/{resource.name}/{{key}}", _one_of(resource, name)) for resource, name in SINGLE),
]
