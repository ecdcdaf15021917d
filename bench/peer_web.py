"""The limit of intake: the same Starlette and uvicorn, answering the same POST with a constant."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bench.posts import PATH

if TYPE_CHECKING:
    from starlette.requests import Request

ORDER_ID = "5f0c2f66-0000-7000-8000-0000000000e1"
BODY = b'{"orderId": "%b"}' % ORDER_ID.encode()
HEADERS = {"Location": f"http://127.0.0.1:5090{PATH}/{ORDER_ID}"}


async def accept(_request: Request) -> Response:
    """Answer as if the order were stored."""
    return Response(BODY, 202, HEADERS, "application/json; charset=utf-8")


app = Starlette(routes=[Route(PATH, accept, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning", server_header=False)
