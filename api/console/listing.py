"""Lists in the console: narrowed by a search field and by labelled fields, page by page, forth and back.

The address of a list says what it is narrowed to, and that alone: what was typed is turned into it by a redirect.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.pages import look, page, render
from api.console.sessions import found, require
from api.console.zones import FIELD as ZONE
from api.console.zones import with_offset
from engine.admin import lists, lookups, offers, queries, searching
from engine.admin.filters import TIMES, parse, typed
from engine.admin.lists import Place, Sort
from engine.admin.resources import EMAILS, RESOURCES
from engine.admin.sentences import label
from engine.admin.words import of_condition, of_field, of_key
from engine.auth.operators import Role
from engine.errors import Forbidden, Invalid
from engine.text.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from engine.admin.filters import Field
    from engine.admin.lists import Page
    from engine.admin.resources import Resource

    Handler = Callable[[Request], Awaitable[Response]]

SELECT = "select"  # in an address: with all rows of the page selected, for readers without JavaScript
NOTHING = offers.Offers([], {})
_OWN = ("cursor", "before", "sort", ZONE, SELECT, queries.FIELD)  # what narrows nothing


def narrowed(request: Request, resource: Resource) -> dict[str, str]:
    """What the list is narrowed by; Forbidden for what the operator does not see."""
    return _checked(request, resource, dict(request.query_params))


def place_of(request: Request) -> Place:
    """Which page is meant, and in which direction; Invalid."""
    given = {name: request.query_params.get(name) or None for name in ("cursor", "before", "sort")}
    try:
        return Place(given["cursor"], given["before"], Sort(given["sort"]) if given["sort"] else None)
    except ValueError:
        either = _(" or ").join(Sort)
        raise Invalid({"sort": [_("sort is %(names)s.", names=either)]}) from None


def _list_of(resource: Resource) -> Handler:
    async def read(request: Request) -> dict[str, Any]:
        given, place = narrowed(request, resource), place_of(request)
        shown = await look(request, lists.view, resource, given, place)
        kept = given | ({"sort": place.sort.value} if place.sort else {})
        turned = Sort.ASCENDING if shown.sort is Sort.DESCENDING else Sort.DESCENDING
        failure = given.get("failure")
        words = (await look(request, lookups.said, {failure})).get(failure) if failure else None
        return _described(request, resource, given, words) | {
            "items": shown.page.items,
            "next": shown.page.next and urlencode(kept | {"cursor": shown.page.next}),
            "previous": shown.page.previous and urlencode(kept | {"before": shown.page.previous}),
            "looked_back": shown.page.looked_back,
            "goes_back": bool(place.before),
            "newest": urlencode(kept) if place.cursor or place.before else None,
            "total": shown.total,
            "sorted": {
                "by": shown.column,
                "direction": shown.sort.value,
                "turned": urlencode(given | ({} if turned is shown.usual else {"sort": turned.value})),
            },
            "selected": request.query_params.get(SELECT) == "page",
            "all_selected": urlencode(dict(request.query_params) | {SELECT: "page"}),
            "also": await look(request, searching.orders_that_wait, given) if resource is EMAILS else 0,
            "offers": await _offers(request, resource, given, shown.page),
        }

    async def show(request: Request) -> Response:
        await require(request, Role.VIEWER)
        try:
            if queries.FIELD in request.query_params:
                return RedirectResponse(f"/console/{resource.name}{_query(_typed(request, resource))}", 303)
            return await page(request, f"{resource.name}.html", read)
        except Invalid as error:
            return _wrong(request, resource, error)

    return show


async def _offers(request: Request, resource: Resource, given: Mapping[str, str], shown: Page) -> offers.Offers:
    """What the operator may do to the rows of a list; to those of a page, its boxes say."""
    operator = found(request)
    if not (operator and operator.role.allows(Role.OPERATOR)):
        return NOTHING
    whole = not (shown.next or shown.previous or shown.looked_back)
    keys = [item[resource.key.name] for item in shown.items]
    return await look(request, offers.offers, resource, given, keys, whole=whole)


def _typed(request: Request, resource: Resource) -> dict[str, str]:
    """What a list is narrowed to by the search field, which goes first, and by the labelled fields; Invalid."""
    text = request.query_params[queries.FIELD]
    typed = queries.conditions(text, resource, _fields(request, resource))
    given = _checked(request, resource, dict(request.query_params) | typed)
    try:
        values = parse(given, resource.fields, request.app.state.store.clock.now())
    except Invalid as error:
        told = [f"{name}: {' '.join(texts)}" for name, texts in error.errors.items() if name in typed]
        rest = {name: texts for name, texts in error.errors.items() if name not in typed}
        raise Invalid(({queries.FIELD: told} if told else {}) | rest) from None
    sort = place_of(request).sort
    chosen = {name: values[name] for name in given if name in resource.choices}  # in the case that they have
    return given | chosen | ({"sort": sort.value} if sort else {})


def _wrong(request: Request, resource: Resource, error: Invalid) -> Response:
    """The list's form, with what is wrong beside each field, and no rows."""
    given = {name: value for name, value in request.query_params.items() if value.strip() and name not in _OWN}
    beside = {name: " ".join(texts) for name, texts in error.errors.items() if name in resource.fields}
    rest = [" ".join(texts) for name, texts in error.errors.items() if name not in beside]
    nothing: dict[str, Any] = {"items": None, "next": None, "previous": None, "looked_back": False, "goes_back": False}
    nothing |= {"newest": None, "total": None, "sorted": None, "selected": False, "also": 0, "offers": NOTHING}
    told = {"typed": request.query_params.get(queries.FIELD, ""), "wrong": " ".join(rest), "beside": beside}
    return render(request, f"{resource.name}.html", 400, **_described(request, resource, given) | nothing | told)


def _described(
    request: Request, resource: Resource, given: Mapping[str, str], failed_with: str | None = None
) -> dict[str, Any]:
    """What the form of a list shows; `failed_with`: the words of the group of failures that it is narrowed to."""
    fields = _fields(request, resource)
    return {
        "resource": resource,
        "fields": fields,
        "filter": given,
        "chips": [_chip(given, name, failed_with) for name in given],
        "suggestions": queries.suggestions(fields),
        "sort": request.query_params.get("sort"),
        "typed": "",
        "wrong": "",
        "beside": {},
    }


def _chip(given: Mapping[str, str], name: str, failed_with: str | None) -> dict[str, Any]:
    """A condition, and the address of the list without it; a time as such, unless it is one such as 24h."""
    at = None
    if name in TIMES:
        with suppress(ValueError):
            at = typed(given[name], UTC)
    rest = {other: value for other, value in given.items() if other != name}
    value = label(given[name]) if name == "action" else of_condition(name, given[name])
    if name == "failure" and failed_with:
        value = failed_with
    return {"name": of_field(name), "value": value, "at": at, "without": _query(rest)}


def _query(given: Mapping[str, str]) -> str:
    """An address's end; empty where a list is narrowed to nothing."""
    return f"?{urlencode(given)}" if given else ""


def _checked(request: Request, resource: Resource, given: dict[str, str]) -> dict[str, str]:
    given = with_offset(request, given, TIMES)
    given = {name: value for name, value in given.items() if value.strip() and name not in _OWN}
    fields = _fields(request, resource)
    if hidden := [name for name in resource.fields if name in given and name not in fields]:
        text = N_("A viewer cannot narrow this list by %(names)s: that is masked.")
        raise Forbidden(_(text, names=", ".join(map(of_key, hidden))))
    return given


def _fields(request: Request, resource: Resource) -> Mapping[str, Field]:
    """What the operator may narrow the list by."""
    operator = found(request)
    return resource.fields if operator and operator.role.sees_personal_data else resource.open_fields


ROUTES = [Route(f"/{resource.name}", _list_of(resource)) for resource in RESOURCES.values()]
