"""For operators: is the process alive, are its dependencies there, how long are the queues."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import redis
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.hosts import own_host
from engine.admin.exposition import exposition
from engine.errors import Overrun, Unavailable
from engine.observability import metrics
from engine.queue import lateness

if TYPE_CHECKING:
    from starlette.requests import Request

    from engine.db.readers import Readers
    from engine.db.store import Store

ANSWER_WITHIN = 3.0  # seconds: probes do not wait long
ENDING = "ending"  # what is asked now is answered; proxies send no more


async def livez(request: Request) -> Response:
    """The process answers, and takes requests for as long as nobody ends it."""
    return PlainTextResponse(ENDING, 503) if request.app.state.ending else PlainTextResponse("ok")


async def health(_request: Request) -> Response:
    """The same, in the words of the contract."""
    return PlainTextResponse("Healthy")


async def readyz(request: Request) -> Response:
    """Each dependency by name, and whether what was taken in moves on.

    Without the database, no order can be accepted: 503. Without Redis or workers, orders still can: to take `web` out
    of its load balancer would only make things worse. So the answer is 200, and the body says what is wrong.
    """
    state = request.app.state
    if state.ending:
        return JSONResponse({"status": ENDING}, 503)
    parts = await _database(state.store, state.readers) | {"redis": "ok"}
    try:
        await asyncio.to_thread(state.notifier.ping)
    except (redis.RedisError, OSError):
        parts["redis"] = "cannot be used; orders are accepted, and delivered when it is back"
    ready = parts["database"] == "ok"
    status = "ok" if all(part == "ok" for part in parts.values()) else "degraded" if ready else "unavailable"
    headers = None if ready else {"Retry-After": "2"}
    return JSONResponse({"status": status} | parts, 200 if ready else 503, headers)


async def _database(store: Store, readers: Readers) -> dict[str, str]:
    """Whether it can be read now, and could be written a few seconds ago; and which lanes stand still.

    A process is not ready before it has read as requests do: by connections of their own.
    """
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            await readers.prove("readyz")
            stalled = await store.reading(lateness.stalled)
    except (Unavailable, Overrun) as error:
        return {"database": str(error)}
    except TimeoutError:
        return {"database": "does not answer"}
    return {
        "database": "ok" if store.trouble is None else "does not take what is written",
        "delivery": f"stands still: {', '.join(stalled)}" if stalled else "ok",
    }


@own_host
async def metrics_page(request: Request) -> Response:
    """Prometheus' text format; it answers even when the database or Redis does not."""
    state = request.app.state
    text = await asyncio.to_thread(exposition, state.store, state.redis)
    return Response(text, media_type=metrics.CONTENT_TYPE)


ROUTES = [Route("/livez", livez), Route("/health", health), Route("/readyz", readyz), Route("/metrics", metrics_page)]
