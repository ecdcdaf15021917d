"""Templates of e-mails over HTTP: versions, previews. They are of no contract."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from api import reads
from api import template_shapes as shapes
from api.auth import authenticate_bearer, require_creator, require_scope
from api.bodies import Taken, require_json, work_on
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.orders import PREFIX, READ, REFUSED, TAKEN
from api.parameters import INT32, Given, integers
from api.problems import Problem
from engine.email.plain_text import readable
from engine.errors import Invalid
from engine.orders.members import parse_json, validated
from engine.resources import SCOPE_TEMPLATES
from engine.templating import registry
from engine.templating.content import NAME, Content
from engine.templating.schema import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from starlette.requests import Request

    from engine.models import Caller
    from engine.orders.members import Model
    from engine.templating.catalogue import Catalogue
    from engine.templating.registry import Entry, TemplateVersion

LARGEST = 1_000_000  # bytes of a body
NEEDS = f"Needs the scope `{SCOPE_TEMPLATES}`."
NAME_IS = "a-z, 0-9, _ and -; at most 64"
NEW, KNOWN, OTHER = (
    Parameter("name", "path", NAME_IS, required=True, example=example) for example in ("welcome", "notice", None)
)
VERSION = Parameter("version", "query", "default: the newest", schema=integers(INT32))
WAITING = Parameter(
    "waiting", "query", "true: orders that wait with an earlier version get this one", schema={"type": "boolean"}
)
UNKNOWN = {404: Documented("There is no such template, or no such version.", Problem)}
POSTED = {status: TAKEN[status] for status in (408, 413, 415)} | REFUSED

OPERATIONS = Operations("Templates")


@OPERATIONS.add(
    Description(
        method="PUT",
        path=PREFIX + "/templates/{name}",
        summary="Store a version of a template",
        description=f"A version never changes, and an order keeps the one that it was taken in with. {NEEDS}",
        parameters=(NEW, WAITING),
        request=shapes.TemplateRequest,
        example={
            "subject": "Hei, {{ name }}",
            "html": '{% extends "base" %}{% block content %}<p>Hei, {{ name }}!</p>{% endblock %}',
            "locale": "nb",
            "locales": {"en": {"subject": "Hello, {{ name }}"}},
        },
        responses={
            200: Documented("The newest version says the same.", shapes.Template),
            201: Documented("Stored as the newest version.", shapes.Template),
            409: Documented(
                "Another version is being stored, there are too many, or an order that waits lacks a value.", Problem
            ),
            **POSTED,
        },
        credentials=("bearer",),
    )
)
async def put(request: Request) -> Response:
    """Store a version."""
    require_json(request)
    caller, name = await _asked_by(request)
    creator = require_creator(caller)
    content = (await _posted(request, creator, shapes.TemplateRequest)).content()
    waiting = Given(request).flag(WAITING.name)
    version, new = await _catalogue(request).put(caller.name, creator, name, content, waiting=waiting)
    others = await reads.read(request, creator, registry.versions, creator, name)
    return shapes.Template.of(version, others).response(201 if new else 200)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/templates",
        summary="Your templates",
        description=f"And those of the installation. {NEEDS}",
        responses={200: Documented("The templates.", shapes.TemplateList), **READ},
        credentials=("bearer",),
    )
)
async def get_all(request: Request) -> Response:
    """The templates that can be named."""
    creator = await _creator(request)
    found = await reads.read(request, creator, registry.newest, creator)
    return shapes.TemplateList.of(found, _catalogue(request).own.names()).response()


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/templates/{name}",
        summary="A template",
        description=f"The newest version, or another one. {NEEDS}",
        parameters=(KNOWN, VERSION),
        responses={200: Documented("The version.", shapes.Template), **UNKNOWN, **REFUSED},
        credentials=("bearer",),
    )
)
async def get(request: Request) -> Response:
    """A version, and which others there are."""
    creator, name = await _asked(request)
    number = Given(request).number("version", None)
    version, others = await reads.read(request, creator, _found, _catalogue(request), creator, name, number)
    return shapes.Template.of(version, others).response()


@OPERATIONS.add(
    Description(
        method="DELETE",
        path=PREFIX + "/templates/{name}",
        summary="Delete a template",
        description=f"No new order can name it; orders that wait keep theirs. {NEEDS}",
        parameters=(OTHER,),
        responses={204: Documented("Deleted."), **UNKNOWN, **REFUSED},
        credentials=("bearer",),
    )
)
async def delete(request: Request) -> Response:
    """Delete a template."""
    caller, name = await _asked_by(request)
    await _catalogue(request).remove(caller.name, require_creator(caller), name)
    return Response(status_code=204)


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/templates/{name}/preview",
        summary="Preview a template",
        description=f"What an e-mail would say with these values; nothing is sent. {NEEDS}",
        parameters=(KNOWN,),
        request=shapes.PreviewRequest,
        example={"values": {"title": "Hei", "paragraphs": ["Hei, Kari!"]}, "locale": "nb-NO"},
        responses={200: Documented("What it says.", shapes.Preview), **UNKNOWN, **POSTED},
        credentials=("bearer",),
    )
)
async def post_preview(request: Request) -> Response:
    """Render a template."""
    require_json(request)
    creator, name = await _asked(request)
    asked = await _posted(request, creator, shapes.PreviewRequest)
    catalogue, values = _catalogue(request), asked.values or {}
    version = await reads.read(request, creator, catalogue.find, creator, name, asked.version)
    turn, schema = request.app.state.large_bodies.turn, Content.of(version.content).schema
    await turn(creator, partial(check, schema, values, "Values."))
    rendered = await catalogue.preview(creator, version, values, asked.locale)
    text = rendered.text
    if text is None and rendered.html is not None:
        text = await turn(creator, partial(readable, rendered.html))
    return shapes.Preview.of(version, rendered, text).response()


def _found(
    connection: Connection, catalogue: Catalogue, creator: str, name: str, number: int | None
) -> tuple[TemplateVersion, Sequence[Entry]]:
    return catalogue.find(connection, creator, name, number), registry.versions(connection, creator, name)


async def _creator(request: Request) -> str:
    return require_creator(await _caller(request))


async def _caller(request: Request) -> Caller:
    caller = await authenticate_bearer(request, request.app.state.verifier)
    require_scope(caller, SCOPE_TEMPLATES)
    require_creator(caller)
    return caller


async def _asked(request: Request) -> tuple[str, str]:
    """Whose template is asked for, and which; a name that none can have is refused."""
    caller, name = await _asked_by(request)
    return require_creator(caller), name


async def _asked_by(request: Request) -> tuple[Caller, str]:
    """Who asks, and for which template."""
    caller = await _caller(request)
    name: str = request.path_params["name"]
    if not NAME.fullmatch(name):
        raise Invalid({"name": [f"The name of a template has {NAME_IS}."]})
    return caller, name


async def _posted(request: Request, creator: str, model: type[Model]) -> Model:
    async with Taken(request, creator, LARGEST) as body:
        return await work_on(
            request,
            creator,
            len(body),
            lambda: validated(model, parse_json(body, shapes.PARAMETER), shapes.PARAMETER, 0),
        )


def _catalogue(request: Request) -> Catalogue:
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue
