"""What the console's pages show: the overview, and one row of each kind."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis
from starlette.routing import Route

from api.console.pages import look, page
from api.console.sessions import require
from engine.admin import actions
from engine.admin.details import DETAILS
from engine.admin.exposition import LISTS
from engine.admin.overview import overview
from engine.admin.pausing import LANES
from engine.admin.resources import DELIVERIES, EMAILS, EVENTS, JOBS, ORDERS, RECURRING, SUBSCRIPTIONS
from engine.auth.operators import Role
from engine.errors import NotFound
from engine.text.language import _, current, translated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.admin.resources import Resource

    Handler = Callable[[Request], Awaitable[Response]]

FRESH = 0.9  # seconds for which all readers of the overview share one


@dataclass
class Snapshot:
    """The overview of a moment ago, by language: all its readers share one."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
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
            snapshot.values.clear()
        if (language := current().code) not in snapshot.values:
            values = await state.readers.read("operators", overview)  # for all who look
            values |= {"broker": await asyncio.to_thread(_broker, state.redis), "lanes_known": LANES}
            if not snapshot.values:
                snapshot.read_at = time.monotonic()
            snapshot.values[language] = values
        return snapshot.values[language]


def _broker(client: redis.Redis) -> dict[str, int] | None:
    """The lengths of the broker's own queues; None when Redis does not answer."""
    try:
        return {name: int(client.llen(key)) for name, key in LISTS.items()}
    except (redis.RedisError, OSError):
        return None


def _one_of(resource: Resource, name: str) -> Handler:
    async def read(request: Request) -> dict[str, Any]:
        try:
            key = resource.read_key(request.path_params["key"])
        except ValueError:
            raise NotFound(
                _("There is no such page among the %(resource)s.", resource=translated(resource.name))
            ) from None

        def whole(connection: Connection) -> dict[str, Any]:
            item = DETAILS[resource.name](connection, key)
            own = item[resource.key.name]  # of an order that was asked for by its chain's
            return {"item": item, "key": own, "actions": actions.possible(connection, resource, own)}

        return {"resource": resource, **await look(request, whole)}

    async def show(request: Request) -> Response:
        await require(request, Role.VIEWER)
        return await page(request, name, read)

    return show


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
    *(Route(f"/{resource.name}/{{key}}", _one_of(resource, name)) for resource, name in SINGLE),
]
