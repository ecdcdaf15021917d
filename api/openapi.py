"""The OpenAPI 3.1 document, generated from the operations that the router serves."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from pydantic import BaseModel
    from starlette.requests import Request
    from starlette.responses import Response as HTTPResponse

    Handler = Callable[[Request], Awaitable[HTTPResponse]]

_MODELS = "#/components/schemas/{model}"
_JSON = "application/json"
_API = "/api/v1/"  # the text before it names the service; no two services have the same path after it
_WORD = re.compile("[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter outside the body; `place` is path, query or header. With an `example`, commands to paste have it."""

    name: str
    place: str
    description: str
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    example: str | int | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: what it means, its body's model (None: empty) and its headers' meanings."""

    description: str
    body: type[BaseModel] | None = None
    media: str = _JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the router, the OpenAPI document and the docs page need to know of an HTTP operation."""

    method: str
    path: str
    summary: str
    description: str
    responses: Mapping[int, Response]
    parameters: tuple[Parameter, ...] = ()
    request: type[BaseModel] | None = None  # a body of plain JSON
    media: Mapping[str, type[BaseModel]] = field(default_factory=dict)  # bodies of other media types
    example: Mapping[str, Any] | None = None  # of the body, in the first media type
    credentials: tuple[str, ...] = ()  # all of these are needed; empty: any one is
    aliases: tuple[str, ...] = ()  # other spellings of the path: served, not documented


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Description):
    """An HTTP operation; `tag` names the part of the API that it belongs to."""

    handler: Handler
    tag: str

    @property
    def id(self) -> str:
        """What programs call it, made of method and path."""
        return "_".join([self.method.lower(), *_WORD.findall(self.path.rpartition(_API)[2])])

    @property
    def part(self) -> str:
        """What /metrics calls that part."""
        return self.tag.lower()


class Operations(list[Operation]):
    """The operations of a module, all of one tag: each is described where its handler stands."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self._tag = tag

    def add(self, described: Description) -> Callable[[Handler], Handler]:
        """A decorator for the handler of the operation that is described."""

        def take(handler: Handler) -> Handler:
            its = {each.name: getattr(described, each.name) for each in fields(described)}
            self.append(Operation(handler=handler, tag=self._tag, **its))
            return handler

        return take


def document(operations: Sequence[Operation], *, server: str, version: str) -> dict[str, Any]:
    """Describe the operations."""
    requests = {model for operation in operations for model in _contents(operation).values()}
    answers = {body for operation in operations for body in _bodies(operation)}
    order = sorted(requests | answers, key=lambda model: model.__name__)
    names, definitions = models_json_schema(
        [(model, "validation" if model in requests else "serialization") for model in order], ref_template=_MODELS
    )
    schemas = {model: schema for (model, _), schema in names.items()}
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Varsel",
            "version": version,
            "description": "E-mail orders in, mail out; events in and out.",
        },
        "servers": [{"url": server}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT, or an API key"},
                "platform": {"type": "apiKey", "in": "header", "name": "PlatformAccessToken"},
            },
        },
        "security": [{"bearer": []}, {"platform": []}],
    }


def _bodies(operation: Operation) -> set[type[BaseModel]]:
    return {response.body for response in operation.responses.values() if response.body}


def _contents(operation: Operation) -> dict[str, type[BaseModel]]:
    """The models of a request's body, by media type."""
    return ({_JSON: operation.request} if operation.request else {}) | dict(operation.media)


def _describe(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "responses": {
            str(status): _response(response, schemas) for status, response in sorted(operation.responses.items())
        },
    }
    if operation.parameters:
        described["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.place,
                "description": parameter.description,
                "required": parameter.required,
                "schema": dict(parameter.schema),
                **({} if parameter.example is None else {"example": parameter.example}),
            }
            for parameter in operation.parameters
        ]
    if contents := _contents(operation):
        described["requestBody"] = {
            "required": True,
            "content": {media: {"schema": schemas[model]} for media, model in contents.items()},
        }
        if operation.example is not None:
            described["requestBody"]["content"][next(iter(contents))]["example"] = operation.example
    if operation.credentials:
        described["security"] = [{name: [] for name in operation.credentials}]
    return described


def _response(response: Response, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": response.description}
    if response.body:
        media = "application/problem+json" if response.body is Problem else response.media
        described["content"] = {media: {"schema": schemas[response.body]}}
    if response.headers:
        described["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in response.headers.items()
        }
    return described
