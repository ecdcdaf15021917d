"""What became of each recipient of an order, as a CSV file that is written while it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse
from starlette.routing import Route

from api.console.pages import HEADERS, look, write
from api.console.sessions import require
from engine.admin import result_file
from engine.admin.filters import uuid
from engine.auth.operators import Role
from engine.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from starlette.requests import Request
    from starlette.responses import Response


async def results(request: Request) -> Response:
    """The results of an order, masked for viewers; the audit log says who has taken them."""
    operator = await require(request, Role.VIEWER)
    try:
        order = uuid(request.path_params["key"])
    except ValueError:
        raise NotFound("There is no such order.") from None
    await write(request, result_file.begin, operator.name, order)
    named = HEADERS | {"Content-Disposition": f'attachment; filename="order-{order}.csv"'}
    lines = _lines(request, order, sees_personal_data=operator.role.sees_personal_data)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8; header=present", headers=named)


async def _lines(request: Request, order: UUID, *, sees_personal_data: bool) -> AsyncIterator[str]:
    """A step after the other; nothing is kept."""
    rows, last = await look(request, result_file.step, order, None)
    yield result_file.lines(rows, sees_personal_data=sees_personal_data, head=True)
    while last:
        rows, last = await look(request, result_file.step, order, last)
        yield result_file.lines(rows, sees_personal_data=sees_personal_data, head=False)


ROUTES = [Route("/orders/{key}/results.csv", results)]
