"""The limit of intake: the same Starlette and uvicorn, answering the same POSTs with constants."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bench.posts import APP_PATH, PATH

if TYPE_CHECKING:
    from starlette.requests import Request

BASE = "http://127.0.0.1:5090"
ID = "5f0c2f66-0000-7000-8000-0000000000e1"
ORDER = (b'{"orderId": "%b"}' % ID.encode(), 202, {"Location": f"{BASE}{PATH}/{ID}"}, "application/json; charset=utf-8")
MOMENT = "2026-12-24T08%3A00%3A00.000Z"
EVENTS = {"Location": f"{BASE}{APP_PATH}/ttd/apps-test?from={MOMENT}&to={MOMENT}"}
EVENT = (b'"%b"' % ID.encode(), 201, EVENTS, "application/json")


async def accept_order(_request: Request) -> Response:
    """Answer as if the order were stored."""
    return Response(*ORDER)


async def accept_event(_request: Request) -> Response:
    """Answer as if the event were stored."""
    return Response(*EVENT)


app = Starlette(routes=[Route(PATH, accept_order, methods=["POST"]), Route(APP_PATH, accept_event, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning", server_header=False)
