"""Lists as files to download, as they are narrowed, masked by role."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

import anyio
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.routing import Route

from api.console.listing import narrowed, place_of
from api.console.pages import HEADERS
from api.console.sessions import current, require, share
from engine.admin.exports import BOM, COLUMNS, Export, Form
from engine.admin.resources import RESOURCES
from engine.auth.operators import Role
from engine.errors import Forbidden
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

TYPES = {Form.CSV: "text/csv; charset=utf-8; header=present", Form.NDJSON: "application/x-ndjson"}


async def export(request: Request) -> Response:
    """A list as a file."""
    operator = await require(request, Role.VIEWER)
    name, form = request.path_params["resource"], request.path_params["form"]
    if name not in COLUMNS or form not in TYPES:
        raise HTTPException(404)
    made = Export(
        RESOURCES[name],
        narrowed(request, RESOURCES[name]),
        Form(form),
        hidden=not operator.role.sees_personal_data,
        sort=place_of(request).sort,
    )
    await request.app.state.writers.write(share(operator.name), made.begin, operator.name)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="varsel-{quote(name)}.{form}"'}
    return StreamingResponse(_portions(request, made, share(operator.name)), 200, headers, TYPES[Form(form)])


async def _portions(request: Request, made: Export, party: str) -> AsyncIterator[str]:
    """The file. It breaks off when its reader does, or may not read it any more, or the database is away."""
    whole = False
    try:
        yield BOM + made.head if made.head else ""
        while (text := await request.app.state.readers.read(party, made.step)) is not None:
            if await current(request) is None:
                raise Forbidden(_("The session has ended."))
            yield text
        whole = True
    finally:
        with anyio.CancelScope(shield=True):
            await request.app.state.writers.write(party, partial(made.end, whole=whole))


ROUTES = [Route("/export/{resource}.{form}", export)]
