"""The console as an application of its own under /console: its pages, its sign-in, its answers to errors."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from api.console import (
    acting,
    clock,
    exporting,
    finding,
    keys,
    listing,
    messages,
    pausing,
    persons,
    rates,
    reading,
    recurring,
    senders,
    sign_in,
    subscriptions,
    templates,
)
from api.console.languages import InLanguage
from api.console.live import LivePages
from api.console.pages import TEMPLATES, render
from api.console.reading import Snapshot
from api.console.sessions import PATH, current, middleware
from api.endpoints import Endpoint
from api.problems import STATUS
from engine.admin.copies import Terms
from engine.admin.resources import RESOURCES
from engine.admin.words import of_field, of_key
from engine.errors import Invalid, VarselError
from engine.text.language import N_, _, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.datastructures import State
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from engine.settings import Settings

PART = "console"  # of the API, as /metrics calls it
TITLES = {
    400: N_("That cannot be done"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    409: N_("Not possible any more"),
    503: N_("Try again"),
}


def console(config: Settings, state: State) -> list[BaseRoute]:
    """Where the console is; it shares the state of the application that it is part of."""
    static = Mount("/static", StaticFiles(directory=TEMPLATES / "static"))
    parts = (
        *(sign_in, messages, recurring, keys, senders, subscriptions, templates, persons, pausing, exporting, acting),
        *(clock, rates, finding, listing, reading),
    )
    pages = [route for part in parts for route in part.ROUTES]
    routes = [static, *(_counted(each.path.removeprefix(PATH), each) for each in pages)]
    errors = {VarselError: _refused, HTTPException: _no_page, Exception: _bug} | sign_in.ERRORS
    app = Starlette(routes=routes, middleware=[middleware(config)], exception_handlers=errors)
    app.router.redirect_slashes = False
    app.state = state
    return [_counted(PATH, Route(PATH, _first_page)), Mount(PATH, InLanguage(app))]


def _counted(path: str, route: Route) -> Route:
    """The route, with its answers counted under this part of the API."""
    return Route(path, Endpoint(route.endpoint, PART), methods=route.methods)


def prepare(state: State, config: Settings) -> None:
    """Put what the console stands on into the state, which has `redis` and `quotas` already; Misconfigured."""
    state.snapshot, state.live, state.terms = Snapshot(), LivePages(), Terms.of(config, state.quotas)
    sign_in.prepare(state, config)


async def _first_page(_request: Request) -> Response:
    return RedirectResponse(f"{PATH}/overview", 303)


async def _refused(request: Request, error: Exception) -> Response:
    status = STATUS[type(error)]  # type: ignore[index]  # registered for VarselError only
    lines = [str(error)]
    if isinstance(error, Invalid):
        name_of = of_key if request.method == "GET" else of_field
        lines = [f"{name_of(name)}: {' '.join(texts)}" for name, texts in error.errors.items()]
    return _wrong(request, status, TITLES.get(status, TITLES[400]), lines)


async def _no_page(request: Request, error: Exception) -> Response:
    with suppress(VarselError):
        await current(request)
    status = getattr(error, "status_code", 500)
    return _wrong(request, status, TITLES.get(status, str(getattr(error, "detail", ""))))


async def _bug(request: Request, _error: Exception) -> Response:
    """An unexpected error; the application around this one logs it."""
    lines = [_("Varsel has made a mistake; its log has the details.")]
    return _wrong(request, 500, N_("An error of ours"), lines)


def _wrong(request: Request, status: int, title: str, lines: Sequence[str] = ()) -> Response:
    """A page that says what is wrong, and leads back to the row or the list that it was about."""
    resource, *deeper = request.url.path.removeprefix(f"{PATH}/").split("/")
    back = f"{PATH}/{resource}" if deeper and resource in RESOURCES else None
    if back and len(deeper) > 1:
        back = f"{back}?{request.url.query}" if deeper[0] == "all" else f"{back}/{quote(deeper[0])}"
    return render(request, "error.html", status, title=translated(title), lines=lines, back=back)
